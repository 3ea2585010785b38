"""The luck of a hold-out, and the fits behind it by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, validation_luck


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("validation_luck", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    for size in validation_luck.SIZES:
        held, folds, bootstrap = (
            result.numbers[f"spread of the {method} over splits of the same {size} examples"]
            for method in validation_luck.METHODS
        )
        assert held > 2 * folds > 2 * bootstrap > 0


@pytest.mark.slow
def test_the_spread_of_a_hold_out_is_about_that_of_a_share(result: lab.Result) -> None:
    # sqrt(e (1 - e) / N_test) with errors of 4 to 12 % and a third held out; training differs as well
    found = result.numbers["spread of the hold-out over splits of the same 40 examples"]
    assert np.sqrt(0.04 * 0.96 / 13) < found < 1.3 * np.sqrt(0.12 * 0.88 / 13)


def test_fits_by_hand() -> None:
    # one feature and a constant; a row that is drawn twice counts twice, one that is not drawn not at all
    X, t = np.array([[1.0, 1], [-1, 1], [5, 1]]), np.array([1.0, -1, 1])
    weights = validation_luck.fit(X, t, np.array([[1.0, 1, 0], [2, 2, 0]]))
    # (2 + gamma) w = 2 and (4 + gamma) w = 4 with gamma = 1; the constant's weight 0
    np.testing.assert_allclose(weights, [[2 / 3, 0], [4 / 5, 0]], atol=1e-12)


def test_the_constant_is_not_penalised() -> None:
    weights = validation_luck.fit(np.array([[0.0, 1], [0, 1]]), np.array([1.0, 1.0]), np.ones((1, 2)))
    np.testing.assert_allclose(weights, [[0, 1]], atol=1e-12)


def test_errors_by_hand() -> None:
    X, t = np.array([[1.0, 1], [-1, 1], [3, 1]]), np.array([1.0, 1, -1])
    found = validation_luck.wrong(X, t, np.array([[1.0, 0], [-1, 2]]))
    np.testing.assert_array_equal(found, [[False, True, True], [False, False, False]])
