"""What the fully convolutional networks FCN-32s, FCN-16s and FCN-8s share: backbone, head, skips and upsampling.

Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation: a classifier whose dense
layers are convolutions answers a heat map at 1/32 of the image's size (section 3.1), which is upsampled inside the net
(section 3.3) and refined by the scores of finer maps (section 4.2). The backbone has the blocks of Simonyan and
Zisserman 2015 (Very deep convolutional networks for large-scale image recognition, table 1): 3x3 convolutions and a
pooling that halves the map, five times.

Deviations: the backbone is narrow, normalises its batches (Ioffe and Szegedy 2015) and starts from scratch in place of
ImageNet, and so does fc6 with 3x3 in place of 7x7 fields. The image is mirrored up to a multiple of 32 in place of 100
zeros around it, and heat maps do not fade at their borders where they are upsampled.

The layers have the same names in the three networks: `--init-from` carries their weights from one to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from ann_keras.layers.borders import CropLike, MirrorPadding
from ann_keras.layers.upsampling import BilinearTransposedConvolution
from ann_keras.settings import Training, setting

STRIDE = 32
"""Pixels of the image, along a side, for one of the coarsest heat map: five poolings."""

HEAT_MAPS = {"fcn32s": ("score", 32), "fcn16s": ("fuse_pool4", 16), "fcn8s": ("fuse_pool3", 8)}
"""The layer whose answer each network upsamples to the image, and its stride in pixels."""


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    width: int = setting(16, "filters of the first block; each further one has twice as many", low=1, high=1024,
                         search=(8, 16, 32))  # fmt: skip
    widest: int = setting(128, "filters of a block at most", low=1, high=4096)
    depth: int = setting(2, "3x3 convolutions of a block", low=1, high=8, search=(1, 2, 3))
    head: int = setting(256, "filters of fc6 and fc7", low=1, high=16384, search=(128, 256, 512))
    head_size: int = setting(3, "side of the fields of fc6 in pixels of the coarsest map; the paper's are 7", low=1,
                             high=15)  # fmt: skip
    dropout: float = setting(0.0, "share of the units of fc6 and fc7 left out in training; the paper's is 0.5", low=0,
                             high=0.95, search=(0.0, 0.25, 0.5))  # fmt: skip


TINY = Config(width=4, widest=16, depth=1, head=16)
TRAINING = Training(epochs=60, batch_size=8, learning_rate=2e-3, decay="cosine", patience=15)
MOMENTUM = 0.9
"""Of the moving averages of batch normalisation: an epoch of a small data set has a few dozen steps."""


@keras.saving.register_keras_serializable("ann_keras")
class ScoreUpsampling(BilinearTransposedConvolution):
    """A bilinear transposed convolution beyond whose borders the outermost scores go on, in place of zeros."""

    def call(self, inputs: Any) -> Any:
        """float [batch, height, width, filters] -> float [batch, factor height, factor width, filters]."""
        framed = ops.pad(inputs, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="symmetric")
        return super().call(framed)[:, self.factor : -self.factor, self.factor : -self.factor]


def backbone(config: Config, image: Any) -> dict[str, Any]:
    """The maps "pool3", "pool4" and "pool5" of an image, float32 [batch, height / stride, width / stride, filters], of
    strides 8, 16 and 32; sides are those of the image, rounded up to a multiple of 32.
    """
    x = MirrorPadding(0, multiple=STRIDE, name="frame")(image)
    pools = {}
    for block in range(1, 6):
        for number in range(1, config.depth + 1):
            filters = min(config.widest, config.width * 2 ** (block - 1))
            x = _convolution(x, filters, 3, f"block{block}_conv{number}")
        x = pools[f"pool{block}"] = keras.layers.MaxPooling2D(2, name=f"pool{block}")(x)
    return pools


def score(config: Config, pool5: Any, classes: int) -> Any:
    """The coarsest heat map, float32 [batch, height / 32, width / 32, classes]: fc6, fc7 and score as convolutions."""
    x = _convolution(pool5, config.head, config.head_size, "fc6")
    x = keras.layers.Dropout(config.dropout, name="fc6_dropout")(x)
    x = _convolution(x, config.head, 1, "fc7")
    x = keras.layers.Dropout(config.dropout, name="fc7_dropout")(x)
    return keras.layers.Conv2D(classes, 1, name="score")(x)


def fuse(heat_map: Any, pool: Any, name: str, upsampling: str) -> Any:
    """Adds the scores of a map twice as fine to a heat map, as large as the finer one (section 4.2).

    The new scores start at zero, so that the net starts with the answers of the coarser one.

    Args:
        heat_map: float32 [batch, height, width, classes].
        pool: float32 [batch, 2 height, 2 width, filters].
        name: of the pool.
        upsampling: the name of the layer that doubles the heat map: bilinear at first, and learned.
    """
    classes = heat_map.shape[-1]
    skip = keras.layers.Conv2D(classes, 1, kernel_initializer="zeros", name=f"score_{name}")(pool)
    doubled = ScoreUpsampling(classes, 2, name=upsampling)(heat_map)
    return keras.layers.Add(name=f"fuse_{name}")([doubled, skip])


def upsample(heat_map: Any, factor: int, image: Any) -> Any:
    """The logits of every pixel, float32 [batch, height, width, classes] of the image: bilinear interpolation, which is
    not learned (section 4.3). At the borders the outermost scores go on, and so no pixel fades.
    """
    x = keras.layers.UpSampling2D(factor, interpolation="bilinear", name=f"upscore{factor}")(heat_map)
    return CropLike(name="crop")([x, image])


def heat_map(model: keras.Model) -> tuple[keras.Model, int]:
    """The part of a network that ends at its heat map, and the stride of that in pixels, for `shift_and_stitch`.

    Raises:
        ValueError: for another network.
    """
    if model.name not in HEAT_MAPS:
        raise ValueError(f"{model.name} has no heat map; expected one of {', '.join(HEAT_MAPS)}")
    layer, stride = HEAT_MAPS[model.name]
    return keras.Model(model.inputs[0], model.get_layer(layer).output, name=f"{model.name}_heat_map"), stride


def _convolution(x: Any, filters: int, size: int, name: str) -> Any:
    x = keras.layers.Conv2D(
        filters, size, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )(x)  # fmt: skip
    x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
