"""Sections on the answers of a classifier, whatever it classifies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ann_keras.task import Task
from pipelines.report import blocks, figures, plots
from pipelines.report.classification import (
    class_scores,
    confidence_bins,
    confusion_matrix,
    expected_calibration_error,
    ranking,
)
from pipelines.report.data import Section

BINS = 15
TABLE_CLASSES = 20
"""Up to so many classes the confusion matrix is a table of counts, beyond that a heat map."""
CONFUSIONS = 8


def sections(
    task: Task,
    labels: np.ndarray,
    probabilities: np.ndarray,
    mistakes: Callable[[Sequence[str]], Section],
    ranked: bool = False,
) -> list[Section]:
    """What every classifier shows, from the classes' names on; none where there are no examples.

    Args:
        task: names the classes.
        labels: int [examples].
        probabilities: float [examples, classes] in [0, 1].
        mistakes: the names of the classes -> the task's own section on the mistakes.
        ranked: whether the ranking of the examples by each class's probability is shown too.
    """
    if not len(labels):
        return []
    count = probabilities.shape[1]
    classes = class_names(task, count)
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), count)
    return [
        confusions(matrix, classes),
        mistakes(classes),
        calibration(labels, probabilities),
        *([rankings(labels, probabilities, classes)] if ranked else []),
        per_class(matrix, classes),
    ]


def class_names(task: Task, count: int) -> list[str]:
    """The names of `count` classes; those that the task does not name are numbered."""
    return [*task.label.classes, *map(str, range(len(task.label.classes), count))][:count]


def confusions(matrix: np.ndarray, classes: Sequence[str], pixels: bool = False) -> Section:
    """The confusion matrix, int [classes, classes] with the true class in rows, and its most frequent mistakes.

    Args:
        matrix: the counts.
        classes: the names.
        pixels: whether it counts pixels, whose numbers are too long for cells, and not examples.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = [divmod(int(place), len(classes)) for place in order if wrong.flat[place]]
    rows = [
        (
            f"{classes[true]} → {classes[answer]}",
            int(wrong[true, answer]),
            blocks.percent(wrong[true, answer] / matrix[true].sum()),
        )
        for true, answer in pairs
    ]
    if len(classes) <= TABLE_CLASSES:
        drawn = blocks.confusion(matrix, classes, shares=pixels)
    else:
        drawn = figures.heat_map(matrix, classes)
    frequent = blocks.table(["true → answer", "pixels" if pixels else "times", "of that class"], rows)
    none = blocks.paragraph(f"No {'pixel' if pixels else 'example'} of the test split was taken for another class.")
    return Section("Confusion matrix", blocks.side_by_side(drawn, frequent if rows else none))


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> Section:
    """Whether the probabilities, float [examples, classes], are the shares of right answers."""
    bins = confidence_bins(labels, probabilities, BINS)
    error = expected_calibration_error(labels, probabilities, BINS)
    text = (
        "Of the answers that the model gives with a probability of 0.8, four fifths should be right. Bars below the"
        " dashed line: it is too sure of itself; above: it doubts too much. The expected calibration error is the mean"
        f" distance over {BINS} bins, weighted by the number of answers (Guo et al. 2017)."
    )
    return Section("Calibration", blocks.side_by_side(figures.reliability_diagram(bins, error), blocks.paragraph(text)))


def rankings(labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> Section:
    """The curves of the second of two classes; of more, the areas of each against the rest."""
    if len(classes) == 2:
        found = ranking(labels == 1, probabilities[:, 1])
        title, text = "Thresholds", _two_classes(classes[1], float(np.mean(labels == 1)))
        if not len(found.recall):
            return Section(title, blocks.paragraph("The test split holds one class only: there is nothing to rank."))
        drawn = plots.operating_characteristic(found), plots.precision_recall(found, float(np.mean(labels == 1)))
        return Section(title, blocks.paragraph(text) + blocks.side_by_side(*drawn))
    each = [ranking(labels == index, probabilities[:, index]) for index in range(len(classes))]
    rows = [
        (name, int(np.sum(labels == index)), found.area, found.average_precision)
        for index, (name, found) in enumerate(zip(classes, each, strict=True))
    ]
    areas = np.array([(found.area, found.average_precision) for found in each])
    present = areas[~np.isnan(areas[:, 0])]
    if len(present):
        rows.append(("macro mean", len(labels), *present.mean(axis=0).tolist()))
    text = (
        "Each class against all others, by its probability alone: the area under the receiver operating characteristic"
        " is the probability that an example of the class is put before another (0.5: by chance), the average precision"
        " by chance is the class's share. The macro mean counts the classes that occur alike."
    )
    body = blocks.table(["class", "examples", "area under the ROC curve", "average precision"], rows)
    return Section("Classes against the rest", blocks.paragraph(text) + body)


def _two_classes(positive: str, share: float) -> str:
    return (
        f"What other thresholds than 0.5 of the probability of “{positive}” would give. The area under the receiver"
        " operating characteristic is the probability that an example of the class is put before one of the other"
        f" (0.5: by chance); the average precision by chance is the class's share, {share:.3f}."
    )


def per_class(matrix: np.ndarray, classes: Sequence[str]) -> Section:
    """Precision, recall and F1 of every class of a confusion matrix."""
    scores = class_scores(matrix)
    columns = [matrix.sum(axis=1).tolist(), scores.precision.tolist(), scores.recall.tolist()]
    bars = [blocks.bar(value, str(blocks.figure(value))) for value in scores.f1.tolist()]
    rows = list(zip(classes, *columns, bars, strict=True))
    return Section("Classes", blocks.table(["class", "examples", "precision", "recall", "F1"], rows))
