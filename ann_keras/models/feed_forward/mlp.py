"""A multi-layer perceptron: hidden layers of rectified units between the pixels and the scores.

Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors; the hidden units are
rectifiers (Glorot, Bordes and Bengio 2011, section 3) with the initialisation of He et al. 2015 (eq. 10), and dropout
(Srivastava et al. 2014, section 4) in place of weight decay.

Run it with `ann run mlp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from ann_keras.settings import Range, Training, setting
from ann_keras.task import Feature

TASKS = ("image_classification",)


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    units: int = setting(256, "units of each hidden layer", low=1, high=65536, search=(64, 128, 256, 512))
    depth: int = setting(2, "hidden layers", low=1, high=64, search=(1, 2, 3))
    dropout: float = setting(
        0.2, "share of hidden units left out in training", low=0, high=0.95, search=Range(0.0, 0.5)
    )


TINY = Config(units=32, depth=1, dropout=0.0)
TRAINING = Training(epochs=60, batch_size=128, learning_rate=1e-3)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels].
        outputs: logits, float32 [batch, classes].
    """
    x = keras.layers.Flatten(name="flatten")(inputs["image"])
    for number in range(1, config.depth + 1):
        x = keras.layers.Dense(config.units, activation="relu", kernel_initializer="he_normal", name=f"hidden{number}")(
            x
        )
        x = keras.layers.Dropout(config.dropout, name=f"dropout{number}")(x)
    logits = keras.layers.Dense(outputs.shape[0], name="scores")(x)
    return keras.Model(inputs, logits, name="mlp")
