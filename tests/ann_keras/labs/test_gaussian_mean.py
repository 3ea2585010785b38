"""The average as the maximum of the likelihood, and its consistency."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ann_keras.labs import gaussian_mean, lab


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("gaussian_mean", seed=0)


def test_log_likelihood_by_hand() -> None:
    """Observations 1, 3 and sigma 2: 2 log(1 / (2 sqrt(2 pi))) - ((1 - m)^2 + (3 - m)^2) / 8."""
    constant = -2 * math.log(2 * math.sqrt(2 * math.pi))
    found = gaussian_mean.log_likelihood(np.array([2.0, 0.0]), np.array([1.0, 3.0]), 2.0)
    np.testing.assert_allclose(found, [constant - 2 / 8, constant - 10 / 8])
    assert float(gaussian_mean.log_likelihood(2.0, np.array([1.0, 3.0]), 2.0)) == pytest.approx(constant - 0.25)


def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


def test_a_thousand_times_the_data_a_thirtieth_of_the_error(result: lab.Result) -> None:
    few, many = (result.numbers[f"root mean squared error at N = {size}"] for size in ("10", "10,000"))
    assert few / many == pytest.approx(math.sqrt(1_000), rel=0.12)
    assert result.numbers["error of the median over that of the average at N = 10,000"] == pytest.approx(
        math.sqrt(math.pi / 2), rel=0.06
    )
