"""The cross-entropy of a class for every pixel, where some pixels count nowhere and others more."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.task import VOID


@keras.saving.register_keras_serializable(package="ann_keras")
class PixelCrossEntropy(keras.losses.Loss):
    """sum_x w(x) l(x) / |{x: w(x) > 0}|, with l(x) = -log softmax of the true class at pixel x.

    Ronneberger, Fischer and Brox 2015, U-Net, eq. 1, as a mean over the pixels of the batch that count: those that are
    not void and that have a weight. So neither void pixels nor a random mask of the pixels change its scale.
    """

    def __init__(self, name: str = "pixel_cross_entropy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch, float32 [].

        Args:
            y_true: uint8 [batch, height, width], indices of classes, `VOID` where a pixel counts nowhere.
            y_pred: float [batch, height, width, classes], logits.
            sample_weight: float32 [batch, height, width], w(x) >= 0; None for 1 everywhere.
        """
        weight = ops.ones(ops.shape(y_true)) if sample_weight is None else ops.cast(sample_weight, "float32")
        weight = ops.where(ops.equal(ops.cast(y_true, "int32"), VOID), 0.0, weight)
        counted = ops.sum(ops.cast(weight > 0, "float32"))
        return ops.sum(weight * self.call(y_true, y_pred)) / ops.maximum(counted, 1.0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """l(x) of every pixel, float32 [batch, height, width]; that of class 0 where a pixel is void."""
        labels = ops.cast(y_true, "int32")
        labels = ops.where(ops.equal(labels, VOID), 0, labels)
        return ops.sparse_categorical_crossentropy(labels, ops.cast(y_pred, "float32"), from_logits=True)
