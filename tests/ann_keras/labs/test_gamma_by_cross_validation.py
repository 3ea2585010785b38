"""Gamma by cross-validation, and the errors of ridge that it is chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ann_keras.labs import gamma_by_cross_validation as gamma_lab
from ann_keras.labs import lab


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("gamma_by_cross_validation", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    chosen = result.numbers["chosen gamma, median"]
    assert 0.2 < chosen / result.numbers["best gamma on the test set, median"] < 5
    # chosen as the least of its curve, and yet no promise: the folds train on nine tenths of the examples
    error = result.numbers["error in cross-validation at the chosen gamma"]
    assert error == pytest.approx(result.numbers["mean squared test error with gamma by cross-validation"], rel=0.15)


def test_one_feature_by_hand() -> None:
    # x = (-1, 1) is standardised already, t = (3, 7) has the mean 5: w = 4 / (2 + gamma), which errs by 2 - w at (1, 7)
    X, t = np.array([[-1.0], [1.0]]), np.array([3.0, 7.0])
    found = gamma_lab.squared_errors(X, t, X[1:], t[1:])
    np.testing.assert_allclose(found[0], (2 - 4 / (2 + gamma_lab.GAMMAS)) ** 2)


def test_the_errors_are_those_of_scikit_learn_s_ridge() -> None:
    generator = np.random.default_rng(0)
    X, t = generator.normal(size=(40, 5)), generator.normal(3, 2, size=40)
    X = (X - X[:30].mean(axis=0)) / X[:30].std(axis=0)
    found = gamma_lab.squared_errors(X[:30], t[:30], X[30:], t[30:])
    for number in (0, 15, 30):
        model = Ridge(alpha=gamma_lab.GAMMAS[number]).fit(X[:30], t[:30])
        np.testing.assert_allclose(found[:, number], (t[30:] - model.predict(X[30:])) ** 2, rtol=1e-8)
