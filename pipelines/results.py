"""What an Evaluator and a Tuner left, as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ann_keras.task import Metric, Task
from pipelines import files
from pipelines.report.data import Slice, Threshold, Trial

EXAMPLE_COUNT = "example_count"
DIFFERENCE = "_diff"
"""Ends the name of TFMA's further metrics where there is a baseline; the thresholds tell the difference."""


@dataclass(frozen=True)
class EvaluationResult:
    """The metrics on the test split.

    Attributes:
        overall: by name.
        slices: for each value of each slicing feature, with the label's index replaced by its class.
        thresholds: every condition of the blessing and its outcome.
    """

    overall: dict[str, float]
    slices: list[Slice]
    thresholds: list[Threshold]


def read_evaluation(uri: str, task: Task) -> EvaluationResult:
    """Reads an evaluation artifact.

    Args:
        uri: its folder.
        task: names metrics, thresholds and classes.
    """
    import tensorflow_model_analysis as tfma
    from tensorflow_model_analysis.writers import eval_config_writer

    names = list(eval_config_writer.load_eval_run(uri)[3])
    candidate = next((name for name in names if name != "baseline"), None)
    measured = _metrics(tfma, uri, candidate)
    before = _metrics(tfma, uri, "baseline") if "baseline" in names else {}
    overall = measured.pop((), {})
    slices = [Slice(_slice_name(key, task), measured[key]) for key in sorted(measured, key=str)]
    baseline = before.get((), {})
    thresholds = [found for metric in task.evaluation.metrics for found in _thresholds(metric, overall, baseline)]
    return EvaluationResult({n: v for n, v in overall.items() if n != EXAMPLE_COUNT}, slices, thresholds)


def _metrics(tfma: Any, uri: str, model_name: str | None) -> dict[tuple[Any, ...], dict[str, float]]:
    """slice key -> metric -> value, numbers alone."""
    found = {}
    for key, outputs in tfma.load_eval_result(uri, model_name=model_name).slicing_metrics:
        values: dict[str, float] = {}
        for by_output in outputs.values():
            for metrics in by_output.values():
                numbers = {name: value["doubleValue"] for name, value in metrics.items() if "doubleValue" in value}
                values |= {name: value for name, value in numbers.items() if not name.endswith(DIFFERENCE)}
        found[key] = values
    return found


def _slice_name(key: tuple[Any, ...], task: Task) -> str:
    parts = []
    label = task.label
    for feature, value in key:
        is_class = feature == label.name and label.kind == "label" and label.classes
        shown = label.classes[int(value)] if is_class else value
        parts.append(f"{feature} = {shown}")
    return ", ".join(parts)


def _thresholds(metric: Metric, overall: dict[str, float], baseline: dict[str, float]) -> list[Threshold]:
    value = overall.get(metric.name, float("nan"))
    found = []
    if metric.lower is not None:
        found.append(Threshold(metric.name, "lower", metric.lower, value, value >= metric.lower))
    if metric.upper is not None:
        found.append(Threshold(metric.name, "upper", metric.upper, value, value <= metric.upper))
    if metric.change is not None:
        before = baseline.get(metric.name)
        if before is None:
            found.append(Threshold(metric.name, "change", metric.change, None, True))
        else:
            loss = before - value if metric.higher_is_better else value - before
            found.append(Threshold(metric.name, "change", metric.change, loss, loss <= metric.change))
    return found


def reasons(evaluation: EvaluationResult, blessed: bool, infra_uri: str | None) -> list[str]:
    """Why a model may not be served, one line each; empty if it may.

    Args:
        evaluation: with the outcome of every threshold.
        blessed: the Evaluator's word.
        infra_uri: folder of the blessing that the validation by serving refused; None where it gave it.
    """
    lines = []
    for threshold in evaluation.thresholds:
        if not threshold.passed and threshold.kind == "change":
            worse = f"{threshold.metric} is worse by {threshold.value:.4f} than the last blessed model's"
            lines.append(f"{worse}, at most {threshold.limit:g} passes")
        elif not threshold.passed:
            bound = "at least" if threshold.kind == "lower" else "at most"
            lines.append(f"{threshold.metric} is {threshold.value:.4f}, {bound} {threshold.limit:g} passes")
    if not blessed and not lines:
        lines.append("the Evaluator did not bless the model")
    if infra_uri is not None:
        lines.extend((Path(infra_uri) / files.NOT_BLESSED).read_text().splitlines())
    return lines


def read_trials(uri: str) -> list[Trial]:
    """The trials of a tuner_results artifact, the best first."""
    records = json.loads((Path(uri) / "tuner_results.json").read_text())
    return [
        Trial({name: value for name, value in record.items() if name not in ("trial_id", "score")}, record["score"])
        for record in records
    ]
