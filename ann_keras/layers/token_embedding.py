"""Vectors of tokens, which may also be the weights that the next token is told by."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("ann_keras")
class TokenEmbedding(keras.layers.Layer):
    """The rows of a matrix E times sqrt(width), and x E', the logits of the tokens (Press and Wolf 2017, Using the
    output embedding to improve language models; Vaswani et al. 2017, Attention is all you need, section 3.4).

    E starts with the variance 1 / width: scaled rows have the variance 1 then, and so have logits of a normalised x.

    Args:
        vocabulary: number of tokens.
        width: units of a vector.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    def __init__(self, vocabulary: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary, self.width = vocabulary, width

    def build(self, input_shape: Any = None) -> None:
        """Makes the matrix."""
        start = keras.initializers.RandomNormal(stddev=self.width**-0.5)
        self.table = self.add_weight(shape=(self.vocabulary, self.width), initializer=start, name="table")

    def call(self, ids: Any) -> Any:
        """The vectors of ids, int32 [...]: float [..., width]."""
        return ops.take(ops.cast(self.table, self.compute_dtype), ids, axis=0) * self.width**0.5

    def logits(self, x: Any) -> Any:
        """x E', float32 [..., vocabulary], for float [..., width]."""
        shape = ops.shape(x)
        flat = ops.matmul(ops.reshape(x, (-1, self.width)), ops.transpose(ops.cast(self.table, x.dtype)))
        return ops.cast(ops.reshape(flat, (*shape[:-1], self.vocabulary)), "float32")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "vocabulary": self.vocabulary, "width": self.width}
