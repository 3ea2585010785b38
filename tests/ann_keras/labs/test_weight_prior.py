"""The prior's most probable weights by hand and against the densities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ann_keras.labs import lab, weight_prior


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("weight_prior", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    for width in weight_prior.WIDTHS:
        # the quasi-Newton method works in float64
        distance = f"distance of the posterior's maximum from ridge, of its largest weight, sigma_w = {width:g}"
        assert result.numbers[distance] < 1e-6
    gains = [result.numbers[f"error at a 64th of it, of the least, sigma_w = {w:g}"] for w in weight_prior.DRAWN_WIDTHS]
    assert gains == sorted(gains, reverse=True), "the narrower the prior, the more its neglect costs"


def test_ridge_by_hand() -> None:
    # (1 + 4 + gamma) w = 2 + 8
    assert weight_prior.ridge(np.array([[1.0], [2.0]]), np.array([2.0, 4.0]), 5.0) == pytest.approx([1.0])


def test_log_posterior_by_hand() -> None:
    # x = 1, t = 1 and the weight 0: -1 / (2 * 4) - ln(2 sqrt(2 pi)) for the target, -ln sqrt(2 pi) for the weight
    found = weight_prior.log_posterior(np.zeros(1), np.ones((1, 1)), np.ones(1), sigma=2.0, sigma_w=1.0)
    assert found == pytest.approx(-1 / 8 - math.log(2) - math.log(2 * math.pi))


def test_no_step_away_from_ridge_is_more_probable() -> None:
    generator = np.random.default_rng(0)
    X, t = generator.normal(size=(20, 3)), generator.normal(size=20)
    best = weight_prior.ridge(X, t, 0.5**2 / 0.3**2)
    highest = weight_prior.log_posterior(best, X, t, 0.5, 0.3)
    for step in 1e-3 * generator.normal(size=(50, 3)):
        assert weight_prior.log_posterior(best + step, X, t, 0.5, 0.3) < highest
    np.testing.assert_allclose(weight_prior.most_probable(X, t, 0.5, 0.3), best, atol=1e-6)
