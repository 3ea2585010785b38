"""Metrics of the tokens of sequences, told the true token before."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ann_keras")
class TokenAccuracy(keras.metrics.Metric):
    """Share of the tokens, padding left out, that have the largest logit."""

    def __init__(self, name: str = "token_accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.right = self.add_weight(shape=(), initializer="zeros", name="right")
        self.all = self.add_weight(shape=(), initializer="zeros", name="all")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts those of a batch.

        Args:
            y_true: int32 [batch, time], 0 for padding.
            y_pred: float [batch, time, V], logits.
            sample_weight: not read.
        """
        labels = ops.cast(y_true, "int32")
        there = ops.not_equal(labels, 0)
        right = ops.logical_and(there, ops.equal(labels, ops.cast(ops.argmax(y_pred, axis=-1), "int32")))
        self.right.assign_add(ops.sum(ops.cast(right, self.dtype)))
        self.all.assign_add(ops.sum(ops.cast(there, self.dtype)))

    def result(self) -> Any:
        """The share, from 0 to 1; 0 without a token."""
        return ops.divide_no_nan(self.right, self.all)


@keras.saving.register_keras_serializable(package="ann_keras")
class Perplexity(keras.metrics.Metric):
    """exp of the mean of -log p over the tokens, padding left out, without smoothing."""

    def __init__(self, name: str = "perplexity", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")
        self.all = self.add_weight(shape=(), initializer="zeros", name="all")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds up those of a batch; the arguments are those of `TokenAccuracy`."""
        labels = ops.cast(y_true, "int32")
        there = ops.cast(ops.not_equal(labels, 0), self.dtype)
        entropy = ops.sparse_categorical_crossentropy(labels, ops.cast(y_pred, "float32"), from_logits=True)
        self.total.assign_add(ops.sum(there * ops.cast(entropy, self.dtype)))
        self.all.assign_add(ops.sum(there))

    def result(self) -> Any:
        """At least 1; 1 without a token."""
        return ops.exp(ops.divide_no_nan(self.total, self.all))
