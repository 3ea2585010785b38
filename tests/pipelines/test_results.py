"""Thresholds and their reasons."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from ann_keras.task import Feature, Metric
from pipelines import results
from pipelines.results import EvaluationResult

HIGH = Metric("accuracy", "A", lower=0.5, upper=0.99, change=0.02)
LOW = Metric("loss", "L", higher_is_better=False, upper=2.0, change=0.1)


def outcome(metric: Metric, value: float | None, before: float | None = None) -> dict[str, bool]:
    overall = {} if value is None else {metric.name: value}
    baseline = {} if before is None else {metric.name: before}
    return {found.kind: found.passed for found in results._thresholds(metric, overall, baseline)}


def test_bounds() -> None:
    assert outcome(HIGH, 0.5) == {"lower": True, "upper": True, "change": True}
    assert outcome(HIGH, 0.49) == {"lower": False, "upper": True, "change": True}
    assert outcome(HIGH, 1.0) == {"lower": True, "upper": False, "change": True}
    assert outcome(Metric("free", "F"), 0.1) == {}


def test_a_metric_that_is_missing_or_not_a_number_passes_nothing() -> None:
    for value in (None, float("nan")):
        assert outcome(HIGH, value, before=0.9) == {"lower": False, "upper": False, "change": False}


@pytest.mark.parametrize(("value", "passes"), [(0.875, True), (0.95, True), (0.84, False)])
def test_change_of_what_should_be_high(value: float, passes: bool) -> None:
    assert outcome(HIGH, value, before=0.875)["change"] is passes


@pytest.mark.parametrize(("value", "passes"), [(1.0, True), (0.1, True), (1.05, True), (1.2, False)])
def test_change_of_what_should_be_low(value: float, passes: bool) -> None:
    assert outcome(LOW, value, before=1.0)["change"] is passes


def judged(metric: Metric, value: float, before: float | None = None) -> EvaluationResult:
    baseline = {} if before is None else {metric.name: before}
    return EvaluationResult({}, [], results._thresholds(metric, {metric.name: value}, baseline))


def test_reasons() -> None:
    assert results.reasons(judged(HIGH, 0.9), True, None) == []
    assert results.reasons(judged(HIGH, 0.25), False, None) == ["accuracy is 0.2500, at least 0.5 passes"]
    assert results.reasons(judged(LOW, 3.0), False, None) == ["loss is 3.0000, at most 2 passes"]
    (worse,) = results.reasons(judged(HIGH, 0.75, before=0.875), False, None)
    assert worse == "accuracy is worse by 0.1250 than the last blessed model's, at most 0.02 passes"
    assert results.reasons(judged(HIGH, 0.9), False, None) == ["the Evaluator did not bless the model"]


@pytest.mark.parametrize(("kind", "shown"), [("label", "label = dog"), ("mask", "label = 1"), ("number", "label = 1")])
def test_a_slice_by_a_label_names_its_class(kind: str, shown: str) -> None:
    label = Feature("label", kind, classes=("cat", "dog"))
    task = SimpleNamespace(label=label)
    assert results._slice_name((("label", "1"),), task) == shown  # type: ignore[arg-type]
    both = (("contains", "1"), ("fold", 2))
    assert results._slice_name(both, task) == "contains = 1, fold = 2"  # type: ignore[arg-type]


def test_trials(tmp_path: Path) -> None:
    records = [{"trial_id": "1", "score": 0.9, "learning_rate": 0.01}, {"trial_id": "0", "score": 0.5, "units": 3}]
    (tmp_path / "tuner_results.json").write_text(json.dumps(records))
    first, second = results.read_trials(str(tmp_path))
    assert (first.settings, first.score) == ({"learning_rate": 0.01}, 0.9)
    assert (second.settings, second.score) == ({"units": 3}, 0.5)
