"""Exact zeros of the lasso and none of ridge; both in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, ridge_and_lasso


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("ridge_and_lasso", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    assert result.numbers["smallest absolute weight of ridge on the path"] > 1e-9
    assert result.numbers["exact zeros of Adam with the absolute penalty there"] == 0


def test_soft_threshold_by_hand() -> None:
    found = ridge_and_lasso.soft_threshold(np.array([3.0, -2.0, 0.5, -1.0]), gamma=2.0)
    np.testing.assert_array_equal(found, [2, -1, 0, 0])


def test_one_weight_by_hand() -> None:
    # x = (1, 2), t = (2, 4): squares 5 w^2 - 20 w + 20
    X, t = np.array([[1.0], [2.0]]), np.array([2.0, 4.0])
    # + 5 w^2: w = 20 / 20; + 10 |w|: w = (20 - 10) / 10; + 20 |w|: zero
    np.testing.assert_allclose(ridge_and_lasso.ridge(X, t, 5.0), [1.0])
    np.testing.assert_allclose(ridge_and_lasso.lasso(X, t, np.array([20.0, 10.0])), [[0.0], [1.0]], atol=1e-9)


def test_the_lasso_s_conditions_of_a_minimum() -> None:
    # The gradient of the squares is -gamma sign(w_q) where w_q is not zero, and at most gamma where it is.
    X, t = ridge_and_lasso.data(0)
    weights = ridge_and_lasso.lasso(X, t, np.array([30.0]))[0]
    gradient = 2 * X.T @ (X @ weights - t)
    assert 0 < (weights == 0).sum() < len(weights)
    np.testing.assert_allclose(gradient[weights != 0], -30 * np.sign(weights[weights != 0]), atol=1e-3)
    assert np.abs(gradient[weights == 0]).max() <= 30
