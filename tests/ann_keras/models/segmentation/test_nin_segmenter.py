"""The network in network (Lin, Chen and Yan 2014, section 3.1), and how far it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ann_keras.layers.receptive_field import receptive_field
from ann_keras.models.segmentation import nin_segmenter
from tests.ann_keras.models.segmentation.building import SIZES, answers, build, comes_back, learns_a_scene, noise


def test_answers_at_every_pixel_of_any_image() -> None:
    model = build(nin_segmenter)
    assert model.output_shape == (None, None, None, 4)
    for size in SIZES:
        found = answers(model, noise(2, *size, 3))
        assert found.shape == (2, *size, 4)
        assert np.isfinite(found).all()


@pytest.mark.parametrize(("layers", "kernel", "side"), [(1, 1, 1), (1, 5, 5), (2, 5, 9), (4, 5, 17), (3, 3, 7)])
def test_receptive_field_by_hand(layers: int, kernel: int, side: int) -> None:
    """Each k x k convolution adds k - 1 pixels, the 1x1 ones none."""
    config = nin_segmenter.Config(layers=layers, kernel=kernel)
    found = receptive_field(build(nin_segmenter, layers=layers, kernel=kernel))
    assert nin_segmenter.field(config) == found.size == side
    assert found.stride == 1


def test_a_pixel_sees_its_field_and_no_further() -> None:
    model = build(nin_segmenter, layers=2, kernel=3)
    image = noise(1, 15, 15, 3)
    changed = image.copy()
    changed[0, 7, 7] += 10
    differs = np.abs(answers(model, changed) - answers(model, image)).max(axis=(0, 3)) > 0
    rows, columns = np.nonzero(differs)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 9, 5, 9)


def test_parameters_by_hand() -> None:
    """Two mlpconv layers of 8 features and 5x5 pixels, the last of whose 1x1 convolutions has a map for each class."""
    first = 25 * 3 * 8 + 8 + 2 * (8 * 8 + 8)
    last = 25 * 8 * 8 + 8 + (8 * 8 + 8) + (8 * 4 + 4)
    assert build(nin_segmenter).count_params() == first + last


def test_says_how_far_it_sees() -> None:
    (line,) = nin_segmenter.remarks({"loss": [1.0]}, nin_segmenter.Config(layers=3, kernel=7))
    assert line.startswith("receptive field: each pixel's class was decided from 19x19 pixels (3 convolutions of 7x7")


def test_comes_back_from_its_file(tmp_path: Path) -> None:
    comes_back(build(nin_segmenter), tmp_path / "nin.keras")


def test_learns_a_scene_by_heart() -> None:
    learns_a_scene(nin_segmenter)
