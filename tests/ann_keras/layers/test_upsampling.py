"""Upsampling by hand, its sizes, its gradients and its inverse."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ann_keras.layers.upsampling import (
    BedOfNails,
    BilinearTransposedConvolution,
    MaxPoolingWithSwitches,
    MaxUnpooling,
    NearestUpsampling,
    bilinear_kernel,
)

SIDES = st.integers(1, 9)


def image(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, "float32")[None, :, :, None]


def rows(tensor: object) -> list[list[float]]:
    return ops.convert_to_numpy(tensor)[0, :, :, 0].tolist()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_copies_and_nails_by_hand() -> None:
    x = image([[1, 2], [3, 4]])
    assert rows(NearestUpsampling(2)(x)) == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert rows(BedOfNails(2)(x)) == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]


def test_max_unpooling_by_hand() -> None:
    x = image([[1, 2, 6, 3], [3, 5, 2, 1], [1, 2, 2, 1], [7, 3, 4, 8]])
    pooled, switches = MaxPoolingWithSwitches(2)(x)
    assert rows(pooled) == [[5, 6], [7, 8]]
    assert rows(switches) == [[3, 0], [2, 3]]
    other = image([[1, 2], [3, 4]])
    assert rows(MaxUnpooling(2)([other, switches])) == [[0, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0], [3, 0, 0, 4]]


def test_of_equal_values_the_first_and_a_partial_block() -> None:
    pooled, switches = MaxPoolingWithSwitches(2)(image([[-1, -1, -3], [-1, -1, -2], [-5, -4, -6]]))
    assert rows(pooled) == [[-1, -2], [-4, -6]]
    assert rows(switches) == [[0, 2], [1, 0]]
    restored = MaxUnpooling(2)([pooled, switches], like=np.zeros((1, 3, 3, 7)))
    assert rows(restored) == [[-1, 0, 0], [0, 0, -2], [0, -4, -6]]


def test_a_transposed_convolution_by_hand() -> None:
    """Output y takes x[i] times kernel[y - 2 i] (Dumoulin and Visin 2016, chapter 4): 3x3 ones, stride 2."""
    layer = keras.layers.Conv2DTranspose(1, 3, 2, kernel_initializer="ones")
    expected = [[1, 1, 3, 2, 2], [1, 1, 3, 2, 2], [4, 4, 10, 6, 6], [3, 3, 7, 4, 4], [3, 3, 7, 4, 4]]
    assert rows(layer(image([[1, 2], [3, 4]]))) == expected


def test_bilinear_kernels_by_hand() -> None:
    np.testing.assert_allclose(bilinear_kernel(3, 1)[..., 0, 0], np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))
    np.testing.assert_allclose(bilinear_kernel(4, 1)[1, :, 0, 0], 0.75 * np.array([0.25, 0.75, 0.75, 0.25]))
    assert not bilinear_kernel(4, 2)[..., 0, 1].any() and not bilinear_kernel(4, 2)[..., 1, 0].any()


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_the_transposed_convolution_starts_as_bilinear_interpolation(factor: int) -> None:
    x = noise(2, 5, 6, 3)
    found = ops.convert_to_numpy(BilinearTransposedConvolution(3, factor)(x))
    expected = ops.convert_to_numpy(ops.image.resize(x, (5 * factor, 6 * factor), "bilinear"))
    inner = slice(factor, -factor)
    np.testing.assert_allclose(found[:, inner, inner], expected[:, inner, inner], atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(SIDES, SIDES, st.integers(1, 3))
def test_unpooling_restores_every_maximum_at_any_size(height: int, width: int, size: int) -> None:
    x = noise(2, height, width, 2)
    pooled, switches = MaxPoolingWithSwitches(size)(x)
    assert pooled.shape == switches.shape == (2, -(-height // size), -(-width // size), 2)
    back = ops.convert_to_numpy(MaxUnpooling(size)([pooled, switches], like=x))
    assert back.shape == x.shape
    np.testing.assert_array_equal(back[back != 0], x[back != 0])
    assert (back != 0).sum() == pooled.shape[1] * pooled.shape[2] * 4
    again, places = MaxPoolingWithSwitches(size)(np.where(back == 0, -100, back))
    np.testing.assert_array_equal(again, pooled)
    np.testing.assert_array_equal(places, switches)


def network(dtype: str = "float32") -> keras.Model:
    inputs = keras.Input((None, None, 3))
    pooled, switches = MaxPoolingWithSwitches(2, dtype=dtype)(inputs)
    parts = [
        MaxUnpooling(2, dtype=dtype)([pooled, switches], like=inputs),
        NearestUpsampling(2, dtype=dtype)(pooled),
        BedOfNails(3, dtype=dtype)(pooled),
        BilinearTransposedConvolution(3, 2, dtype=dtype)(pooled),
    ]
    return keras.Model(inputs, [*parts, switches])


def test_sizes_that_are_known_at_run_time_alone() -> None:
    model = network()
    assert [tensor.shape for tensor in model.outputs] == 5 * [(None, None, None, 3)]
    assert model.outputs[-1].dtype == "int32"
    for height, width in ((1, 1), (5, 2), (4, 7)):
        found = [part.shape[1:3] for part in model.predict(noise(2, height, width, 3), verbose=0)]
        h, w = -(-height // 2), -(-width // 2)
        assert found == [(height, width), (2 * h, 2 * w), (3 * h, 3 * w), (2 * h, 2 * w), (h, w)]


def test_sizes_that_are_known() -> None:
    pooled, switches = MaxPoolingWithSwitches(3).compute_output_shape((None, 7, None, 4))
    assert pooled == switches == (None, 3, None, 4)
    assert MaxUnpooling(3).compute_output_shape([pooled, pooled]) == (None, 9, None, 4)
    assert MaxUnpooling(3).compute_output_shape([pooled, pooled], (None, 7, 8, 1)) == (None, 7, 8, 4)
    assert BedOfNails(4)(keras.Input((3, 5, 2))).shape == (None, 12, 20, 2)


def test_mixed_precision() -> None:
    found = network("mixed_float16")(noise(1, 5, 4, 3))
    assert [keras.backend.standardize_dtype(part.dtype) for part in found] == 4 * ["float16"] + ["int32"]
    assert all(np.isfinite(ops.convert_to_numpy(part)).all() for part in found)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's tape")
def test_gradients_go_to_the_maxima_alone() -> None:
    import tensorflow as tf

    x = tf.constant(image([[1, 2, 6], [3, 5, 2], [1, 0, 9]]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        pooled, switches = MaxPoolingWithSwitches(2)(x)
        total = ops.sum(MaxUnpooling(2)([pooled, switches], like=x) * image([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    assert rows(tape.gradient(total, x)) == [[0, 0, 3], [0, 5, 0], [7, 0, 9]]


def test_saved_and_loaded(tmp_path: Path) -> None:
    model, x = network(), noise(1, 5, 4, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for found, expected in zip(loaded(x), model(x), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("layer", [NearestUpsampling, BedOfNails, MaxPoolingWithSwitches, MaxUnpooling])
def test_bad_factors_are_named(layer: type) -> None:
    with pytest.raises(ValueError, match="=0: expected at least 1"):
        layer(0)


def test_bad_transposed_convolutions_are_named() -> None:
    with pytest.raises(ValueError, match="factor=0: expected at least 1"):
        BilinearTransposedConvolution(3, 0)
    with pytest.raises(ValueError, match="as many filters as channels"):
        BilinearTransposedConvolution(3, 2)(noise(1, 2, 2, 4))
