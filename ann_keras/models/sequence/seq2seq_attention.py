"""An encoder and a decoder that looks back, for every token it writes, at the source's tokens.

Luong, Pham and Manning 2015, Effective approaches to attention-based neural machine translation, sections 3.1 and 3.3:
a bilinear score, the attentional vector, input feeding. Bahdanau, Cho and Bengio 2015, Neural machine translation by
jointly learning to align and translate: the additive score, and an encoder that reads in both directions.

Deviations: the score is the same whichever the cells; one layer by default, and the embedding of the target also tells
the next token.

Run it with `ann run seq2seq_attention`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from ann_keras.layers.alignment import SCORES
from ann_keras.models.sequence import recurrent
from ann_keras.models.sequence.recurrent import TRAINING
from ann_keras.settings import setting
from ann_keras.task import Feature

__all__ = ["TASKS", "TINY", "TRAINING", "Config", "build"]

TASKS = ("sequence_to_sequence",)


@dataclass(frozen=True)
class Config(recurrent.Config):
    """Settings of the model."""

    score: str = setting("bilinear", "of a source position: h_t' W h_s, or v' tanh(W1 h_t + W2 h_s)", choices=SCORES)
    feeding: bool = setting(True, "whether the attentional vector is fed to the next step")


TINY = Config(width=64, dropout=0.0)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "source": int32 [batch, S], "target_input": int32 [batch, T]; ids, then zeros.
        outputs: logits, float32 [batch, T, V].

    Raises:
        ValueError: where the width is odd and the encoder reads in both directions.
    """
    vocabulary = int(outputs.shape[-1] or 0)
    encoded, visible, states = recurrent.encode(config, inputs["source"], vocabulary)
    decoder = recurrent.decoder(config, vocabulary, config.score, config.feeding)
    return keras.Model(inputs, decoder([inputs["target_input"], visible, encoded, *states]), name="seq2seq_attention")
