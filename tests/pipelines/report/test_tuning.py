"""The curves of a search."""

from __future__ import annotations

import math
from typing import Any

from pipelines.report import tuning

FOUND: dict[str, Any] = {
    "metric": "accuracy",
    "spaces": {"gamma": {"low": 1e-4, "high": 100.0, "log": True}, "depth": {"low": 1, "high": 4, "log": False}},
    "trials": [
        {
            "settings": {"gamma": 1.0, "depth": 2, "act": "relu"},
            "score": 0.9,
            "folds": [{"accuracy": 0.8}, {"accuracy": 1}],
        },
        {"settings": {"gamma": 0.01, "depth": 3, "act": "relu"}, "score": 0.7, "folds": [{"accuracy": 0.7}] * 2},
        {"settings": {"gamma": 10.0, "depth": 1, "act": "tanh"}, "score": 0.6, "folds": [{"accuracy": 0.6}] * 2},
    ],
}


def test_points_by_hand() -> None:
    found = tuning.points("gamma", "accuracy", FOUND["trials"])
    assert [point.value for point in found] == [0.01, 1.0, 10.0]
    assert [point.score for point in found] == [0.7, 0.9, 0.6]
    assert [point.best for point in found] == [False, True, False]
    assert [round(point.spread or 0, 6) for point in found] == [0.0, round(0.2 / math.sqrt(2), 6), 0.0]


def test_a_figure_for_each_number() -> None:
    shown = str(tuning.curves(FOUND))
    assert shown.count("<svg") == 2 and "2 stratified folds" in shown
    assert "accuracy over gamma in 3 trials; the best is 0.9 at 1" in shown
    assert "accuracy over depth in 3 trials; the best is 0.9 at 2" in shown
    assert "best: 1" in shown and "over act" not in shown
    assert "10^{-2}" in shown or "mathdefault" in shown or "−2" in shown  # a logarithmic axis


def test_one_split_has_no_spread_and_no_number_no_figure() -> None:
    single = {**FOUND, "trials": [{**trial, "folds": trial["folds"][:1]} for trial in FOUND["trials"]]}
    assert "evaluation split" in str(tuning.curves(single))
    assert {point.spread for point in tuning.points("gamma", "accuracy", single["trials"])} == {None}
    assert tuning.curves({**FOUND, "spaces": {}}) == ""
