"""The lab on momentum: its claim, and its closed forms by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, momentum


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("momentum", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_the_steps_are_those_that_the_contractions_foretell(result: lab.Result) -> None:
    largest = momentum.CONDITIONS[-1]
    steps = {name: result.numbers[f"steps of {name} at condition number {largest}"] for name in momentum.STYLES}
    # ln(1e4) / ln(201 / 199) of gradient descent, and the same with the square root of 200.
    assert steps["gradient descent"] == pytest.approx(np.log(1e4) / np.log(201 / 199), rel=0.02)
    assert steps["momentum"] == pytest.approx(np.log(1e4) / np.log((200**0.5 + 1) / (200**0.5 - 1)), rel=0.6)
    # As the condition number grows, one-step momentum comes to twice the speed of gradient descent.
    assert 1.35 < steps["gradient descent"] / steps["one-step momentum"] < 2.2
    assert steps["one-step Nesterov"] == pytest.approx(steps["gradient descent"], rel=0.15)
    assert steps["gradient descent"] > 5 * steps["Nesterov"] > 5 * steps["momentum"]


def test_contraction_by_hand() -> None:
    curvature = np.array([0.1, 1.0])
    # Without memory it is |1 - eta c|, at its least 9/11 for eta = 2 / 1.1.
    assert momentum.contraction(2 / 1.1, 0.0, curvature) == pytest.approx(9 / 11)
    # r^2 - 0.5 r + 0.5 = 0 has complex roots of modulus sqrt(0.5); r^2 - 0.95 r + 0.05 = 0 the roots 0.0559, 0.8941.
    assert momentum.contraction(0.5, 0.5, curvature) == pytest.approx(0.8941, abs=1e-4)
    assert momentum.contraction(0.5, 0.5, curvature[1:]) == pytest.approx(0.5**0.5)
    np.testing.assert_allclose(
        momentum.contraction(np.array([2 / 1.1, 0.5]), np.array([0.0, 0.5]), curvature), [9 / 11, 0.8941], atol=1e-4
    )


def test_polyaks_rates_by_hand() -> None:
    # Condition number 100: eta = 4 / (1 + 0.1)^2, mu = (9 / 11)^2.
    assert momentum.best_rates(100)["momentum"] == pytest.approx((4 / 1.21, 81 / 121))
    assert momentum.best_rates(100)["Nesterov"] == pytest.approx((1, 9 / 11))


def test_the_search_finds_gradient_descents_rate_where_there_is_no_memory() -> None:
    rate, _ = momentum.searched(9, lambda rate, m: (rate, 0 * m))
    assert rate == pytest.approx(2 / (1 + 1 / 9), abs=0.01)


def test_steps_needed_counts_from_the_last_that_was_far() -> None:
    distances = np.array([[1.0, 1.0], [1e-5, 0.5], [0.1, 1e-5], [1e-5, 1e-6]])
    assert momentum.steps_needed(np.stack([distances, 0 * distances], axis=2)).tolist() == [3, 2]
