"""A network in network that answers at every pixel: only convolutions, no pooling, and so only a small field of view.

Lin, Chen and Yan 2014, Network In Network, section 3.1: an mlpconv layer is a spatial convolution and two 1x1 ones,
each followed by a rectifier, which is a small perceptron slid over the image. The last layer has one map for each class
(section 3.2); without the global average of that section each pixel keeps its own answer. It is the baseline that shows
what pooling is for: a pixel's answer depends on a square of `layers` (`kernel` - 1) + 1 pixels and on nothing else.

Deviations: the last maps are logits, without a rectifier; weights from He et al. 2015 (Delving deep into rectifiers,
eq. 10); padding with zeros; no max pooling between the mlpconv layers.

Run it with `ann run nin_segmenter`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from ann_keras.layers.monte_carlo_dropout import MonteCarloDropout
from ann_keras.settings import Training, setting
from ann_keras.task import Feature

TASKS = ("semantic_segmentation",)


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    width: int = setting(32, "features of each convolution", low=1, high=1024, search=(16, 32, 64))
    layers: int = setting(4, "mlpconv layers", low=1, high=32, search=(3, 4, 6))
    kernel: int = setting(5, "side of their spatial convolutions in pixels, odd",
                          choices=(1, 3, 5, 7, 9, 11, 13, 15), search=(3, 5, 7))  # fmt: skip
    dropout: float = setting(
        0.0, "share left out between the mlpconv layers (section 4.1)", low=0, high=0.95, search=(0.0, 0.2, 0.5)
    )


TINY = Config(width=8, layers=2)
TRAINING = Training(epochs=60, batch_size=4, learning_rate=2e-3, decay="cosine", patience=15)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels], of any size from one pixel.
        outputs: logits, float32 [batch, height, width, classes].
    """
    x = inputs["image"]
    for layer in range(config.layers):
        if layer > 0:
            x = MonteCarloDropout(config.dropout, name=f"dropout{layer}")(x)
        last = layer == config.layers - 1
        x = _convolution(x, config.width, config.kernel, f"mlpconv{layer}_spatial")
        x = _convolution(x, config.width, 1, f"mlpconv{layer}_a")
        if not last:
            x = _convolution(x, config.width, 1, f"mlpconv{layer}_b")
    logits = keras.layers.Conv2D(outputs.shape[-1], 1, name="scores")(x)
    return keras.Model(inputs, logits, name="nin_segmenter")


def field(config: Config) -> int:
    """The side, in pixels, of the square that a pixel's answer depends on."""
    return config.layers * (config.kernel - 1) + 1


def remarks(history: Mapping[str, Sequence[float]], config: Config) -> list[str]:
    """One line on the receptive field.

    Args:
        history: one value per epoch by name; not read.
        config: the settings.
    """
    side = field(config)
    return [
        f"receptive field: each pixel's class was decided from {side}x{side} pixels ({config.layers} convolutions of "
        f"{config.kernel}x{config.kernel}, no pooling)"
    ]


def _convolution(x: Any, features: int, side: int, name: str) -> Any:
    """A convolution with a rectifier."""
    return keras.layers.Conv2D(
        features, side, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )(x)
