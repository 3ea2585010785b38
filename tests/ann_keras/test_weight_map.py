"""U-Net's weight map against values worked out by hand and against a distance transform for each cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.task import VOID
from ann_keras.weight_map import cells, two_nearest, weight_map
from benchmarks.weight_map import discs, naive

ONES = np.ones(2, np.float32)


def two_cells(gap: int) -> np.ndarray:
    """A row of 3 pixels of one cell, `gap` of background, and 3 of another."""
    return np.array([[1] * 3 + [0] * gap + [1] * 3], np.uint8)


def test_between_two_cells_by_hand() -> None:
    """Three pixels of background: (d1, d2) = (1, 3), (2, 2), (1, 3); both sums are 4: 10 exp(-16 / 50)."""
    term = 10 * math.exp(-16 / 50)
    np.testing.assert_allclose(
        weight_map(two_cells(3), np.array([0.5, 2], np.float32))[0],
        [2, 2, 2, 0.5 + term, 0.5 + term, 0.5 + term, 2, 2, 2],
        rtol=1e-6,
    )


def test_w0_and_sigma_by_hand() -> None:
    """One pixel of background: d1 = d2 = 1, so 3 exp(-4 / (2 * 4))."""
    found = weight_map(two_cells(1), ONES, w0=3, sigma=2)
    assert found.dtype == np.float32
    assert found[0, 3] == pytest.approx(1 + 3 * math.exp(-0.5), rel=1e-6)


def test_the_two_nearest_of_three_by_hand() -> None:
    """In a plane: a pixel 3 right and 4 down of one cell, 2 above another, 6 left of a third."""
    instances = np.zeros((9, 12), np.int32)
    instances[0, 0], instances[6, 3], instances[4, 9] = 7, 2, 300
    nearest, second = two_nearest(instances, reach=20)
    assert (nearest[4, 3], second[4, 3]) == (2, 5)


def test_without_two_cells_there_is_no_second_term() -> None:
    for mask in (np.zeros((5, 6), np.uint8), np.eye(5, 6, dtype=np.uint8)[:1], np.ones((5, 6), np.uint8)):
        np.testing.assert_array_equal(weight_map(mask, np.array([0.5, 2], np.float32)), np.where(mask, 2, 0.5))


def test_cells_are_parted_by_a_diagonal_line_and_by_their_class() -> None:
    parted = np.ones((6, 6), np.uint8) - np.eye(6, dtype=np.uint8)
    assert cells(parted, (1,)).max() == 2
    assert cells(np.array([[0, 1, 2, 1, 3]], np.uint8), (1, 2)).tolist() == [[0, 1, 3, 2, 0]]


def test_void_weighs_nothing_and_is_no_cell() -> None:
    mask = two_cells(3)
    mask[0, 4] = VOID
    found = weight_map(mask, ONES)[0]
    assert found[4] == 0
    assert found[3] == pytest.approx(1 + 10 * math.exp(-16 / 50), rel=1e-6)


def test_instances_part_what_the_mask_does_not() -> None:
    mask = np.array([[1, 1], [0, 0]], np.uint8)
    np.testing.assert_array_equal(weight_map(mask, ONES), 1)
    found = weight_map(mask, ONES, instances=np.array([[5, 9], [0, 0]], np.uint16))
    assert found[0].tolist() == [1, 1]
    np.testing.assert_allclose(found[1], 1 + 10 * math.exp(-((1 + math.sqrt(2)) ** 2) / 50), rtol=1e-6)


def test_class_weights_by_pixel() -> None:
    by_pixel = np.arange(9, dtype=np.float32)[None]
    np.testing.assert_allclose(
        weight_map(two_cells(3), by_pixel), weight_map(two_cells(3), 0 * ONES) + by_pixel, rtol=1e-6
    )
    assert by_pixel.tolist() == [list(range(9))]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0.5, 0.999),
    st.floats(0.5, 6),
    st.integers(0, 2**16),
)
def test_it_equals_the_distances_of_every_cell(
    height: int, width: int, background: float, sigma: float, seed: int
) -> None:
    mask = (np.random.default_rng(seed).random((height, width)) > background).astype(np.uint8)
    weights = np.array([0.3, 1.7], np.float32)
    np.testing.assert_allclose(weight_map(mask, weights, sigma=sigma), naive(mask, weights, sigma=sigma), atol=1e-5)


def test_it_equals_them_where_cells_are_beyond_reach_of_one_another() -> None:
    mask = discs(160, 9)
    assert cells(mask, (1,)).max() == 9
    for sigma in (1, 3):
        np.testing.assert_allclose(weight_map(mask, ONES, sigma=sigma), naive(mask, ONES, sigma=sigma), atol=1e-5)


def test_what_is_refused() -> None:
    mask = two_cells(1)
    with pytest.raises(ValueError, match=r"w0=-1, sigma=5.0: expected w0 >= 0 and sigma > 0"):
        weight_map(mask, ONES, w0=-1)
    with pytest.raises(ValueError, match="sigma=0"):
        weight_map(mask, ONES, sigma=0)
    with pytest.raises(ValueError, match="class 1 of the mask has no weight: class_weights has 1"):
        weight_map(mask, np.ones(1, np.float32))
    with pytest.raises(ValueError, match=r"class_weights of shape \(2, 2\): expected the mask's, \(1, 7\)"):
        weight_map(mask, np.ones((2, 2), np.float32))
    with pytest.raises(ValueError, match=r"instances of shape \(2, 2\): expected the mask's, \(1, 7\)"):
        weight_map(mask, ONES, instances=np.ones((2, 2), np.int32))
