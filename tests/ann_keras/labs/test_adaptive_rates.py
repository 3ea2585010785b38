"""The lab on adapted learning rates: its claim, and its pure functions by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.labs import adaptive_rates, lab


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("adaptive_rates", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_adam_and_rprop_are_far_ahead_of_the_best_gradient_descent(result: lab.Result) -> None:
    losses = {
        name: result.numbers[f"training loss, {name}, nats"] for name in (*adaptive_rates.METHODS, "gradient descent")
    }
    assert max(losses["Adam"], losses["Rprop"]) < losses["gradient descent"] / 10
    # Not for want of a higher or a lower rate: the best is within the row.
    assert adaptive_rates.RATES[0] < result.numbers["best rate of gradient descent"] < adaptive_rates.RATES[-1]


def test_root_mean_squares_by_hand() -> None:
    found = adaptive_rates.root_mean_squares([np.array([[3.0, 4.0]]), np.array([1e-25], "float32")])
    np.testing.assert_allclose(found, [12.5**0.5, 1e-25], rtol=1e-6)


def test_spread_by_hand() -> None:
    assert adaptive_rates.spread(np.array([0.5, 0.02, 0.1])) == pytest.approx(25)


@pytest.mark.slow
def test_a_branch_with_a_weighted_loss_walks_as_it_would_alone_with_that_rate() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(30, 64)).astype("float32"), rng.integers(0, 10, 30)
    pair, alone = adaptive_rates.build(2), adaptive_rates.build(1)
    for number in range(1, adaptive_rates.DEPTH + 2):
        weights = pair.get_layer(adaptive_rates.layer_name(1, number)).get_weights()
        alone.get_layer(adaptive_rates.layer_name(0, number)).set_weights(weights)
    moved, losses = adaptive_rates.train(pair, keras.optimizers.SGD(1.0), [0.1, 0.7], data)
    (moved_alone,), (losses_alone,) = adaptive_rates.train(alone, keras.optimizers.SGD(0.7), [1.0], data)
    np.testing.assert_allclose(moved[1], moved_alone, rtol=1e-3)
    np.testing.assert_allclose(losses[1], losses_alone, rtol=1e-3)
