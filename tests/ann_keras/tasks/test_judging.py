"""What a mask is judged by, counted by hand."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ann_keras.datasets.images import encode_png
from ann_keras.task import VOID
from ann_keras.tasks import judging


@functools.cache
def counting(classes: int, tolerance: float) -> Any:
    return tf.function(functools.partial(judging.count, classes=classes, tolerance=tolerance))


def count(truth: np.ndarray, answer: np.ndarray, classes: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    encoded = (tf.constant(encode_png(mask.astype(np.uint8))) for mask in (truth, answer))
    confusion, boundary = counting(classes, tolerance)(*encoded)
    return confusion.numpy(), boundary.numpy()


def stripes(before: int, size: int = 10) -> np.ndarray:
    """Class 0 in the first columns, then class 1."""
    return (np.arange(size) >= before) * np.ones((size, 1), int)


def test_confusion_by_hand() -> None:
    found, _ = count(np.array([[0, 1], [2, VOID]]), np.array([[0, 0], [2, 1]]), 3, 0)
    assert found.dtype == np.int64
    assert found.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_boundaries_are_pixels_beside_another_class() -> None:
    """Of a square of 3 x 3 in 5 x 5 pixels the eight outer ones, and of the ground the twelve that touch them."""
    mask = np.pad(np.ones((3, 3), int), 1)
    _, found = count(mask, mask, 2, 0)
    assert found.tolist() == [[12] * 4, [8] * 4]


def test_a_boundary_moved_by_two_pixels() -> None:
    """The diagonal of 10 x 10 pixels is 14.14: 0.14 of it is within 2 pixels, 0.07 within 1."""
    truth, answer = stripes(4), stripes(6)
    _, near = count(truth, answer, 2, 0.14)
    assert near.tolist() == [[10, 10, 10, 10], [10, 10, 10, 10]]
    _, far = count(truth, answer, 2, 0.07)
    assert far.tolist() == [[10, 0, 10, 0], [10, 0, 10, 0]]


def test_precision_and_recall_are_counted_apart() -> None:
    """The answer has a second boundary, at column 8, that is nowhere near the true one at column 3."""
    answer = stripes(3)
    answer[:, 8:] = 0
    _, found = count(stripes(3), answer, 2, 0.07)
    assert found.tolist() == [[20, 10, 10, 10], [20, 10, 10, 10]]


def test_nothing_is_said_under_void() -> None:
    truth = stripes(4)
    truth[:5] = VOID
    found, boundary = count(truth, stripes(4), 2, 0)
    assert found.tolist() == [[20, 0], [0, 30]]
    # The sixth row touches void, which is no boundary: a right answer is right everywhere.
    assert boundary.tolist() == [[5] * 4, [5] * 4]


def test_the_border_of_an_image_is_no_boundary() -> None:
    _, found = count(np.zeros((4, 6), int), np.zeros((4, 6), int), 2, 0.1)
    assert not found.any()


def test_nothing_but_void_counts_nothing() -> None:
    found, boundary = count(np.full((3, 3), VOID), np.zeros((3, 3)), 2, 0.1)
    assert not found.any()
    assert not boundary.any()


def test_one_pixel() -> None:
    found, boundary = count(np.array([[1]]), np.array([[0]]), 2, 0.2)
    assert found.tolist() == [[0, 0], [1, 0]]
    assert not boundary.any()


def by_hand(truth: np.ndarray, answer: np.ndarray, classes: int, reach: int) -> list[list[int]]:
    """The definition, pixel by pixel."""

    def edges(mask: np.ndarray, label: int) -> set[tuple[int, int]]:
        there = {place for place, value in np.ndenumerate(truth) if value != VOID}
        others = {place for place in there if mask[place] != label}
        steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
        return {(y, x) for y, x in there - others if others & {(y + dy, x + dx) for dy, dx in steps}}

    def near(some: set[tuple[int, int]], others: set[tuple[int, int]]) -> int:
        return sum(any(max(abs(y - v), abs(x - u)) <= reach for v, u in others) for y, x in some)

    pairs = [(edges(answer, label), edges(truth, label)) for label in range(classes)]
    return [[len(found), near(found, true), len(true), near(true, found)] for found, true in pairs]


@given(
    arrays(np.uint8, st.shared(st.tuples(st.integers(1, 7), st.integers(1, 7)), key="size"),
           elements=st.sampled_from([0, 1, 2, VOID])),
    arrays(np.uint8, st.shared(st.tuples(st.integers(1, 7), st.integers(1, 7)), key="size"),
           elements=st.integers(0, 2)),
    st.sampled_from([0.0, 0.1, 0.2]),
)  # fmt: skip
def test_boundaries_are_those_of_the_definition(truth: np.ndarray, answer: np.ndarray, tolerance: float) -> None:
    _, found = count(truth, answer, 3, tolerance)
    reach = int(np.ceil(np.float32(tolerance) * np.linalg.norm(np.array(truth.shape, "float32"))))
    assert found.tolist() == by_hand(truth, answer, 3, reach)


@pytest.mark.parametrize("size", [1, 3, 200])
def test_spreading_is_bounded_by_the_image(size: int) -> None:
    edges = np.zeros((size, size), "float32")
    edges[0, 0] = 1
    spread = judging._spread(tf.constant(edges), 2).numpy()
    assert spread.sum() == min(size, 3) ** 2
    assert spread[:3, :3].all()
