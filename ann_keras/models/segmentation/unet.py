"""U-Net: a contracting path that finds what is there, and an expanding one that puts it back where it was.

Ronneberger, Fischer and Brox 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation, section 2 and
figure 1: two 3x3 convolutions a level, 2x2 max pooling after which the features double, 2x2 up-convolutions that halve
them, and at each level the concatenation with what the contracting path had there. `padding=valid`, `width=64` and
`batch_norm=false` make it the paper's net of 23 convolutions, with mirrored borders (the overlap-tile strategy, figure
2) so that the answer is as large as the image.

Deviations: by default the convolutions are padded with zeros, so that little is computed outside the image, each has
batch normalisation (Ioffe and Szegedy 2015, section 3.2), and there are 16 features in place of 64 on the first level.
Weights of neurons without a rectifier have half the paper's variance.

Run it with `ann run unet`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras

from ann_keras.layers.borders import CentreCrop, CropLike, MirrorPadding
from ann_keras.layers.monte_carlo_dropout import MonteCarloDropout
from ann_keras.layers.upsampling import NearestUpsampling
from ann_keras.settings import Training, setting
from ann_keras.task import Feature

TASKS = ("semantic_segmentation",)


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    width: int = setting(16, "features of the first level; each pooling doubles them", low=1, high=1024,
                         search=(8, 16, 32))  # fmt: skip
    depth: int = setting(4, "poolings", low=1, high=8, search=(2, 3, 4))
    padding: str = setting(
        "same",
        "same: zeros around each map; valid: none, the image's own borders mirrored outwards, as in the paper",
        choices=("same", "valid"),
    )
    up: str = setting(
        "transposed",
        "transposed: a 2x2 up-convolution; nearest: a 1x1 convolution whose answers are repeated",
        choices=("transposed", "nearest"),
    )
    batch_norm: bool = setting(True, "batch normalisation of each convolution; the paper has none")
    dropout: float = setting(
        0.2, "share left out at the end of the contracting path", low=0, high=0.95, search=(0.0, 0.2, 0.5)
    )


TINY = Config(width=4, depth=2, dropout=0.0)
TRAINING = Training(epochs=14, batch_size=4, learning_rate=2e-3, decay="cosine", patience=14)
"""For some thousand images; a few dozen want 60 epochs and more."""


def margin(depth: int) -> int:
    """Pixels that a border loses to unpadded convolutions on the way down and up again: 92 for the paper's depth of 4.

    Two 3x3 convolutions take 2 pixels off each side. At the bottom that is all; every level above takes 2 before its
    pooling and 2 after its up-convolution, and sees what its inside loses doubled: m(0) = 2, m(d) = 2 m(d - 1) + 4.
    """
    return 6 * 2**depth - 4


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels], of any size from one pixel.
        outputs: logits, float32 [batch, height, width, classes].
    """
    image = inputs["image"]
    x = _surrounded(image, config)
    skips = []
    for level in range(config.depth):
        x = _convolutions(x, config, level, "down")
        skips.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"pool{level}")(x)
    x = _convolutions(x, config, config.depth, "bottom")
    for level in reversed(range(config.depth)):
        x = _upsampled(x, config, level)
        skip = skips[level]
        if config.padding == "valid":
            skip = CentreCrop(name=f"crop{level}")([skip, x])
        x = keras.layers.Concatenate(name=f"skip{level}")([skip, x])
        x = _convolutions(x, config, level, "up")
    start = _gaussian(config.width, 1.0)
    x = keras.layers.Conv2D(outputs.shape[-1], 1, kernel_initializer=start, name="scores")(x)
    return keras.Model(inputs, CropLike(name="logits")([x, image]), name="unet")


def _surrounded(image: Any, config: Config) -> Any:
    """The image with what every pooling needs to find an even number of rows and columns, or the paper's margin."""
    stride = 2**config.depth
    if config.padding == "same":
        return MirrorPadding(0, stride, name="padding")(image)
    # A side of n pixels is even at each pooling where n + 4 is a multiple of the stride: 572 + 4 = 36 * 16.
    padded = MirrorPadding(margin(config.depth) + 2, stride, name="padding")(image)
    return keras.layers.Cropping2D(2, name="margin")(padded)


def _convolutions(x: Any, config: Config, level: int, path: str) -> Any:
    """Two 3x3 convolutions with rectifiers, and dropout at the end of the contracting path (section 3.1)."""
    features = config.width * 2**level
    for step in ("a", "b"):
        name = f"{path}{level}{step}"
        x = keras.layers.Conv2D(
            features,
            3,
            padding=config.padding,
            use_bias=not config.batch_norm,
            kernel_initializer=_gaussian(9 * x.shape[-1]),
            name=name,
        )(x)
        if config.batch_norm:
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"{name}_normalisation")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    if path != "up" and level >= config.depth - 1:
        x = MonteCarloDropout(config.dropout, name=f"dropout{level}")(x)
    return x


def _upsampled(x: Any, config: Config, level: int) -> Any:
    """Twice as high and wide, half as many features."""
    features = config.width * 2**level
    start = {"kernel_initializer": _gaussian(x.shape[-1], 1.0), "name": f"up{level}"}
    if config.up == "transposed":
        return keras.layers.Conv2DTranspose(features, 2, 2, **start)(x)
    return NearestUpsampling(2, name=f"up{level}_repeat")(keras.layers.Conv2D(features, 1, **start)(x))


def _gaussian(incoming: int, gain: float = 2.0) -> keras.initializers.Initializer:
    """Weights from N(0, gain / N), N the number of nodes that feed one neuron.

    A gain of 2 makes up for what the rectifier cuts off (section 3), so that neurons without one have 1.
    """
    return keras.initializers.RandomNormal(stddev=math.sqrt(gain / incoming))
