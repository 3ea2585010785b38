"""Answers against targets, errors, intervals and what the model looks at, on the rows of the test split."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras.task import Task
from pipelines.report import blocks, importance, plots, rows
from pipelines.report.data import Section
from pipelines.report.importance import Importance
from pipelines.report.regression import (
    LEVELS,
    coverage,
    half_width,
    learned_sigma,
    probability_transform,
    root_mean_square,
)
from pipelines.report.sections import Answered

ERRORS = 20


@dataclass(frozen=True)
class Predictions:
    """The model's answers on the test split, in the target's own unit.

    Attributes:
        keys: one per row.
        columns: raw values by column, one per row: float32, or bytes of a text.
        targets, answers: float64 [rows].
        sigma: float64 [rows], the deviation that the model gives each row; None where it gives none.
        interval: the share of targets that the served interval shall hold; None without one.
        importance: of the columns.
    """

    keys: Sequence[str]
    columns: Mapping[str, Sequence[object]]
    targets: np.ndarray
    answers: np.ndarray
    sigma: np.ndarray | None
    interval: float | None
    importance: Importance


def collect(task: Task, answered: Answered) -> Predictions:
    """Picks what `sections` needs, and asks the model about shuffled columns.

    Args:
        task: names the answer that is judged, float [rows].
        answered: the test split; its setting "interval" says what the answers "low" and "high" are.
    """
    prediction = task.evaluation.prediction
    targets, answers = _numbers(answered.labels), _numbers(answered.answers[prediction])
    interval = sigma = None
    if "low" in answered.answers:
        interval = float(answered.settings["interval"])
        sigma = learned_sigma(_numbers(answered.answers["low"]), _numbers(answered.answers["high"]), interval)
    found = importance.measure(
        answered.inputs,
        answered.ask,
        prediction,
        "rmse",
        lambda places, got: root_mean_square(targets[places] - _numbers(got[prediction])),
    )
    return Predictions(answered.keys, answered.inputs, targets, answers, sigma, interval, found)


def _numbers(values: Any) -> np.ndarray:
    return np.asarray(values, np.float64).reshape(-1)


def sections(task: Task, examples: Predictions) -> list[Section]:
    """Returns the sections on `examples`; none where there are no examples."""
    if not len(examples.targets):
        return []
    made = [_errors(examples), _worst(examples)]
    if examples.sigma is not None:
        made.append(_intervals(examples, examples.sigma))
    return [*made, importance.section(examples.importance)]


def _errors(examples: Predictions) -> Section:
    errors = examples.targets - examples.answers
    text = (
        "Points above the dashed diagonal are answered too high, points below it too low. Residuals, target minus"
        " answer, that bend or widen with the answer show what the model has missed. The sum of squares supposes them"
        " to be Gaussian with one variance: far tails weigh more than it expects."
    )
    drawn = blocks.side_by_side(
        plots.answers_against_truth(examples.targets, examples.answers),
        plots.over_answers(examples.answers, errors, "residual", zero=True),
        plots.residuals(errors),
    )
    return Section("Answers and errors", blocks.paragraph(text) + drawn)


def _worst(examples: Predictions) -> Section:
    errors = examples.targets - examples.answers
    order = np.argsort(-np.abs(errors), kind="stable")[:ERRORS]
    share = float(np.sum(errors[order] ** 2) / max(float(np.sum(errors**2)), np.finfo(float).tiny))
    text = (
        f"The {len(order)} of {len(errors)} rows with the largest errors, which make up {blocks.percent(share, 0)} of"
        " the sum of squares."
    )
    columns = examples.importance.leading(rows.COLUMNS)
    text += rows.which(columns, examples.columns)
    heads = ["row", "target", "answer", "target - answer"]
    if examples.sigma is not None:
        heads.append("in learned deviations")
    made = [_figures(examples, place) for place in order]
    table = rows.table(heads, made, order.tolist(), columns, examples.columns)
    return Section("Largest errors", blocks.paragraph(text) + table)


def _figures(examples: Predictions, place: int) -> list[Any]:
    """Key, target, answer and error of a row, and the error in the deviations that the model gives it."""
    target, answer = float(examples.targets[place]), float(examples.answers[place])
    error = target - answer
    cells = [examples.keys[place], rows.cell(target), answer, error]
    if examples.sigma is None:
        return cells
    sigma = float(examples.sigma[place])
    return [*cells, error / sigma if sigma else math.nan]


def _intervals(examples: Predictions, sigma: np.ndarray) -> Section:
    errors = examples.targets - examples.answers
    nominal = np.array(LEVELS) / 100
    found = coverage(errors, sigma)
    assert examples.interval is not None
    served = float(coverage(errors, sigma, [100 * examples.interval])[0])
    text = (
        f"The served interval shall hold {blocks.percent(examples.interval)} of the targets and holds"
        f" {blocks.percent(served)} of the test split's. Intervals of other levels follow from the deviation that the"
        " model gives each row, as the served one does: below the diagonal it is too sure of itself. The transform is"
        " the model's distribution function at each target: heaped up at both ends it is too narrow, in the middle too"
        " wide."
    )
    width = 2 * half_width(examples.interval) * sigma
    drawn = blocks.side_by_side(
        plots.coverages(nominal, found, len(errors)),
        plots.transform_histogram(probability_transform(errors, sigma)),
        plots.over_answers(examples.answers, width, "interval width", zero=False),
    )
    shares = zip(nominal.tolist(), found.tolist(), strict=True)
    made = [(blocks.percent(level, 0), share, share - level) for level, share in shares]
    table = blocks.table(["nominal", "share inside", "difference"], made)
    return Section("Intervals", blocks.paragraph(text) + drawn + blocks.folded("Coverage by level", table))
