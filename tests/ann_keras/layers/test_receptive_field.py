"""Receptive fields by hand, and against what a perturbed pixel changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from ann_keras.layers.borders import CentreCrop, CropLike, MirrorPadding
from ann_keras.layers.receptive_field import ReceptiveField, receptive_field
from ann_keras.layers.upsampling import (
    BedOfNails,
    BilinearTransposedConvolution,
    MaxPoolingWithSwitches,
    MaxUnpooling,
    NearestUpsampling,
)

POSITIVE = {"kernel_initializer": keras.initializers.RandomUniform(0.1, 1, seed=0)}
"""Positive weights: no change cancels another."""


def network(of: Callable[[Any], Any]) -> keras.Model:
    image = keras.Input((None, None, 1))
    return keras.Model(image, of(image))


def conv(size: int = 3, **arguments: Any) -> keras.layers.Layer:
    return layers.Conv2D(1, size, **{"padding": "same", **POSITIVE, **arguments})


def unet(x: Any) -> Any:
    fine = conv(padding="valid")(MirrorPadding(6, multiple=2)(x))
    coarse = conv(padding="valid")(layers.AveragePooling2D(2)(fine))
    up = layers.Conv2DTranspose(1, 2, 2, **POSITIVE)(coarse)
    joined = layers.Concatenate()([CentreCrop()([fine, up]), up])
    return CropLike(2)([conv(padding="valid")(joined), x])


def nested(x: Any) -> Any:
    inner = network(lambda y: layers.Add()([conv()(y), conv(5)(y)]))
    return layers.ReLU()(inner(inner(x)))


def unpooled(x: Any) -> Any:
    pooled, switches = MaxPoolingWithSwitches(2)(x)
    return MaxUnpooling(2)([conv()(pooled), switches], like=x)


PIXELWISE = {
    "dilated": lambda x: conv(dilation_rate=4)(x),
    "separable": lambda x: layers.SeparableConv2D(1, 3, padding="same")(layers.DepthwiseConv2D(5, padding="same")(x)),
    "unet": unet,
    "nested": nested,
    "bilinear": lambda x: BilinearTransposedConvolution(1, 4)(layers.AveragePooling2D(4)(x)),
    "interpolated": lambda x: layers.UpSampling2D(4, interpolation="bilinear")(layers.AveragePooling2D(4)(x)),
    "odd": lambda x: NearestUpsampling(3)(conv()(layers.AveragePooling2D(3)(x))),
    "nails": lambda x: conv()(BedOfNails(2)(layers.AveragePooling2D(2)(conv()(x)))),
    "strided": lambda x: layers.Conv2DTranspose(1, 3, 2, padding="same", **POSITIVE)(conv(strides=2)(x)),
    "padded": lambda x: layers.Cropping2D(((3, 1), (3, 1)))(conv(3)(layers.ZeroPadding2D(((3, 1), (3, 1)))(x))),
    "unpooled": unpooled,
    "mirrored": lambda x: layers.UpSampling2D(4)(
        conv(padding="valid")(MirrorPadding(1)(layers.AveragePooling2D(4)(x)))
    ),
    "operations": lambda x: ops.relu(conv()(x)) + x,
}
"""Networks whose output has the image's size where that is a multiple of 12."""


def changes(model: keras.Model, size: int = 48) -> np.ndarray:
    """bool [output, pixel] along the diagonal: whether a pixel's value changes that of the output."""
    plain = np.random.default_rng(0).uniform(1, 2, (1, size, size, 1)).astype("float32")
    images = np.repeat(plain, size + 1, axis=0)
    images[np.arange(size), np.arange(size), np.arange(size)] += 3
    answers = ops.convert_to_numpy(model(images))[..., 0]
    moved = np.abs(answers[:-1] - answers[-1]) > 1e-6
    # a row changes where any of its pixels does: kernels are separable or positive throughout
    return moved.any(axis=2).T


@pytest.mark.parametrize("name", PIXELWISE)
def test_no_pixel_beyond_the_margin_matters_and_shifts_carry_over(name: str) -> None:
    model = network(PIXELWISE[name])
    field = receptive_field(model)
    moved = changes(model)
    far = np.subtract.outer(np.arange(48), np.arange(48))
    assert moved.shape == (48, 48) and moved.any()
    assert not moved[np.abs(far) > field.margin].any()
    assert 48 % field.stride == 0 and field.size <= 2 * field.margin + 1
    x = np.random.default_rng(1).normal(size=(1, 48, 48, 1)).astype("float32")
    plain, shifted = (ops.convert_to_numpy(model(y)) for y in (x, np.roll(x, field.stride, axis=(1, 2))))
    away = slice(field.margin + field.stride, 48 - field.margin - field.stride)
    expected = np.roll(plain, field.stride, axis=(1, 2))
    np.testing.assert_allclose(shifted[:, away, away], expected[:, away, away], atol=1e-5)


@pytest.mark.parametrize("name", ["dilated", "unet", "nested", "bilinear", "odd", "padded", "operations"])
def test_the_margin_is_no_larger_than_needed(name: str) -> None:
    model = network(PIXELWISE[name])
    output, pixel = np.nonzero(changes(model))
    assert np.abs(output - pixel).max() == receptive_field(model).margin


def test_by_hand() -> None:
    """Three convolutions of 3 see 7; a pooling doubles what lies behind it: 3 + 1 + 2 * 2 = 8; a heat map's stride."""
    assert receptive_field(network(lambda x: conv()(conv()(conv()(x))))) == ReceptiveField(1, 3, 7)
    pooled = network(lambda x: conv(padding="valid")(layers.MaxPooling2D(2)(conv(padding="valid")(x))))
    assert receptive_field(pooled) == ReceptiveField(2, 7, 8)
    assert str(receptive_field(pooled)) == "size 8x8, stride 2"
    # phases: x[0], x[1] of a block of 2 read the same block
    assert receptive_field(network(PIXELWISE["odd"])) == ReceptiveField(3, 5, 9)


def test_padding_of_a_stride_depends_on_a_size_that_may_be_known() -> None:
    """Kernel 3, stride 2: none before the first of an even number of pixels, one before the first of an odd one."""
    fields = []
    for size in (8, 7, None):
        image = keras.Input((size, size, 1))
        fields.append(receptive_field(keras.Model(image, conv(strides=2)(image))))
    assert fields == [ReceptiveField(2, 2, 3), ReceptiveField(2, 1, 3), ReceptiveField(2, 2, 4)]


@pytest.mark.parametrize(
    "layer",
    [layers.GlobalAveragePooling2D(name="it"), layers.Flatten(name="it"), layers.GroupNormalization(1, name="it")],
)
def test_a_layer_that_reads_the_whole_image_is_named(layer: keras.layers.Layer) -> None:
    image = keras.Input((8, 8, 1))
    with pytest.raises(ValueError, match=r"it \(.*\) reads the whole image"):
        receptive_field(keras.Model(image, layer(image)))


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(ValueError, match=r"it \(RandomFlip\): not known what it reads"):
        receptive_field(network(layers.RandomFlip(name="it")))
