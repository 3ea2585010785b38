"""An encoder that reads a sequence into one vector, and a decoder that writes another one from it.

Sutskever, Vinyals and Le 2014, Sequence to sequence learning with neural networks, section 2: stacked LSTMs, the last
states of one are the first of the other. In training the decoder is told the true tokens before, at work its own.

Deviations: the encoder reads in both directions by default (`bidirectional=false` and `reverse=true` are the paper's
way, section 3.3), the embedding of the target also tells the next token, and there is dropout.

Run it with `ann run seq2seq`.
"""

from __future__ import annotations

from typing import Any

import keras

from ann_keras.models.sequence import recurrent
from ann_keras.models.sequence.recurrent import TRAINING, Config
from ann_keras.task import Feature

__all__ = ["TASKS", "TINY", "TRAINING", "Config", "build"]

TASKS = ("sequence_to_sequence",)
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
    _, visible, states = recurrent.encode(config, inputs["source"], vocabulary)
    decoder = recurrent.decoder(config, vocabulary)
    return keras.Model(inputs, decoder([inputs["target_input"], visible, *states]), name="seq2seq")
