"""What squares and the cross-entropy pull with, and how soon they leave a bad start."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.labs import lab
from ann_keras.labs import squares_or_cross_entropy as under_test

BAD = ", bad starts, rate 1"


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("squares_or_cross_entropy", seed=0)


def test_steps_by_hand() -> None:
    accuracies = np.array([[0.2, 0.95, 0.1], [0.9, 0.8, 0.2], [0.8, 0.9, 0.3]])
    assert under_test.steps_to(accuracies, 0.9).tolist() == [under_test.STEPS, 0, 2 * under_test.STEPS]


@pytest.mark.slow
def test_gradients_by_hand() -> None:
    """At a = 0 and -2 for t = 1: g = 0.5 and 0.1192."""
    g = 1 / (1 + np.exp([0.0, 2.0]))
    entropy = under_test.gradient(under_test.LOSSES["cross-entropy"], np.array([0.0, -2.0]))
    np.testing.assert_allclose(entropy, g - 1, rtol=1e-5)
    np.testing.assert_allclose(
        under_test.gradient(under_test.squares, np.array([0.0, -2.0])), 2 * (g - 1) * g * (1 - g), rtol=1e-5
    )


def test_squares_by_hand() -> None:
    found = under_test.squares(np.array([[1, 0]]), keras.ops.convert_to_tensor([[0.0, np.log(3.0)]], "float32"))
    np.testing.assert_allclose(found, [(0.25 + 0.5625) / 2], rtol=1e-6)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_cross_entropy_leaves_a_bad_start_far_sooner(result: lab.Result) -> None:
    steps = [result.numbers[f"median steps to 90% test accuracy, {name}{BAD}"] for name in under_test.LOSSES]
    assert steps[0] <= 25
    assert steps[1] >= 40
    ends = [result.numbers[f"mean test accuracy after 200 steps, {name}{BAD}"] for name in under_test.LOSSES]
    assert ends[0] > ends[1] + 0.01
