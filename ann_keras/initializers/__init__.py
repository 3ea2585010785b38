"""Initializers that Keras lacks."""

from ann_keras.initializers.xavier import Xavier

__all__ = ["Xavier"]
