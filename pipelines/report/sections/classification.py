"""Confusions, mistakes, calibration, thresholds and what the model looks at, on the rows of the test split."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ann_keras.task import Task
from pipelines.report import blocks, class_sections, importance, rows
from pipelines.report.classification import cross_entropy, most_confident_mistakes
from pipelines.report.data import Section
from pipelines.report.importance import Importance
from pipelines.report.sections import Answered

MISTAKES = 20


@dataclass(frozen=True)
class Predictions:
    """The model's answers on the test split.

    Attributes:
        keys: one per row.
        columns: raw values by column, one per row: float32, or bytes of a text.
        labels: int64 [rows], the true classes.
        probabilities: float32 [rows, classes] in [0, 1].
        importance: of the columns.
    """

    keys: Sequence[str]
    columns: Mapping[str, Sequence[object]]
    labels: np.ndarray
    probabilities: np.ndarray
    importance: Importance


def collect(task: Task, answered: Answered) -> Predictions:
    """Picks what `sections` needs, and asks the model about shuffled columns.

    Args:
        task: names the answer that is judged, float [rows, classes] in [0, 1].
        answered: the test split.
    """
    labels = np.asarray(answered.labels).reshape(-1)
    prediction = task.evaluation.prediction
    found = importance.measure(
        answered.inputs,
        answered.ask,
        prediction,
        "cross-entropy",
        lambda rows, got: cross_entropy(labels[rows], got[prediction]),
    )
    return Predictions(answered.keys, answered.inputs, labels, np.asarray(answered.answers[prediction]), found)


def sections(task: Task, examples: Predictions) -> list[Section]:
    """Returns the sections on `examples`; none where there are no examples."""
    mistakes = functools.partial(_mistakes, examples)
    found = class_sections.sections(task, examples.labels, examples.probabilities, mistakes, ranked=True)
    return [*found, importance.section(examples.importance)] if found else []


def _mistakes(examples: Predictions, classes: Sequence[str]) -> Section:
    answers, confidence = examples.probabilities.argmax(axis=1), examples.probabilities.max(axis=1)
    wrong = most_confident_mistakes(examples.labels, examples.probabilities)
    shown = wrong[:MISTAKES]
    text = f"{len(wrong)} of {len(examples.labels)} answers on the test split are wrong."
    if not len(shown):
        return Section("Most confident mistakes", blocks.paragraph(text))
    text += "" if len(shown) == len(wrong) else f" The {len(shown)} most confident ones are shown."
    columns = examples.importance.leading(rows.COLUMNS)
    text += rows.which(columns, examples.columns)
    made = [
        (
            examples.keys[index],
            f"{classes[examples.labels[index]]} → {classes[answers[index]]}",
            blocks.percent(confidence[index]),
        )
        for index in shown
    ]
    table = rows.table(["row", "true → answer", "probability"], made, shown, columns, examples.columns)
    return Section("Most confident mistakes", blocks.paragraph(text) + table)
