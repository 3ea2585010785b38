"""Shift-and-stitch against the same net without strides, its kernels dilated, and by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras.models.segmentation.stitching import shift_and_stitch


def nets() -> tuple[keras.Model, keras.Model]:
    """A net with two poolings, and its dense form with the same weights."""
    coarse, dense = keras.Input((None, None, 2)), keras.Input((None, None, 2))
    x, y = coarse, dense
    for number, dilation in enumerate((1, 2, 4)):
        more = {"padding": "same", "activation": "relu"} if number < 2 else {"padding": "same"}
        x = keras.layers.Conv2D(3, 3, name=f"conv{number}", **more)(x)
        y = keras.layers.Conv2D(3, 3, dilation_rate=dilation, name=f"conv{number}", **more)(y)
        if number < 2:
            x = keras.layers.MaxPooling2D(2)(x)
            shifted = keras.layers.Lambda(lambda z, d=dilation: tf.stack(_corners(z, d)))(y)
            y = keras.layers.Lambda(lambda z: tf.reduce_max(z, axis=0))(shifted)
    models = keras.Model(coarse, x), keras.Model(dense, y)
    models[1].set_weights(models[0].get_weights())
    return models


def _corners(z: tf.Tensor, d: int) -> list[tf.Tensor]:
    padded = tf.pad(z, [(0, 0), (0, d), (0, d), (0, 0)])
    height, width = tf.shape(z)[1], tf.shape(z)[2]
    return [padded[:, i : i + height, j : j + width] for i in (0, d) for j in (0, d)]


@pytest.mark.parametrize("size", [(40, 48), (41, 47)], ids=str)
def test_it_equals_dense_evaluation_away_from_borders(size: tuple[int, int]) -> None:
    keras.utils.set_random_seed(0)
    coarse, dense = nets()
    image = tf.random.normal((2, *size, 2))
    stitch = tf.function(
        lambda image: shift_and_stitch(coarse, image, 4), input_signature=[tf.TensorSpec((None, None, None, 2))]
    )
    found, expected = stitch(image).numpy(), dense(image).numpy()
    assert found.shape == expected.shape == (2, *size, 3)
    # The window of 4 x 4 that the dense net answers at a pixel begins there; that of the stitched one 2 before.
    np.testing.assert_allclose(found[:, 16:-14, 16:-14], expected[:, 14:-16, 14:-16], atol=1e-5)
    assert np.abs(expected[:, 14:-16, 14:-16]).max() > 0.1


def test_by_hand() -> None:
    """The mean of pairs: pixel i is answered by the pair (i - 1, i), mirrored before the first."""
    image = np.array([0.0, 2.0, 4.0, 10.0, 20.0], "float32").reshape(1, 1, 5, 1)
    found = shift_and_stitch(lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"), image, 2)
    np.testing.assert_allclose(found[0, 0, :, 0], [1.0, 1.0, 3.0, 7.0, 15.0])


def test_the_images_of_one_pixel_and_a_factor_of_one() -> None:
    pixel = np.full((2, 1, 1, 3), 5.0, "float32")
    assert shift_and_stitch(lambda x: tf.nn.avg_pool2d(x, 8, 8, "VALID"), pixel, 8).numpy() == pytest.approx(pixel)
    image = np.random.default_rng(0).normal(size=(1, 3, 4, 2)).astype("float32")
    assert shift_and_stitch(lambda x: x, image, 1).numpy() == pytest.approx(image)
    with pytest.raises(ValueError, match="factor=0: expected at least 1"):
        shift_and_stitch(lambda x: x, image, 0)
