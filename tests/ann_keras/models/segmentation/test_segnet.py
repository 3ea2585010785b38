"""SegNet against the paper (Badrinarayanan, Kendall and Cipolla 2017, section 3)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ann_keras.layers.receptive_field import receptive_field
from ann_keras.models.segmentation import segnet
from tests.ann_keras.models.segmentation.building import SIZES, answers, build, comes_back, learns_a_scene, noise


@pytest.mark.parametrize("convolutions", [1, 2])
def test_answers_at_every_pixel_of_any_image(convolutions: int) -> None:
    model = build(segnet, convolutions=convolutions)
    assert model.output_shape == (None, None, None, 4)
    for size in SIZES:
        found = answers(model, noise(2, *size, 3))
        assert found.shape == (2, *size, 4)
        assert np.isfinite(found).all()


def test_the_deepest_map_of_segnet_basic_sees_106_pixels() -> None:
    """Section 3.1: "a context window in the input image of 106 x 106 pixels"."""
    model = build(segnet, tiny=False, width=1)
    deepest, _ = model.get_layer("pool3").output
    assert receptive_field(keras.Model(model.inputs, deepest)).size == 106


def test_parameters_by_hand() -> None:
    """Four and four convolutions of 7x7 without bias, eight normalisations of 4 numbers a map, and the scores."""
    model = build(segnet, 3, 11, tiny=False, width=64)
    assert model.count_params() == 49 * (3 + 7 * 64) * 64 + 8 * 4 * 64 + 64 * 11 + 11


def test_values_return_to_where_the_maxima_stood() -> None:
    """Nothing else survives the unpooling, an odd row and column included."""
    model = build(segnet, depth=1)
    parts = [model.get_layer("encoder0_0_relu").output, model.get_layer("unpool0").output]
    before, after = (np.asarray(x) for x in keras.Model(model.inputs, parts)({"image": noise(1, 5, 7, 3)}))
    assert before.shape == after.shape == (1, 5, 7, 8)
    for row in range(0, 5, 2):
        for column in range(0, 7, 2):
            block = np.s_[0, row : row + 2, column : column + 2]
            for channel in range(8):
                values, kept = before[block][..., channel], after[block][..., channel]
                expected = np.zeros(values.size)
                expected[values.argmax()] = values.max()
                np.testing.assert_array_equal(kept.ravel(), expected)


def test_comes_back_from_its_file(tmp_path: Path) -> None:
    comes_back(build(segnet), tmp_path / "segnet.keras")


def test_learns_a_scene_by_heart() -> None:
    learns_a_scene(segnet)
