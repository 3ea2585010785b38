"""Content-based attention of a recurrent decoder: how much of each source position is read.

Notation: batch `b`, decoder positions `T`, source positions `S`, units of the decoder `n` and of the encoder `m`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.layers.attention import HIDDEN
from ann_keras.layers.positionwise import PositionwiseDense

SCORES = ("bilinear", "additive")


@keras.saving.register_keras_serializable("ann_keras")
class Alignment(keras.layers.Layer):
    """a_ts = softmax_s score(h_t, h_s) over the source's tokens, and c_t = sum_s a_ts h_s.

    The score is "bilinear", h_t' W h_s (Luong, Pham and Manning 2015, Effective approaches to attention-based neural
    machine translation, eq. 7 and 8, "general"), or "additive", v' tanh(W_1 h_t + W_2 h_s) (Bahdanau, Cho and Bengio
    2015, Neural machine translation by jointly learning to align and translate, appendix A.1.2).

    Args:
        score: one of SCORES.
        units: of h_t, and of the tanh.
        **kwargs: further arguments of `keras.layers.Layer`.

    Raises:
        ValueError: for another score.
    """

    def __init__(self, score: str, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if score not in SCORES:
            raise ValueError(f"score={score!r}: expected one of {', '.join(SCORES)}")
        self.score, self.units = score, units
        self.memory_projection = PositionwiseDense(units, use_bias=False, dtype=self.dtype_policy, name="memory")
        if score == "additive":
            self.query_projection = PositionwiseDense(units, use_bias=False, dtype=self.dtype_policy, name="query")
            self.direction = PositionwiseDense(1, use_bias=False, dtype=self.dtype_policy, name="direction")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the matrices, for a memory of shape [b, S, m]."""
        self.memory_projection.build(input_shape)
        if self.score == "additive":
            self.query_projection.build((None, None, self.units))
            self.direction.build((None, None, self.units))

    def keys(self, memory: Any) -> Any:
        """W h_s or W_2 h_s, float [b, S, n], of the memory, float [b, S, m]: once for all positions of the decoder."""
        return self.memory_projection(memory)

    def call(self, query: Any, keys: Any, memory: Any, visible: Any) -> tuple[Any, Any]:
        """Reads the memory.

        Args:
            query: h_t, float [b, T, n].
            keys: as of `keys`.
            memory: h_s, float [b, S, m].
            visible: bool [b, S]: where a token of the source stands.

        Returns:
            c_t, float [b, T, m], and a_ts, float [b, T, S]: rows of sum 1.
        """
        if self.score == "bilinear":
            scores = ops.matmul(query, ops.swapaxes(keys, 1, 2))
        else:
            sums = ops.expand_dims(self.query_projection(query), 2) + ops.expand_dims(keys, 1)
            scores = ops.squeeze(self.direction(ops.tanh(sums)), -1)
        hidden = ops.cast(ops.logical_not(visible), scores.dtype) * HIDDEN
        weights = ops.softmax(scores + ops.expand_dims(hidden, 1), axis=-1)
        return ops.matmul(weights, memory), weights

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "score": self.score, "units": self.units}
