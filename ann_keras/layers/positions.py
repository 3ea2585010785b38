"""Positions, added to what stands at them, since attention by itself sees a set and not a sequence.

Vaswani et al. 2017, Attention is all you need, section 3.5.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def sinusoids(positions: Any, width: int) -> Any:
    """PE(p, 2i) = sin(p / 10000^(2i / width)) and PE(p, 2i + 1) the cosine of the same.

    Args:
        positions: p, int32 or float32 [...].
        width: units of an encoding, even.

    Returns:
        float32 [..., width] in [-1, 1].
    """
    rates = 10000.0 ** (-ops.arange(0, width, 2, dtype="float32") / width)
    angles = ops.expand_dims(ops.cast(positions, "float32"), -1) * rates
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(pairs, (*ops.shape(angles)[:-1], width))


@keras.saving.register_keras_serializable("ann_keras")
class SinusoidalPositions(keras.layers.Layer):
    """Adds `sinusoids`; sequences may be of any length. Input and output float [batch, time, width].

    Args:
        width: of the input, even.
        **kwargs: further arguments of `keras.layers.Layer`.

    Raises:
        ValueError: where `width` is odd.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if width % 2:
            raise ValueError(f"width={width}: expected an even number, a sine and a cosine have the same frequency")
        self.width = width

    def call(self, inputs: Any) -> Any:
        """Adds the encodings of the positions from 0."""
        return inputs + ops.cast(sinusoids(ops.arange(ops.shape(inputs)[1]), self.width), inputs.dtype)

    def at(self, inputs: Any, position: Any) -> Any:
        """Adds the encoding of one position, int32 [], to what stands there, float [batch, width]."""
        return inputs + ops.cast(sinusoids(position, self.width), inputs.dtype)

    def check(self, length: Any) -> None:
        """Any length will do."""

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable("ann_keras")
class LearnedPositions(keras.layers.Layer):
    """Adds a vector that is learned for each position. Input and output float [batch, time, width].

    Args:
        longest: positions there are vectors for.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    def __init__(self, longest: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest

    def build(self, input_shape: Any) -> None:
        """Makes the vectors, small at first beside scaled embeddings."""
        start = keras.initializers.RandomNormal(stddev=input_shape[-1] ** -0.5)
        self.table = self.add_weight(shape=(self.longest, input_shape[-1]), initializer=start, name="table")

    def call(self, inputs: Any) -> Any:
        """Adds the vectors of the positions from 0.

        Raises:
            ValueError: where there are more positions than vectors.
        """
        length = ops.shape(inputs)[1]
        self.check(length)
        return inputs + ops.cast(self.table, inputs.dtype)[:length]

    def at(self, inputs: Any, position: Any) -> Any:
        """Adds the vector of one position, int32 [], to what stands there, float [batch, width]."""
        return inputs + ops.cast(ops.take(self.table, position, axis=0), inputs.dtype)

    def check(self, length: Any) -> None:
        """Raises a ValueError where `length`, known when the graph is built, is beyond the last vector."""
        if isinstance(length, int) and length > self.longest:
            raise ValueError(f"a sequence of {length} tokens: expected at most longest={self.longest}, those learned")

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "longest": self.longest}
