"""One layer of a Transformer's encoder, and one of its decoder.

Vaswani et al. 2017, Attention is all you need, section 3.1 and figure 1.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.layers.attention import MultiHeadAttention
from ann_keras.layers.positionwise import FeedForward, Residual


class _Block(keras.layers.Layer):
    """What encoder and decoder have in common: attention and a network at every position, each in a `Residual`."""

    attentions: tuple[str, ...] = ()

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float, norm: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = {
            "width": width,
            "heads": heads,
            "feed_forward": feed_forward,
            "dropout": dropout,
            "norm": norm,
        }
        policy = self.dtype_policy
        for name in self.attentions:
            setattr(self, name, MultiHeadAttention(width, heads, dropout, dtype=policy, name=name))
        self.network = FeedForward(feed_forward, dtype=policy, name="network")
        for name in (*self.attentions, "network"):
            setattr(self, f"around_{name}", Residual(norm, dropout, dtype=policy, name=f"around_{name}"))

    def build(self, input_shape: Any) -> None:
        """Makes the weights of the parts."""
        shape = (None, None, self.arguments["width"])
        for name in (*self.attentions, "network"):
            getattr(self, name).build(shape)
            getattr(self, f"around_{name}").build(shape)

    def finish(self, x: Any, training: bool | None = None) -> Any:
        """The network at every position, and what is around it."""
        return self.around_network(x, self.network(self.around_network.enter(x)), training=training)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), **self.arguments}


@keras.saving.register_keras_serializable("ann_keras")
class EncoderBlock(_Block):
    """Self-attention, then the network at every position.

    Args:
        width: units of input and output.
        heads: of the attention.
        feed_forward: inner units of the network.
        dropout: of attention weights and of what either part adds, in training.
        norm: "pre" or "post", as of `Residual`.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    attentions = ("attention",)

    def call(self, inputs: Any, visible: Any, training: bool | None = None) -> Any:
        """The block's output, float [b, S, width].

        Args:
            inputs: float [b, S, width].
            visible: bool [b, S]: where a token stands.
            training: whether dropout is at work.
        """
        around = self.around_attention
        attended = self.attention(around.enter(inputs), visible=visible[:, None, None], training=training)
        return self.finish(around(inputs, attended, training=training), training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the input; Keras would trace the block to find out."""
        return input_shape


@keras.saving.register_keras_serializable("ann_keras")
class DecoderBlock(_Block):
    """Self-attention to the positions up to its own, attention to the encoder's memory, then the network.

    Args:
        width: units of input, memory and output.
        heads: of each attention.
        feed_forward: inner units of the network.
        dropout: of attention weights and of what each part adds, in training.
        norm: "pre" or "post", as of `Residual`.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    attentions = ("attention", "cross_attention")

    def call(self, inputs: Any, keys: Any, values: Any, visible: Any, training: bool | None = None) -> tuple[Any, Any]:
        """All positions at once.

        Args:
            inputs: float [b, T, width].
            keys: the memory's, as of `cross_attention.project`.
            values: likewise.
            visible: bool [b, S]: where a token of the source stands.
            training: whether dropout is at work.

        Returns:
            The output, float [b, T, width], and the weights over the memory, float [b, heads, T, S].
        """
        around = self.around_attention
        places = ops.arange(ops.shape(inputs)[1])
        attended = self.attention(around.enter(inputs), visible=places[None, :] <= places[:, None], training=training)
        x = around(inputs, attended, training=training)
        x, weights = self._cross(x, keys, values, visible, training)
        return self.finish(x, training), weights

    def step(
        self, inputs: Any, position: Any, memory: tuple[Any, Any, Any], caches: tuple[Any, Any]
    ) -> tuple[Any, Any, tuple[Any, Any]]:
        """One position, given those before.

        Args:
            inputs: float [b, width].
            position: int32 [].
            memory: its keys, its values and its mask, as in `call`.
            caches: keys and values of the positions before, as of `attention.caches`.

        Returns:
            The output, float [b, width]; the weights over the memory, float [b, heads, S]; and the new caches.
        """
        around = self.around_attention
        attended, keys, values = self.attention.step(around.enter(inputs), position, *caches)
        x = around(inputs, attended)
        x, weights = self._cross(ops.expand_dims(x, 1), *memory)
        return ops.squeeze(self.finish(x), 1), ops.squeeze(weights, 2), (keys, values)

    def _cross(self, x: Any, keys: Any, values: Any, visible: Any, training: bool | None = None) -> tuple[Any, Any]:
        around = self.around_cross_attention
        attended, weights = self.cross_attention.attend(around.enter(x), keys, values, visible[:, None, None], training)
        return around(x, attended, training=training), weights
