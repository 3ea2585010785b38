"""Optimizers that Keras lacks."""

from ann_keras.optimizers.course_momentum import CourseMomentum, CourseNesterov
from ann_keras.optimizers.rprop import Rprop

__all__ = ["CourseMomentum", "CourseNesterov", "Rprop"]
