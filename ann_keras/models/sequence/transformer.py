"""The Transformer: encoder and decoder of attention alone, without recurrence, so that all positions train at once.

Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin 2017, Attention is all you need: section 3 is
the network, section 5.3 the optimiser with its warm-up, section 5.4 dropout (of embeddings and sub-layers; here also of
the attention's weights). The width is that of a small corpus, a quarter of the paper's base model.

Deviations: by default the normalisations stand before the sub-layers (Xiong et al. 2020, On layer normalization in the
Transformer architecture) rather than after them, and one more stands at the end of either stack; after its warm-up the
step size falls along a cosine (`decay=inverse_sqrt` is the paper's way); source and target share embeddings only
with tie=all, which wants one vocabulary, joint=true. Decoding keeps keys and values of all positions before, so that
a token costs one row of attention.

Run it with `ann run transformer`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from ann_keras.layers.positions import LearnedPositions, SinusoidalPositions
from ann_keras.layers.positionwise import PositionwiseDense
from ann_keras.layers.step_decoder import StepDecoder
from ann_keras.layers.token_embedding import TokenEmbedding
from ann_keras.layers.transformer_blocks import DecoderBlock, EncoderBlock
from ann_keras.settings import Training, setting
from ann_keras.task import Feature

TASKS = ("sequence_to_sequence",)


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    width: int = setting(
        128, "units of a token, d_model: a multiple of heads, even", low=2, high=4096, search=(128, 256)
    )
    depth: int = setting(3, "layers of the encoder, and of the decoder", low=1, high=64, search=(2, 3, 4))
    heads: int = setting(4, "of each attention", low=1, high=64, search=(2, 4, 8))
    feed_forward: int = setting(512, "inner units of the network at every position", low=1, high=65536)
    dropout: float = setting(0.1, "share of units left out in training", low=0, high=0.95, search=(0.1, 0.2, 0.3))
    norm: str = setting("pre", "layer normalisation before or after each sub-layer", choices=("pre", "post"))
    positions: str = setting("sinusoidal", "how a position is told", choices=("sinusoidal", "learned"))
    longest: int = setting(512, "positions that are learned; max_length must not be above", low=1, high=65536)
    tie: str = setting(
        "target",
        "whose embedding also tells the next token: none, the target's, or one of source and target, with joint=true",
        choices=("none", "target", "all"),
    )


TINY = Config(width=16, depth=1, heads=2, feed_forward=32, dropout=0.0)
TRAINING = Training(epochs=6, learning_rate=2e-3, decay="cosine", warmup=200, beta_2=0.98)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "source": int32 [batch, S], "target_input": int32 [batch, T]; ids, then zeros.
        outputs: logits, float32 [batch, T, V].

    Raises:
        ValueError: where the width is odd or no multiple of the heads.
    """
    vocabulary = int(outputs.shape[-1] or 0)
    source = inputs["source"]
    visible = ops.not_equal(source, 0)
    shared = config.tie == "all"
    embedding = TokenEmbedding(vocabulary, config.width, name="embedding" if shared else "source_embedding")
    x = _positions(config, "source_positions")(embedding(source))
    x = keras.layers.Dropout(config.dropout, name="source_dropout")(x)
    sizes = (config.width, config.heads, config.feed_forward, config.dropout, config.norm)
    for number in range(1, config.depth + 1):
        x = EncoderBlock(*sizes, name=f"encoder{number}")(x, visible=visible)
    if config.norm == "pre":
        x = keras.layers.LayerNormalization(epsilon=1e-6, name="encoder_normalisation")(x)
    decoder = TransformerDecoder(vocabulary, dataclasses.asdict(config), embedding if shared else None, name="decoder")
    return keras.Model(inputs, decoder([inputs["target_input"], x, visible]), name="transformer")


def _positions(config: Config, name: str) -> Any:
    if config.positions == "learned":
        return LearnedPositions(config.longest, name=name)
    return SinusoidalPositions(config.width, name=name)


@keras.saving.register_keras_serializable("ann_keras")
class TransformerDecoder(StepDecoder):
    """The decoder of section 3.1, from the ids of the target to logits.

    Its memory is the encoder's output, float [b, S, width], and bool [b, S], true where a token stands. The constants
    of `begin` are the mask and, of each layer, keys and values of the memory, [b, heads, S, width / heads]; its state
    is keys and values of each layer's own positions, [b, heads, steps, width / heads].

    Args:
        vocabulary: V, number of tokens.
        settings: the fields of `Config`.
        embedding: the layer that the encoder uses too; None to have one of its own.
        **kwargs: further arguments of `keras.layers.Layer`.
    """

    def __init__(
        self, vocabulary: int, settings: Mapping[str, Any], embedding: TokenEmbedding | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary, self.settings, self.shared = vocabulary, dict(settings), embedding is not None
        config = Config(**settings)
        self.embedding = embedding or TokenEmbedding(vocabulary, config.width, name="embedding")
        self.positions = _positions(config, "positions")
        self.dropout = keras.layers.Dropout(config.dropout, name="dropout")
        sizes = (config.width, config.heads, config.feed_forward, config.dropout, config.norm)
        self.blocks = [DecoderBlock(*sizes, name=f"layer{number}") for number in range(1, config.depth + 1)]
        self.normalisation = (
            keras.layers.LayerNormalization(epsilon=1e-6, name="normalisation") if config.norm == "pre" else None
        )
        self.projection = (
            PositionwiseDense(vocabulary, use_bias=False, name="projection") if config.tie == "none" else None
        )

    def build(self, input_shape: Any) -> None:
        """Makes the weights of the parts."""
        shape = (None, None, self.settings["width"])
        for part in (self.positions, *self.blocks, self.normalisation, self.projection):
            if part is not None:
                part.build(shape)
        if not self.embedding.built:
            self.embedding.build()

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        """Logits float32 [b, T, V]."""
        return self._logits(self._decoded(inputs, training)[0])

    def compute_output_spec(self, inputs: list[Any], training: bool | None = None) -> keras.KerasTensor:
        """Float32 [b, T, V]; Keras would trace the decoder to find out."""
        return keras.KerasTensor((*inputs[0].shape, self.vocabulary), "float32")

    def attend(self, inputs: list[Any]) -> Any:
        """The last layer's weights over the source, float32 [b, heads, T, S]."""
        return ops.cast(self._decoded(inputs, False)[1], "float32")

    def _decoded(self, inputs: list[Any], training: bool | None) -> tuple[Any, Any]:
        """What the last layer says, and where it looks."""
        target, memory, visible = inputs
        x = self.dropout(self.positions(self.embedding(target)), training=training)
        weights = None
        for block in self.blocks:
            keys, values = block.cross_attention.project(memory)
            x, weights = block(x, keys, values, visible, training=training)
        return x, weights

    def _logits(self, x: Any) -> Any:
        if self.normalisation is not None:
            x = self.normalisation(x)
        told = self.embedding.logits(x) if self.projection is None else self.projection(x)
        return ops.cast(told, "float32")

    def begin(self, memory: list[Any], steps: Any) -> tuple[list[Any], list[Any]]:
        """Projects the memory, and makes room for `steps` positions.

        Raises:
            ValueError: where positions are learned and `steps` is beyond the last.
        """
        self.positions.check(steps)
        encoded, visible = memory
        constants, state = [visible], []
        for block in self.blocks:
            constants.extend(block.cross_attention.project(encoded))
            state.extend(block.attention.caches(ops.shape(encoded)[0], steps))
        return constants, state

    def step(self, token: Any, position: Any, constants: list[Any], state: list[Any]) -> tuple[Any, Any, list[Any]]:
        """One token further: logits, float32 [b, V]; the last layer's weights, float32 [b, heads, S]; the state."""
        x = self.positions.at(self.embedding(token), position)
        visible, *projected = constants
        weights: Any = None
        written: list[Any] = []
        for number, block in enumerate(self.blocks):
            own = slice(2 * number, 2 * number + 2)
            x, weights, caches = block.step(x, position, (*projected[own], visible), tuple(state[own]))
            written.extend(caches)
        return self._logits(x), ops.cast(weights, "float32"), written

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        embedding = keras.saving.serialize_keras_object(self.embedding) if self.shared else None
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary,
            "settings": self.settings,
            "embedding": embedding,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TransformerDecoder:
        """The decoder of a configuration; an embedding that is shared stays so in a .keras file."""
        if config["embedding"] is not None:
            config = {**config, "embedding": keras.saving.deserialize_keras_object(config["embedding"])}
        return cls(**config)
