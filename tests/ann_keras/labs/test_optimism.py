"""Least squares by hand, and how much its training error is too low."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, optimism


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("optimism", seed=0)


def test_least_squares_by_hand() -> None:
    """Through (0, 1), (1, 2), (2, 6): slope 5 / 2, intercept 3 - 5 / 2; a second column of targets beside them."""
    design = np.array([[1, 0], [1, 1], [1, 2]], float)
    found = optimism.least_squares(design, np.array([[1, 1], [2, 1], [6, 1]], float))
    np.testing.assert_allclose(found, [[0.5, 1], [2.5, 0]], atol=1e-12)


def test_a_model_that_can_be_the_truth_errs_as_the_theory_says() -> None:
    """Training error sigma^2 (1 - d / N), error on new targets sigma^2 (1 + d / N), of a parabola: d = 3, N = 60."""
    training, new = optimism.toy_errors(np.random.default_rng(1), 2)
    assert training == pytest.approx(0.25 * (1 - 3 / 60), rel=0.02)
    assert new == pytest.approx(0.25 * (1 + 3 / 60), rel=0.02)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_half_as_many_parameters_as_rows_halve_the_training_error(result: lab.Result) -> None:
    assert result.numbers["toy, training error, 30 parameters"] == pytest.approx(0.125, rel=0.03)
    assert result.numbers["toy, error on new data, 30 parameters"] == pytest.approx(0.375, rel=0.03)
    assert result.numbers["diabetes, test less training error, 66 parameters"] > 0.5
