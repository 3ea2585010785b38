"""The lab on saddle points: its claim, and its pure functions by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, saddle_points


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("saddle_points", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_mini_batches_come_close_to_the_minimum_and_the_full_batch_does_not(result: lab.Result) -> None:
    numbers = result.numbers
    saddle, best = numbers["loss of the network at the saddle"], numbers["loss of the network at the minimum"]
    # Half the variance of the digits less that of the third and of the first principal direction.
    assert (saddle, best) == pytest.approx((2.0699, 1.9972), abs=1e-4)
    orders = [numbers[f"loss after training, order {number}"] for number in range(1, saddle_points.ORDERS + 1)]
    assert best < min(orders) <= np.median(orders) < best + 0.15 * (saddle - best)
    assert numbers["loss after training, full batch"] == pytest.approx(saddle, abs=1e-3)


def test_the_slope_by_hand() -> None:
    # The saddle, the two minima, and (2, 0.5): 2 and 0.125 - 0.5.
    places = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, -1.0], [2.0, 0.5]])
    np.testing.assert_allclose(saddle_points.slope(places), [[0, 0], [0, 0], [0, 0], [2, -0.375]])


def test_a_walk_without_noise_shrinks_x_and_never_leaves_y() -> None:
    places = saddle_points.walk(0.0, np.random.default_rng(0), runs=2)
    np.testing.assert_allclose(places[:4, 0, 0], [1, 0.9, 0.81, 0.729])
    assert not np.any(places[:, :, 1])


def test_a_walk_with_noise_ends_at_a_minimum_on_either_side() -> None:
    last = saddle_points.walk(1e-3, np.random.default_rng(0), runs=50)[-1]
    np.testing.assert_allclose(np.abs(last[:, 1]), 1, atol=0.01)
    assert 10 <= np.sum(last[:, 1] > 0) <= 40


def test_steps_out_by_hand() -> None:
    heights = np.array([[0.0, 0.0, 0.0], [0.4, -0.6, 0.1], [0.7, 0.0, 0.2]])
    assert saddle_points.steps_out(np.stack([heights, heights], axis=2)).tolist() == [2, 1, 3]


def test_half_squares_by_hand() -> None:
    wanted, given = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 3.0]])
    np.testing.assert_allclose(saddle_points.half_squares(wanted, given), [2.5, 4.5])
