"""Metrics of a class for every pixel while a model is trained, on the network's own grid; void pixels count nowhere.

All take masks, uint8 [batch, height, width] with `VOID` where a pixel counts nowhere, and logits, float32 [batch,
height, width, classes]. The Evaluator has the same figures at the pictures' own size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from ann_keras.metrics import confusion
from ann_keras.task import VOID

_registered = keras.saving.register_keras_serializable(package="ann_keras")


def confusion_matrix(y_true: Any, y_pred: Any) -> Any:
    """Pixels by true class (rows) and answer, float32 [classes, classes], of masks and logits."""
    classes = y_pred.shape[-1]
    labels, answers = ops.cast(y_true, "int32"), ops.cast(ops.argmax(y_pred, axis=-1), "int32")
    # Void pixels fall into one bin behind all others.
    cell = ops.where(ops.equal(labels, VOID), classes**2, labels * classes + answers)
    counts = ops.bincount(ops.reshape(cell, (-1,)), minlength=classes**2 + 1)
    return ops.cast(ops.reshape(counts[: classes**2], (classes, classes)), "float32")


class _OfConfusion(keras.metrics.Metric):
    """What `figure` makes of the confusion matrix of all batches.

    Args:
        classes: their number.
        name: of the metric.
    """

    figure: Callable[[Any, Any], Any]

    def __init__(self, classes: int, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.matrix = self.add_weight(shape=(classes, classes), initializer="zeros", name="matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch; weights of the loss are not read."""
        self.matrix.assign_add(confusion_matrix(y_true, y_pred))

    def result(self) -> Any:
        """float32 [] in [0, 1]."""
        return type(self).figure(ops.convert_to_tensor(self.matrix), ops)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "classes": self.classes}


@_registered
class PixelAccuracy(_OfConfusion):
    """`confusion.pixel_accuracy`."""

    figure = staticmethod(confusion.pixel_accuracy)


@_registered
class MeanAccuracy(_OfConfusion):
    """`confusion.mean_accuracy`."""

    figure = staticmethod(confusion.mean_accuracy)


@_registered
class MeanIoU(_OfConfusion):
    """`confusion.mean_iou`."""

    figure = staticmethod(confusion.mean_iou)


@_registered
class FrequencyWeightedIoU(_OfConfusion):
    """`confusion.frequency_weighted_iou`."""

    figure = staticmethod(confusion.frequency_weighted_iou)
