"""Mirrored borders and crops by hand, at any size."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ann_keras.layers.borders import CentreCrop, CropLike, MirrorPadding


def line(*pixels: float) -> np.ndarray:
    return np.array(pixels, "float32")[None, None, :, None]


def mirrored_line(layer: keras.Layer, *pixels: float) -> list[float]:
    return ops.convert_to_numpy(layer(line(*pixels)))[0, 0, :, 0].tolist()


def test_mirrored_by_hand() -> None:
    assert mirrored_line(MirrorPadding(2), 1, 2, 3) == [3, 2, 1, 2, 3, 2, 1]
    assert mirrored_line(MirrorPadding(1, multiple=4), 1, 2, 3) == [2, 1, 2, 3, 2, 1, 2, 3]
    assert mirrored_line(MirrorPadding(0, multiple=4), 1, 2, 3) == [1, 2, 3, 2]
    assert mirrored_line(MirrorPadding(3), 1, 2) == [2, 1, 2, 1, 2, 1, 2, 1]
    assert mirrored_line(MirrorPadding(2), 7) == [7, 7, 7, 7, 7]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 9), st.integers(1, 5))
def test_any_size_is_mirrored_as_numpy_does_and_cropped_again(h: int, w: int, margin: int, multiple: int) -> None:
    x = np.random.default_rng(0).normal(size=(1, h, w, 2)).astype("float32")
    found = MirrorPadding(margin, multiple)(x)
    after = [-(size + 2 * margin) % multiple + margin for size in (h, w)]
    np.testing.assert_array_equal(found, np.pad(x, [(0, 0), *((margin, more) for more in after), (0, 0)], "reflect"))
    assert found.shape[1] % multiple == found.shape[2] % multiple == 0
    assert MirrorPadding(margin, multiple).compute_output_shape(x.shape) == tuple(found.shape)
    np.testing.assert_array_equal(CropLike(margin)([found, x[..., :1]]), x)


def test_nothing_to_mirror_adds_nothing() -> None:
    x = ops.convert_to_tensor(np.zeros((1, 4, 8, 1), "float32"))
    assert MirrorPadding(0, multiple=4).call(x) is x


def network() -> keras.Model:
    image = keras.Input((None, None, 2))
    framed = MirrorPadding(3, multiple=4)(image)
    return keras.Model(image, [framed, CropLike(3)([framed, image]), CentreCrop()([framed, image])])


def test_sizes_that_are_known_at_run_time_alone() -> None:
    model = network()
    assert [tensor.shape for tensor in model.outputs] == 3 * [(None, None, None, 2)]
    for height, width in ((1, 1), (2, 9), (6, 3)):
        x = np.random.default_rng(0).normal(size=(2, height, width, 2)).astype("float32")
        framed, cropped, centre = model.predict(x, verbose=0)
        assert framed.shape[1:3] == tuple(-(-(size + 6) // 4) * 4 for size in (height, width))
        np.testing.assert_array_equal(cropped, x)
        assert centre.shape == x.shape


def test_centre_by_hand() -> None:
    found = CentreCrop()([line(0, 1, 2, 3, 4, 5), line(0, 0, 0)])
    assert ops.convert_to_numpy(found)[0, 0, :, 0].tolist() == [1, 2, 3]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's tape")
@pytest.mark.parametrize("width", [2, 5])
def test_gradients_count_how_often_a_pixel_is_mirrored(width: int) -> None:
    import tensorflow as tf

    x = tf.ones((1, 1, width, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = ops.sum(MirrorPadding(2)(x)[:, :1])
    copies = np.bincount(np.pad(np.arange(width), 2, "reflect"))
    np.testing.assert_array_equal(tape.gradient(total, x)[0, 0, :, 0], copies)


def test_mixed_precision() -> None:
    x = np.ones((1, 3, 3, 1), "float32")
    assert keras.backend.standardize_dtype(MirrorPadding(1, dtype="mixed_float16")(x).dtype) == "float16"


def test_saved_and_loaded(tmp_path: Path) -> None:
    model, x = network(), np.random.default_rng(0).normal(size=(1, 5, 4, 2)).astype("float32")
    model.save(tmp_path / "model.keras")
    for found, expected in zip(keras.models.load_model(tmp_path / "model.keras")(x), model(x), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="margin=-1: expected at least 0"):
        MirrorPadding(-1)
    with pytest.raises(ValueError, match="multiple=0: expected at least 1"):
        MirrorPadding(1, multiple=0)
    with pytest.raises(ValueError, match="margin=-2: expected at least 0"):
        CropLike(-2)
    big, small = keras.Input((8, 8, 1)), keras.Input((6, 6, 1))
    with pytest.raises(ValueError, match="6 pixels do not fit into 8: expected at least 3 \\+ 6"):
        CropLike(3)([big, small])
    with pytest.raises(ValueError, match="8 pixels do not fit into 6: expected at least 8"):
        CentreCrop()([small, big])
