"""Figures over rounds, by hand."""

from __future__ import annotations

import json
import math

import keras
import numpy as np
import pytest

from ann_keras import estimates
from ann_keras.estimates import Estimate, Gathered, Validation
from ann_keras.tallies import Kept, Pairs


def accuracy() -> Gathered:
    return Gathered(Pairs([keras.metrics.SparseCategoricalAccuracy(name="accuracy")]))


def answers(*classes: int) -> np.ndarray:
    return np.eye(2, dtype=np.float32)[list(classes)]


def a_round(figures: dict[str, float], labels: np.ndarray, outputs: np.ndarray) -> Kept:
    return {"metrics": figures, "labels": labels, "outputs": outputs}


def test_point632_by_hand() -> None:
    # Efron 1983: 0.368 * 0.1 + 0.632 * 0.4
    assert estimates.point632(0.1, 0.4) == pytest.approx(0.2896)


@pytest.mark.parametrize(
    ("apparent", "out_of_bag", "no_information", "expected"),
    [
        # R = 0.3 / 0.5 = 0.6, w = 0.632 / (1 - 0.368 * 0.6) = 0.632 / 0.7792, 0.4 * w
        (0.0, 0.3, 0.5, 0.3 * 0.632 / 0.7792),
        # The same of a score: 1 - error.
        (1.0, 0.7, 0.5, 1 - 0.3 * 0.632 / 0.7792),
        # Worth no more than guesses: R = 1, w = 1.
        (0.0, 0.5, 0.5, 0.5),
        (0.0, 0.6, 0.5, 0.5),
        # No overfitting: .632 itself.
        (0.2, 0.2, 0.5, 0.2),
        (0.2, 0.1, 0.5, 0.368 * 0.2 + 0.632 * 0.1),
        (0.5, 0.4, 0.5, 0.368 * 0.5 + 0.632 * 0.4),
    ],
)
def test_point632plus_by_hand(apparent: float, out_of_bag: float, no_information: float, expected: float) -> None:
    assert estimates.point632plus(apparent, out_of_bag, no_information) == pytest.approx(expected)


def test_folds_have_mean_spread_and_a_pooled_figure_that_weighs_examples() -> None:
    gathered = accuracy()
    gathered.add(a_round({"accuracy": 1.0, "loss": 3.0}, np.array([0]), answers(0)))
    gathered.add(a_round({"accuracy": 1 / 3, "loss": 3.0}, np.array([0, 0, 1]), answers(0, 1, 0)))
    found = gathered.k_fold(4)
    assert (found.method, found.rounds, found.examples, set(found.metrics)) == ("k_fold", 2, 4, {"accuracy"})
    one = found.metrics["accuracy"]
    assert one.values == [1.0, pytest.approx(1 / 3)] and one.mean == pytest.approx(2 / 3)
    assert one.deviation == pytest.approx(math.sqrt(2) / 3)  # sqrt(2 (1/3)^2 / (2 - 1))
    assert one.pooled == 0.5


def test_leave_one_out_pools_what_a_single_example_cannot_tell() -> None:
    gathered = Gathered(Pairs([keras.metrics.R2Score(name="r2")]))
    for label, output in ((1.0, 1.0), (2.0, 3.0), (3.0, 3.0)):
        gathered.add(a_round({"r2": math.nan}, np.array([[label]]), np.array([[output]], np.float32)))
    one = gathered.leave_one_out(3).metrics["r2"]
    assert one.pooled == pytest.approx(0.5)  # 1 - 1 / 2
    assert one.mean is None and one.values == []


def test_bootstrap_by_hand() -> None:
    gathered = accuracy()
    gathered.add(a_round({"accuracy": 0.5}, np.array([0, 1]), answers(0, 0)))
    gathered.add(a_round({"accuracy": 1.0}, np.array([1]), answers(1)))
    # Three of four answers say 0, three of four labels are 0: a pair agrees with 0.75 * 0.75 + 0.25 * 0.25.
    found = gathered.bootstrap(4, a_round({"accuracy": 0.5}, np.array([0, 0, 0, 1]), answers(0, 0, 1, 0)), 0)
    one = found.metrics["accuracy"]
    assert (one.mean, one.apparent) == (0.75, 0.5)
    assert one.pooled == pytest.approx(2 / 3)
    assert one.no_information == pytest.approx(0.625)
    assert one.point632 == pytest.approx(0.368 * 0.5 + 0.632 * 0.75)
    assert one.point632plus == pytest.approx(estimates.point632plus(0.5, 0.75, 0.625))


def test_json_round_trip_without_numbers_that_json_lacks() -> None:
    gathered = accuracy()
    gathered.add(a_round({"accuracy": math.nan}, np.array([0]), answers(0)))
    gathered.add(a_round({"accuracy": 0.25}, np.array([0]), answers(0)))
    found = gathered.k_fold(2)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Validation.from_dict(json.loads(text)) == found
    assert found.metrics["accuracy"] == Estimate(mean=0.25, values=[None, 0.25], pooled=1.0)
    assert "apparent" not in text
