"""Confusions, calibration, the most confident mistakes and the scores of every class, on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras.task import Task
from pipelines.report import blocks, figures
from pipelines.report.classification import (
    class_scores,
    confidence_bins,
    confusion_matrix,
    expected_calibration_error,
)
from pipelines.report.data import Section

BINS = 15
MISTAKES = 24
TABLE_CLASSES = 20
"""Up to so many classes the confusion matrix is a table of counts, beyond that a heat map."""
CONFUSIONS = 8


@dataclass(frozen=True)
class Predictions:
    """The model's answers on the test split.

    Attributes:
        keys: one per example; they tell a reader which file it was.
        images: encoded; only those of the mistakes are read, so that a lazy sequence will do.
        labels: int64 [examples], the true classes.
        probabilities: float32 [examples, classes] in [0, 1].
    """

    keys: Sequence[str]
    images: Sequence[bytes]
    labels: np.ndarray
    probabilities: np.ndarray


def collect(
    task: Task, keys: Sequence[str], inputs: Mapping[str, Sequence[Any]], labels: np.ndarray, answers: Mapping[str, Any]
) -> Predictions:
    """Picks what `sections` needs from raw inputs and answers by name.

    Args:
        task: names the feature that is the image.
        keys: one per example.
        inputs: raw values by feature, one per example.
        labels: int [examples].
        answers: what postprocess names; the one that `task.evaluation` judges is float [examples, classes] in [0, 1].
    """
    image = next(feature.name for feature in task.features if feature.kind == "image")
    return Predictions(
        keys, inputs[image], np.asarray(labels).reshape(-1), np.asarray(answers[task.evaluation.prediction])
    )


def sections(task: Task, examples: Predictions) -> list[Section]:
    """Returns the sections on `examples`; none where there are no examples."""
    if not len(examples.labels):
        return []
    count = examples.probabilities.shape[1]
    classes = [*task.label.classes, *map(str, range(len(task.label.classes), count))][:count]
    matrix = confusion_matrix(examples.labels, examples.probabilities.argmax(axis=1), count)
    return [
        _confusions(matrix, classes),
        _mistakes(examples, classes),
        _calibration(examples),
        _per_class(matrix, classes),
    ]


def _confusions(matrix: np.ndarray, classes: Sequence[str]) -> Section:
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = [divmod(int(place), len(classes)) for place in order if wrong.flat[place]]
    rows = [
        (
            f"{classes[true]} → {classes[answer]}",
            int(wrong[true, answer]),
            _percent(wrong[true, answer] / matrix[true].sum()),
        )
        for true, answer in pairs
    ]
    if len(classes) <= TABLE_CLASSES:
        drawn = blocks.confusion(matrix, classes)
    else:
        drawn = figures.heat_map(matrix, classes)
    frequent = blocks.table(["true → answer", "times", "of that class"], rows)
    none = blocks.paragraph("No example of the test split was taken for another class.")
    return Section("Confusion matrix", blocks.side_by_side(drawn, frequent if rows else none))


def _mistakes(examples: Predictions, classes: Sequence[str]) -> Section:
    answers, confidence = examples.probabilities.argmax(axis=1), examples.probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != examples.labels)
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    items = []
    for index in chosen:
        true, answer = classes[examples.labels[index]], classes[answers[index]]
        percent = _percent(confidence[index])
        description = f"{examples.keys[index]}: a {true} taken for {answer} with {percent}"
        items.append((examples.images[index], f"{true} → {answer}\n{percent}", description))
    total = len(examples.labels)
    text = f"{len(wrong)} of {total} answers on the test split are wrong."
    if items:
        text += "" if len(items) == len(wrong) else f" The {len(items)} most confident ones are shown."
        text += " Below each picture: true class → answer, and the probability of that answer."
    return Section("Most confident mistakes", blocks.paragraph(text) + blocks.pictures(items))


def _calibration(examples: Predictions) -> Section:
    bins = confidence_bins(examples.labels, examples.probabilities, BINS)
    error = expected_calibration_error(examples.labels, examples.probabilities, BINS)
    text = (
        "Of the answers that the model gives with a probability of 0.8, four fifths should be right. Bars below the"
        " dashed line: it is too sure of itself; above: it doubts too much. The expected calibration error is the mean"
        f" distance over {BINS} bins, weighted by the number of answers (Guo et al. 2017)."
    )
    return Section("Calibration", blocks.side_by_side(figures.reliability_diagram(bins, error), blocks.paragraph(text)))


def _per_class(matrix: np.ndarray, classes: Sequence[str]) -> Section:
    scores = class_scores(matrix)
    columns = [matrix.sum(axis=1).tolist(), scores.precision.tolist(), scores.recall.tolist()]
    bars = [blocks.bar(value, str(blocks.figure(value))) for value in scores.f1.tolist()]
    rows = list(zip(classes, *columns, bars, strict=True))
    return Section("Classes", blocks.table(["class", "examples", "precision", "recall", "F1"], rows))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
