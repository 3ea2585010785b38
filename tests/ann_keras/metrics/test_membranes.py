from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from skimage.metrics import adapted_rand_error, variation_of_information

from ann_keras.metrics.membranes import MembraneScores, mean_scores, membrane_scores
from ann_keras.task import VOID
from ann_keras.weight_map import cells

TWO = np.array([[1, 1, 0, 1, 1]], np.uint8)


def test_the_truth_itself() -> None:
    assert membrane_scores(TWO, TWO) == MembraneScores(0.0, 1.0, 1.0, 0.0, 0.0)


def test_a_merge() -> None:
    # Of the 6 pairs of 4 pixels that one segment joins, the truth joins 2; which of 2 is uncertain by 1 bit.
    found = membrane_scores(TWO, np.ones_like(TWO))
    assert dataclasses.astuple(found) == pytest.approx((1 - 2 * (1 / 3) / (4 / 3), 1 / 3, 1.0, 0.0, 1.0))


def test_a_split() -> None:
    # Segments 1 | 0 | 2 2: one of the 6 pairs stays joined; entropy of (1/4, 1/4, 1/2) is 1.5 bits.
    found = membrane_scores(np.ones((1, 4), np.uint8), np.array([[1, 0, 1, 1]], np.uint8))
    assert dataclasses.astuple(found) == pytest.approx((1 - 2 * (1 / 6) / (7 / 6), 1.0, 1 / 6, 1.5, 0.0))


def test_membranes_and_void_of_the_truth_count_nowhere() -> None:
    truth = np.array([[1, 1, 0, VOID]], np.uint8)
    for answer in ([1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 0, 1]):
        assert membrane_scores(truth, np.array([answer], np.uint8)) == MembraneScores(0.0, 1.0, 1.0, 0.0, 0.0)


def test_a_diagonal_membrane_divides_and_the_foreground_can_be_chosen() -> None:
    diagonal = np.where(np.eye(6), 0, 1).astype(np.uint8)
    assert membrane_scores(diagonal, np.ones_like(diagonal)).merges == pytest.approx(1.0)
    assert membrane_scores(1 - diagonal, np.zeros_like(diagonal), foreground=0).merges == pytest.approx(1.0)


def test_as_scikit_image() -> None:
    rng = np.random.default_rng(0)
    truth, answer = (np.kron(rng.integers(0, 2, (9, 9)), np.ones((4, 4))).astype(np.uint8) for _ in range(2))
    found = membrane_scores(truth, answer)
    true, answered = cells(truth, (1,)), cells(answer, (1,))
    assert found.rand_error == pytest.approx(adapted_rand_error(true, answered)[0])
    expected = variation_of_information(true, answered, ignore_labels=(0,))
    assert [found.splits, found.merges] == pytest.approx(expected.tolist())


def test_nothing_to_compare() -> None:
    nothing = membrane_scores(np.zeros_like(TWO), TWO)
    assert all(math.isnan(value) for value in dataclasses.astuple(nothing))
    single = membrane_scores(np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8))
    assert math.isnan(single.rand_error) and single.merges == 0
    with pytest.raises(ValueError, match=r"shape \(1, 5\), the answer of \(1, 4\)"):
        membrane_scores(TWO, TWO[:, :4])


def test_the_mean_leaves_out_what_is_not_there() -> None:
    nothing = membrane_scores(np.zeros_like(TWO), TWO)
    mean = mean_scores([nothing, MembraneScores(0.5, 0.2, 1.0, 0.0, 1.0), MembraneScores(0.1, 0.4, 1.0, 2.0, 1.0)])
    assert dataclasses.astuple(mean) == pytest.approx((0.3, 0.3, 1.0, 1.0, 1.0))
    assert math.isnan(mean_scores([nothing]).splits)
