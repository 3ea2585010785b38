"""The loss of a sequence's tokens, by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.losses.sequences import TokenCrossEntropy

# Softmax of log 1, log 2, log 5 is 1/8, 2/8, 5/8.
LOGITS = np.log(np.array([1.0, 2.0, 5.0], "float32")) * np.ones((2, 2, 1), "float32")
TRUTH = np.array([[1, 2], [2, 0]], np.int32)
EACH = -np.log([2 / 8, 5 / 8, 5 / 8])


def test_the_mean_over_tokens_leaves_padding_out() -> None:
    assert float(TokenCrossEntropy()(TRUTH, LOGITS)) == pytest.approx(EACH.mean(), rel=1e-6)
    other = LOGITS.copy()
    other[1, 1] = [50, -3, 7]
    assert float(TokenCrossEntropy()(TRUTH, other)) == pytest.approx(EACH.mean(), rel=1e-6)


def test_smoothing_by_hand() -> None:
    even = -np.log([1 / 8, 2 / 8, 5 / 8]).mean()
    expected = 0.7 * EACH.mean() + 0.3 * even
    assert float(TokenCrossEntropy(0.3)(TRUTH, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_smoothing_is_the_cross_entropy_with_a_smoothed_truth() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 4, 7)).astype("float32")
    truth = np.random.default_rng(1).integers(1, 7, (3, 4))
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = float(smoothed(keras.ops.one_hot(truth, 7), logits))
    assert float(TokenCrossEntropy(0.2)(truth, logits)) == pytest.approx(expected, rel=1e-5)


def test_weights_of_sequences() -> None:
    weighed = float(TokenCrossEntropy()(TRUTH, LOGITS, np.array([1.0, 0.0], "float32")))
    assert weighed == pytest.approx(EACH[:2].sum() / 2, rel=1e-6)


def test_nothing_but_padding_is_zero() -> None:
    assert float(TokenCrossEntropy(0.1)(np.zeros((2, 2), np.int32), LOGITS)) == 0


def test_its_configuration_makes_it_again() -> None:
    again = keras.losses.deserialize(keras.losses.serialize(TokenCrossEntropy(0.25)))
    assert float(again(TRUTH, LOGITS)) == float(TokenCrossEntropy(0.25)(TRUTH, LOGITS))
