"""Confusions, calibration, the most confident mistakes and the scores of every class, on the test split."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ann_keras.task import Task
from pipelines.report import blocks, class_sections
from pipelines.report.classification import most_confident_mistakes
from pipelines.report.data import Section
from pipelines.report.sections import Answered

MISTAKES = 24


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


def collect(task: Task, answered: Answered) -> Predictions:
    """Picks what `sections` needs.

    Args:
        task: names the feature that is the image.
        answered: the answer that `task.evaluation` judges is float [examples, classes] in [0, 1].
    """
    image = next(feature.name for feature in task.features if feature.kind == "image")
    probabilities = np.asarray(answered.answers[task.evaluation.prediction])
    return Predictions(answered.keys, answered.inputs[image], np.asarray(answered.labels).reshape(-1), probabilities)


def sections(task: Task, examples: Predictions) -> list[Section]:
    """Returns the sections on `examples`; none where there are no examples."""
    return class_sections.sections(
        task, examples.labels, examples.probabilities, functools.partial(_mistakes, examples)
    )


def _mistakes(examples: Predictions, classes: Sequence[str]) -> Section:
    answers, confidence = examples.probabilities.argmax(axis=1), examples.probabilities.max(axis=1)
    wrong = most_confident_mistakes(examples.labels, examples.probabilities)
    items = []
    for index in wrong[:MISTAKES]:
        true, answer, sure = classes[examples.labels[index]], classes[answers[index]], blocks.percent(confidence[index])
        description = f"{examples.keys[index]}: a {true} taken for {answer} with {sure}"
        items.append((examples.images[index], f"{true} → {answer}\n{sure}", description))
    total = len(examples.labels)
    text = f"{len(wrong)} of {total} answers on the test split are wrong."
    if items:
        text += "" if len(items) == len(wrong) else f" The {len(items)} most confident ones are shown."
        text += " Below each picture: true class → answer, and the probability of that answer."
    return Section("Most confident mistakes", blocks.paragraph(text) + blocks.pictures(items))
