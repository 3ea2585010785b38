"""What the recurrent translators have in common: their settings, the encoder, and cells for a decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from ann_keras.layers.recurrent_decoder import RecurrentDecoder
from ann_keras.layers.token_embedding import TokenEmbedding
from ann_keras.settings import Training, setting

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


@dataclass(frozen=True)
class Config:
    """Settings of both."""

    width: int = setting(
        256, "units of a token's vector and of each cell, even", low=2, high=4096, search=(128, 256, 512)
    )
    depth: int = setting(1, "cells on top of one another, in encoder and decoder", low=1, high=16, search=(1, 2))
    cell: str = setting("lstm", "kind of the cells", choices=tuple(LAYERS))
    bidirectional: bool = setting(True, "whether half of the encoder's units read backwards")
    reverse: bool = setting(False, "whether the encoder reads the source from its end")
    dropout: float = setting(0.2, "share of units left out in training", low=0, high=0.95, search=(0.1, 0.2, 0.3))
    sampling: float = setting(
        0.0,
        "probability, in training, that the decoder is told its own token before and not the true one",
        low=0,
        high=1,
    )
    tie: str = setting("target", "whose embedding also tells the next token", choices=("none", "target"))


TRAINING = Training(epochs=10, patience=10, learning_rate=2e-3, decay="cosine", warmup=200, clip_norm=5.0)


def encode(config: Config, source: Any, vocabulary: int) -> tuple[Any, Any, list[Any]]:
    """The encoder.

    Args:
        config: the settings.
        source: int32 [b, S], ids, then zeros.
        vocabulary: V.

    Returns:
        The outputs, float [b, S, width]; where a token stands, bool [b, S]; and the states that the decoder's cells
        start with, float [b, width] each: those after the last token, with both directions side by side.

    Raises:
        ValueError: where an odd width is to be parted into two directions.
    """
    if config.bidirectional and config.width % 2:
        raise ValueError(f"width={config.width}: expected an even number, a half for each direction")
    visible = ops.not_equal(source, 0)
    x = TokenEmbedding(vocabulary, config.width, name="source_embedding")(source)
    read = visible
    if config.reverse:
        x, read = ops.flip(x, axis=1), ops.flip(visible, axis=1)
    states: list[Any] = []
    for number in range(1, config.depth + 1):
        x = keras.layers.Dropout(config.dropout, noise_shape=(None, 1, None), name=f"encoder_dropout{number}")(x)
        units = config.width // 2 if config.bidirectional else config.width
        layer: Any = LAYERS[config.cell](units, return_sequences=True, return_state=True, name=f"encoder{number}")
        if config.bidirectional:
            x, *ends = keras.layers.Bidirectional(layer, name=f"encoder{number}")(x, mask=read)
            half = len(ends) // 2
            ends = [ops.concatenate(pair, axis=-1) for pair in zip(ends[:half], ends[half:], strict=True)]
        else:
            x, *ends = layer(x, mask=read)
        states.extend(ends)
    return ops.flip(x, axis=1) if config.reverse else x, visible, states


def decoder(config: Config, vocabulary: int, score: str | None = None, feeding: bool = False) -> RecurrentDecoder:
    """The decoder, without attention where `score` is None; the arguments are those of `RecurrentDecoder`."""
    return RecurrentDecoder(
        vocabulary,
        config.width,
        config.depth,
        config.cell,
        score,
        feeding,
        config.sampling,
        config.dropout,
        config.tie,
        name="decoder",
    )
