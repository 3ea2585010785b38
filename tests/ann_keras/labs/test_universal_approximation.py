"""One hidden layer: its features by hand, and its error against its width."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab
from ann_keras.labs import universal_approximation as under_test


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("universal_approximation", seed=0)


def test_features_by_hand() -> None:
    found = under_test.features(np.array([0.0, 1.0]), np.array([2.0, -1.0]), np.array([0.5, 0.0]), "square")
    np.testing.assert_allclose(found, [[1, 0, 1], [1, 1, 1]])
    found = under_test.features(np.array([0.0, 1.0]), np.array([2.0, -1.0]), np.array([0.5, 0.0]), "tanh")
    np.testing.assert_allclose(found, [[-np.tanh(1), 0, 1], [np.tanh(1), -np.tanh(1), 1]])


def test_squaring_units_find_what_they_can_be() -> None:
    """A parabola needs two of them and the constant; a cubic is none, and its best parabola errs."""
    rng = np.random.default_rng(0)
    assert under_test.smallest_error(rng, lambda x: 3 * x**2 - x, 3, "square") < 1e-6
    assert under_test.smallest_error(rng, lambda x: x**3, 64, "square") > 0.2


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_wider_is_closer_by_orders_of_magnitude(result: lab.Result) -> None:
    for target in under_test.TARGETS:
        narrow, middle, wide = (result.numbers[f"largest error on {target}, tanh, width {w}"] for w in (1, 8, 64))
        assert narrow > 2 * middle > 4 * wide
    assert result.numbers["largest error on waves, tanh, width 64"] < 1e-6
