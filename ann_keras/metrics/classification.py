"""Metrics of a classification that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ann_keras")
class BalancedAccuracy(keras.metrics.Metric):
    """The mean over the classes of the share of their examples that are answered right (Brodersen et al. 2010, The
    balanced accuracy and its posterior distribution). Classes without an example do not count.

    Args:
        count: the number of classes; two have one logit, more have one each.
    """

    def __init__(self, count: int, name: str = "balanced_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.count = count
        self.right = self.add_weight(shape=(count,), initializer="zeros", name="right")
        self.all = self.add_weight(shape=(count,), initializer="zeros", name="all")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds labels, int [batch], and logits, [batch, 1 or classes]; every example counts alike."""
        label = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        one = y_pred.shape[-1] == 1
        answer = ops.cast(y_pred[:, 0] > 0, "int32") if one else ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        classes = ops.one_hot(label, self.count)
        self.all.assign_add(ops.sum(classes, axis=0))
        self.right.assign_add(ops.sum(classes * ops.cast(answer == label, "float32")[:, None], axis=0))

    def result(self) -> Any:
        """In [0, 1]."""
        there = ops.cast(self.all > 0, "float32")
        recall = self.right / ops.maximum(self.all, 1.0)
        return ops.sum(recall * there) / ops.maximum(ops.sum(there), 1.0)

    def get_config(self) -> dict[str, Any]:
        """With the number of classes."""
        return {**super().get_config(), "count": self.count}
