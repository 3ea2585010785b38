"""SegNet: what the encoder pools, the decoder puts back exactly where its maxima stood.

Badrinarayanan, Kendall and Cipolla 2017, SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image
Segmentation, section 3: each encoder convolves, normalises its batch, rectifies, and pools with switches; the decoder
of the same level unpools by them and convolves the sparse maps into dense ones, without a rectifier at its end. The
default is SegNet-Basic (section 3.1): four levels of one 7x7 convolution without bias and equally many features
throughout, here 32 in place of 64.

Deviation: no local contrast normalisation of the image.

Run it with `ann run segnet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from ann_keras.layers.upsampling import MaxPoolingWithSwitches, MaxUnpooling
from ann_keras.settings import Training, setting
from ann_keras.task import Feature

TASKS = ("semantic_segmentation",)


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    width: int = setting(32, "features of each convolution", low=1, high=1024, search=(16, 32, 64))
    depth: int = setting(4, "poolings", low=1, high=8, search=(3, 4, 5))
    convolutions: int = setting(1, "of each encoder, and of each decoder", low=1, high=8)
    kernel: int = setting(7, "side of a convolution in pixels", low=1, high=15, search=(3, 5, 7))


TINY = Config(width=8, depth=2, kernel=3)
TRAINING = Training(epochs=60, batch_size=4, learning_rate=2e-3, decay="cosine", patience=15)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels], of any size from one pixel; an odd row or column is
            pooled as a partial block.
        outputs: logits, float32 [batch, height, width, classes].
    """
    x = inputs["image"]
    pooled = []
    for level in range(config.depth):
        x = _encoded(x, config, level)
        before = x
        x, switches = MaxPoolingWithSwitches(2, name=f"pool{level}")(x)
        pooled.append((before, switches))
    for level in reversed(range(config.depth)):
        before, switches = pooled[level]
        x = MaxUnpooling(2, name=f"unpool{level}")([x, switches], like=before)
        x = _decoded(x, config, level)
    logits = keras.layers.Conv2D(outputs.shape[-1], 1, name="scores")(x)
    return keras.Model(inputs, logits, name="segnet")


def _encoded(x: Any, config: Config, level: int) -> Any:
    for step in range(config.convolutions):
        name = f"encoder{level}_{step}"
        x = keras.layers.ReLU(name=f"{name}_relu")(_normalised(x, config, name))
    return x


def _decoded(x: Any, config: Config, level: int) -> Any:
    for step in range(config.convolutions):
        name = f"decoder{level}_{step}"
        x = _normalised(x, config, name)
        if step < config.convolutions - 1:
            x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return x


def _normalised(x: Any, config: Config, name: str) -> Any:
    """A convolution without bias, then batch normalisation. The weights start from He et al. 2015 (section 3.1)."""
    x = keras.layers.Conv2D(
        config.width, config.kernel, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)
    return keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_normalisation")(x)
