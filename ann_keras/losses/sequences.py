"""The cross-entropy of the tokens of a sequence."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ann_keras")
class TokenCrossEntropy(keras.losses.Loss):
    """-sum_t sum_k q_t(k) log p_t(k) over the tokens that are no padding, divided by their number.

    q_t is 1 for the true token; with smoothing e, 1 - e there and e / V more everywhere (Szegedy et al. 2016,
    Rethinking the Inception architecture, section 7; Vaswani et al. 2017, Attention is all you need, section 5.4).

    Args:
        smoothing: e, from 0 to below 1.
        name: of the loss.
    """

    def __init__(self, smoothing: float = 0.0, name: str = "token_cross_entropy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.smoothing = smoothing

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of a batch, float32 [].

        Args:
            y_true: int32 [batch, time], ids; 0 is padding.
            y_pred: float [batch, time, V], logits.
            sample_weight: float32 [batch], of each sequence; None for 1.
        """
        weight = ops.cast(ops.not_equal(y_true, 0), "float32")
        if sample_weight is not None:
            weight = weight * ops.cast(sample_weight, "float32")[:, None]
        return ops.sum(weight * self.call(y_true, y_pred)) / ops.maximum(ops.sum(weight), 1.0)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The cross-entropy of every token, float32 [batch, time]."""
        logits = ops.cast(y_pred, "float32")
        labels = ops.cast(y_true, "int32")
        exact = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        if not self.smoothing:
            return exact
        # -mean_k log p(k) is the exact one with the mean of the logits in place of the true one's.
        true = ops.squeeze(ops.take_along_axis(logits, ops.expand_dims(labels, -1), axis=-1), -1)
        return exact + self.smoothing * (true - ops.mean(logits, axis=-1))

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {**super().get_config(), "smoothing": self.smoothing}
