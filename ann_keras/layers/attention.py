"""Attention: each query is answered with a mean of values, weighted by how well their keys match it.

Vaswani et al. 2017, Attention is all you need, section 3.2. Notation: batch `b`, heads `h`, queries `T`, keys `S`.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.layers.positionwise import PositionwiseDense

HIDDEN = -3e4
"""Added to the score of a key that may not be seen, so that the softmax leaves it nothing; half precision holds it."""


def scaled_dot_product(query: Any, key: Any, value: Any, mask: Any = None) -> tuple[Any, Any]:
    """softmax(Q K' / sqrt(d_k)) V (eq. 1).

    Args:
        query: float [..., T, d_k].
        key: float [..., S, d_k].
        value: float [..., S, d_v].
        mask: bool, of a shape that broadcasts to [..., T, S]: true where a query may see a key; None for everywhere.

    Returns:
        The means, float [..., T, d_v], and the weights, float [..., T, S]: each row has the sum 1, or is 0 altogether
        where its query may see nothing, and then so is the mean.
    """
    weights = _weights(query, key, mask)
    return ops.matmul(weights, value), weights


def _weights(query: Any, key: Any, mask: Any) -> Any:
    scores = ops.matmul(query * float(query.shape[-1]) ** -0.5, ops.swapaxes(key, -1, -2))
    if mask is None:
        return ops.softmax(scores)
    weights = ops.softmax(scores + ops.cast(ops.logical_not(mask), scores.dtype) * HIDDEN)
    return weights * ops.cast(ops.any(mask, axis=-1, keepdims=True), weights.dtype)


@keras.saving.register_keras_serializable("ann_keras")
class MultiHeadAttention(keras.layers.Layer):
    """Concat(head_1 ... head_h) W^O with head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V) (section 3.2.2).

    The matrices of all heads stand side by side in W^Q, W^K and W^V, so that each is one product. There are no biases,
    as in the paper; d_k = d_v = width / heads.

    Args:
        width: units of queries, memory and output.
        heads: h, a divisor of `width`.
        dropout: share of the weights that are set to 0 in training, the others being divided by 1 - dropout.
        **kwargs: further arguments of `keras.layers.Layer`.

    Raises:
        ValueError: where `width` is not divisible by `heads`.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if width % heads:
            raise ValueError(f"heads={heads}: expected a divisor of the width, {width}")
        self.width, self.heads, self.rate = width, heads, dropout
        self.query, self.key, self.value, self.output_projection = (
            PositionwiseDense(width, use_bias=False, dtype=self.dtype_policy, name=name)
            for name in ("query", "key", "value", "output")
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy, name="dropout")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the four matrices."""
        for projection in (self.query, self.key, self.value, self.output_projection):
            projection.build((None, self.width))

    def call(self, inputs: Any, memory: Any = None, visible: Any = None, training: bool | None = None) -> Any:
        """Attends from every position.

        Args:
            inputs: what queries are made of, float [b, T, width].
            memory: what keys and values are made of, float [b, S, width]; None for `inputs`: self-attention.
            visible: bool, of a shape that broadcasts to [b, h, T, S]: where a query may see a key; None for everywhere.
            training: whether dropout is at work.

        Returns:
            float [b, T, width].
        """
        keys, values = self.project(inputs if memory is None else memory)
        return self.attend(inputs, keys, values, visible, training)[0]

    def project(self, memory: Any) -> tuple[Any, Any]:
        """Keys and values, float [b, h, S, width / h] each, of the memory, float [b, S, width]."""
        return self._parted(self.key(memory)), self._parted(self.value(memory))

    def attend(
        self, inputs: Any, keys: Any, values: Any, visible: Any = None, training: bool | None = None
    ) -> tuple[Any, Any]:
        """Attends to keys and values that are projected already.

        Args:
            inputs: what queries are made of, float [b, T, width].
            keys: as of `project`.
            values: likewise.
            visible: as in `call`.
            training: likewise.

        Returns:
            The output, float [b, T, width], and the weights before dropout, float [b, h, T, S].
        """
        weights = _weights(self._parted(self.query(inputs)), keys, visible)
        heads = ops.matmul(self.dropout(weights, training=training), values)
        joined = ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), ops.shape(inputs))
        return self.output_projection(joined), weights

    def caches(self, batch: Any, steps: Any) -> list[Any]:
        """Empty keys and values of sequences that come one position at a time: float [batch, h, steps, width / h]."""
        shape = (batch, self.heads, steps, self.width // self.heads)
        return [ops.zeros(shape, self.compute_dtype) for _ in range(2)]

    def step(self, inputs: Any, position: Any, keys: Any, values: Any) -> tuple[Any, Any, Any]:
        """Self-attention of one position to itself and to those before.

        Args:
            inputs: float [b, width].
            position: int32 [], below `steps`.
            keys: as of `caches`, filled up to `position`.
            values: likewise.

        Returns:
            The output, float [b, width], and the two caches with this position.
        """
        inputs = ops.expand_dims(inputs, 1)
        key, value = self.project(inputs)
        keys, values = _written(keys, key, position), _written(values, value, position)
        visible = ops.arange(ops.shape(keys)[2]) <= position
        output, _ = self.attend(inputs, keys, values, visible)
        return ops.squeeze(output, 1), keys, values

    def _parted(self, x: Any) -> Any:
        """The heads apart: [b, T, width] -> [b, h, T, width / h]."""
        batch, time, _ = ops.shape(x)
        return ops.transpose(ops.reshape(x, (batch, time, self.heads, self.width // self.heads)), (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "width": self.width, "heads": self.heads, "dropout": self.rate}


def _written(cache: Any, new: Any, position: Any) -> Any:
    """The cache [b, h, steps, units] with `new` [b, h, 1, units] at the position.

    `slice_update` would do, but TensorFlow compiles it with XLA, even in a server.
    """
    batch, heads, steps, units = ops.shape(cache)
    rows = ops.arange(batch * heads)
    places = ops.stack([rows, ops.broadcast_to(ops.cast(position, rows.dtype), ops.shape(rows))], axis=1)
    flat = ops.reshape(cache, (batch * heads, steps, units))
    updates = ops.reshape(ops.cast(new, cache.dtype), (batch * heads, units))
    return ops.reshape(ops.scatter_update(flat, places, updates), (batch, heads, steps, units))
