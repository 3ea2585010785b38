"""The loss of a class for every pixel, by hand on pictures of 2 x 2 pixels."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from ann_keras.losses.segmentation import PixelCrossEntropy
from ann_keras.task import VOID

# Softmax of log 1, log 2, log 5 is 1/8, 2/8, 5/8.
LOGITS = np.log(np.array([1.0, 2.0, 5.0], "float32")) * np.ones((1, 2, 2, 1), "float32")
TRUTH = np.array([[[0, 1], [2, VOID]]], np.uint8)
EACH = -np.log(np.array([1 / 8, 2 / 8, 5 / 8]))
"""The cross-entropy of the three pixels of TRUTH that are not void."""


def loss(truth: np.ndarray, logits: np.ndarray, weight: np.ndarray | None = None) -> float:
    return float(PixelCrossEntropy()(tf.constant(truth), tf.constant(logits), weight))


def test_mean_over_the_pixels_that_are_not_void() -> None:
    assert loss(TRUTH, LOGITS) == pytest.approx(EACH.mean(), rel=1e-5)
    other = LOGITS.copy()
    other[0, 1, 1] = [-50, 7, 50]
    assert loss(TRUTH, other) == loss(TRUTH, LOGITS)


def test_each_pixel_by_hand() -> None:
    found = PixelCrossEntropy().call(TRUTH, LOGITS).numpy()
    assert found.shape == (1, 2, 2)
    np.testing.assert_allclose(found[TRUTH != VOID], EACH, rtol=1e-5)


def test_weights_by_hand() -> None:
    """Weights multiply, and the number of pixels that have one divides: U-Net's w(x) is no mean of weight 1."""
    weight = np.array([[[3, 0.5], [0, 4]]], "float32")
    assert loss(TRUTH, LOGITS, weight) == pytest.approx((3 * EACH[0] + 0.5 * EACH[1]) / 2, rel=1e-5)
    assert loss(TRUTH, LOGITS, 2 * weight) == pytest.approx(2 * loss(TRUTH, LOGITS, weight), rel=1e-5)


def test_a_mask_of_the_pixels_does_not_change_the_scale() -> None:
    truth, logits = np.zeros((1, 2, 2), np.uint8), LOGITS
    for pixels in ([[1, 0], [0, 0]], [[1, 1], [0, 1]], [[1, 1], [1, 1]]):
        assert loss(truth, logits, np.array([pixels], "float32")) == pytest.approx(np.log(8), rel=1e-5)


def test_pixels_count_alike_in_whatever_image_they_are() -> None:
    truth = np.array([[[0, VOID], [VOID, VOID]], [[1, 1], [1, 1]]], np.uint8)
    assert loss(truth, np.repeat(LOGITS, 2, 0)) == pytest.approx((EACH[0] + 4 * EACH[1]) / 5, rel=1e-5)


@pytest.mark.parametrize("weight", [None, np.ones((1, 2, 2), "float32")], ids=["plain", "weighted"])
def test_nothing_but_void_is_zero_and_has_no_slope(weight: np.ndarray | None) -> None:
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = PixelCrossEntropy()(np.full((1, 2, 2), VOID, np.uint8), logits, weight)
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, logits), np.zeros(LOGITS.shape))


def test_no_weight_at_all_is_zero() -> None:
    assert loss(TRUTH, LOGITS, np.zeros((1, 2, 2), "float32")) == 0


def test_slope_by_hand() -> None:
    """(p - t) / 3 of the pixels that count, 0 of the void one."""
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = PixelCrossEntropy()(TRUTH, logits)
    softmax = np.array([1, 2, 5]) / 8
    expected = [[(softmax - [1, 0, 0]) / 3, (softmax - [0, 1, 0]) / 3], [(softmax - [0, 0, 1]) / 3, np.zeros(3)]]
    np.testing.assert_allclose(tape.gradient(value, logits)[0], expected, atol=1e-6)


def test_half_precision_logits_are_summed_in_full_precision() -> None:
    # 300 x 300 pixels are more than float16 can count.
    truth, logits = np.zeros((1, 300, 300), np.uint8), tf.zeros((1, 300, 300, 2), tf.float16)
    value = PixelCrossEntropy()(truth, logits)
    assert value.dtype == tf.float32
    assert float(value) == pytest.approx(np.log(2), rel=1e-5)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(2, 6), st.randoms(use_true_random=False))
def test_agrees_with_the_cross_entropy_of_keras(height: int, width: int, classes: int, random: object) -> None:
    rng = np.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    truth = rng.integers(0, classes, (2, height, width)).astype(np.uint8)
    logits = rng.normal(0, 3, (*truth.shape, classes)).astype("float32")
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(truth.astype(int), logits)
    assert loss(truth, logits) == pytest.approx(float(expected), rel=1e-4)


def test_it_is_saved_by_its_name() -> None:
    again = keras.losses.deserialize(keras.losses.serialize(PixelCrossEntropy()))
    assert isinstance(again, PixelCrossEntropy)
    assert again.name == "pixel_cross_entropy"
