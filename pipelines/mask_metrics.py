"""Metrics of masks for TensorFlow Model Analysis's Evaluator, from what the signature "evaluate" counts.

"confusion": int64 [classes, classes], an image's pixels by true class (rows) and answer; "boundary": float32 [classes,
4], see `ann_keras.tasks.judging`. All but the boundaries' figure are of the pixels of all images together, as in Long,
Shelhamer and Darrell 2015 (Fully convolutional networks for semantic segmentation, section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ann_keras.metrics import confusion
from pipelines.metrics import Answers, Sum


class _OfConfusion(Sum):
    """What `figure` makes of the confusion matrix of all images."""

    def __init__(self, figure: Callable[[np.ndarray], Any], name: str) -> None:
        super().__init__(_counts, lambda total: float(figure(total)), name)


class PixelAccuracy(_OfConfusion):
    """The share of the pixels that are answered right."""

    def __init__(self, name: str = "pixel_accuracy") -> None:
        super().__init__(lambda n: confusion.pixel_accuracy(n, np), name)


class MeanAccuracy(_OfConfusion):
    """The mean over the classes that occur of the share that is answered right."""

    def __init__(self, name: str = "mean_accuracy") -> None:
        super().__init__(lambda n: confusion.mean_accuracy(n, np), name)


class MeanIoU(_OfConfusion):
    """The mean intersection over union of the classes that occur or are answered."""

    def __init__(self, name: str = "mean_iou") -> None:
        super().__init__(lambda n: confusion.mean_iou(n, np), name)


class FrequencyWeightedIoU(_OfConfusion):
    """The intersection over union of each class, weighted by its share of the pixels."""

    def __init__(self, name: str = "frequency_weighted_iou") -> None:
        super().__init__(lambda n: confusion.frequency_weighted_iou(n, np), name)


class ClassIoU(_OfConfusion):
    """The intersection over union of class `index`; NaN where it neither occurs nor is answered."""

    def __init__(self, index: int = 0, name: str = "class_iou") -> None:
        def figure(n: np.ndarray) -> float:
            present = n[index].sum() + n[:, index].sum() > 0
            return float(confusion.class_iou(n, np)[index]) if present else float("nan")

        super().__init__(figure, name)


class BoundaryF1(Sum):
    """The mean over classes of the mean over images of 2 P R / (P + R), with P the share of the answered boundary near
    a true one and R that of the true boundary near an answered one (Csurka, Larlus and Perronnin 2013, What is a good
    evaluation measure for semantic segmentation?, section 3.1).

    An image counts for the classes that have a boundary in it, true or answered. NaN where no image has any.
    """

    def __init__(self, name: str = "boundary_f1") -> None:
        super().__init__(_scores, _mean_score, name)


def _counts(label: float, answers: Answers) -> np.ndarray:
    # TFMA hands on the answers of one example with or without an axis for it.
    n = np.asarray(answers["confusion"], np.float64)
    return n.reshape(n.shape[-2:])


def _scores(label: float, answers: Answers) -> np.ndarray:
    """The sum of the scores and the number of images, float64 [classes, 2]."""
    counts = np.asarray(answers["boundary"], np.float64)
    answered, near_true, true, near_answered = counts.reshape(counts.shape[-2:]).T
    precision, recall = near_true / np.maximum(answered, 1), near_answered / np.maximum(true, 1)
    score = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
    present = (answered + true > 0).astype(np.float64)
    return np.stack([score * present, present], axis=1)


def _mean_score(total: np.ndarray) -> float:
    score, images = total.T
    return float(np.mean(score[images > 0] / images[images > 0])) if images.any() else float("nan")
