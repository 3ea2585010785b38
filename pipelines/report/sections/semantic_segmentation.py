"""Masks beside their truth, the worst first, the classes, and how the pixels are weighted, on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras.datasets import masks
from ann_keras.datasets.palette import VOID_COLOUR, coloured_png, colours_of
from ann_keras.metrics import confusion
from ann_keras.task import VOID, Task
from pipelines.report import blocks, class_sections, membranes, pictures, pixel_weights
from pipelines.report.data import Section
from pipelines.report.sections import Answered

SHOWN = 12
"""Images that are shown with their masks."""
TRAINING = 8
"""Of the training split."""
SIDE = 256
"""Longest side in pixels of a mask that is shown."""
RIGHT, WRONG = (222, 222, 222), (203, 24, 29)
"""Colours of an error map."""


@dataclass(frozen=True)
class Predictions:
    """The model's answers on the test split.

    Attributes:
        keys: one per example.
        images: encoded.
        truths, answers: encoded masks.
        scores: float64 [examples], the mean intersection over union of each.
        held: int64 [classes], examples whose true mask has the class.
        total: int64 [classes, classes], pixels by true class (rows) and answer.
        settings: of the triple, by name.
        dataset: its name.
    """

    keys: Sequence[str]
    images: Sequence[bytes]
    truths: Sequence[bytes]
    answers: Sequence[bytes]
    scores: np.ndarray
    held: np.ndarray
    total: np.ndarray
    settings: Mapping[str, Any]
    dataset: str = ""


def collect(task: Task, answered: Answered) -> Predictions:
    """Picks what `sections` needs.

    Args:
        task: names the feature that is the image.
        answered: its labels and the answers "mask_bytes" are encoded masks.
    """
    truths, answers = list(answered.labels), answered.answers["mask_bytes"]
    count = len(task.label.classes)
    total, held = np.zeros((count, count), np.int64), np.zeros(count, np.int64)
    scores = np.zeros(len(truths))
    for place, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        matrix = _matrix(masks.pixels(truth), masks.pixels(answer), count)
        scores[place] = confusion.mean_iou(matrix, np)
        total += matrix
        held += matrix.sum(axis=1) > 0
    images = answered.inputs[_image_of(task)]
    return Predictions(answered.keys, images, truths, answers, scores, held, total, answered.settings, answered.dataset)


def _image_of(task: Task) -> str:
    return next(feature.name for feature in task.features if feature.kind == "image")


def _matrix(truth: np.ndarray, answer: np.ndarray, classes: int) -> np.ndarray:
    counted = truth != VOID
    cells = truth[counted].astype(np.int64) * classes + answer[counted]
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def sections(task: Task, examples: Predictions) -> list[Section]:
    """Returns the sections on `examples`; none where there are no examples."""
    if not len(examples.scores):
        return []
    made = [
        _worst(task, examples),
        _classes(task, examples),
        class_sections.confusions(examples.total, task.label.classes, pixels=True),
    ]
    if examples.settings["weight_map"] or examples.settings["class_weights"] != "none":
        made.append(
            pixel_weights.section(
                task, examples.settings, examples.keys, examples.images, examples.truths, examples.total.sum(axis=1)
            )
        )
    if len(task.label.classes) == 2:
        given = examples.keys, examples.truths, examples.answers
        made.append(membranes.section(examples.dataset, task.label.classes, *given))
    return made


def training(task: Task, keys: Sequence[str], raw: Mapping[str, Sequence[bytes]]) -> Section:
    """Examples of the training split with their masks.

    Args:
        task: names its features.
        keys: one per example.
        raw: encoded images and masks by feature; those are shown first that add a class to the ones before.
    """
    seen: set[int] = set()
    first: list[int] = []
    others: list[int] = []
    for place, encoded in enumerate(raw.get(task.label.name, ())):
        held = {int(value) for value in np.unique(masks.pixels(encoded))} - {VOID}
        (others if held <= seen else first).append(place)
        seen |= held
    items: list[blocks.Picture] = []
    for place in [*first, *others][:TRAINING]:
        mask = masks.pixels(raw[task.label.name][place])
        items += [
            (raw[_image_of(task)][place], keys[place], f"{keys[place]}: image"),
            (_coloured(mask, _colours(task)), "", f"{keys[place]}: true mask"),
        ]
    return Section("Training images", _legend(task) + blocks.pictures(items, "four"))


def _worst(task: Task, examples: Predictions) -> Section:
    colours = _colours(task)
    items: list[blocks.Picture] = []
    for place in np.argsort(examples.scores, kind="stable")[:SHOWN]:
        truth, answer = masks.pixels(examples.truths[place]), masks.pixels(examples.answers[place])
        name, wrong = examples.keys[place], np.sum((truth != answer) & (truth != VOID)) / max(np.sum(truth != VOID), 1)
        items += [
            (examples.images[place], f"{name}\nmean IoU {examples.scores[place]:.3f}", f"{name}: image"),
            (_coloured(truth, colours), "truth", f"{name}: true mask"),
            (_coloured(answer, colours), "answer", f"{name}: the model's mask"),
            (_errors(truth, answer), f"{blocks.percent(wrong)} wrong", f"{name}: error map"),
        ]
    text = (
        "The images of the test split with the lowest mean intersection over union first. Beside each the true mask,"
        " the answer, and the pixels that are wrong in red."
    )
    return Section("Masks, worst first", blocks.paragraph(text) + _legend(task) + blocks.pictures(items, "four"))


def _colours(task: Task) -> np.ndarray:
    return colours_of(task.label.palette, len(task.label.classes))


def _legend(task: Task) -> blocks.Markup:
    return blocks.legend([*zip(task.label.classes, _colours(task).tolist(), strict=True), ("void", VOID_COLOUR)])


def _coloured(mask: np.ndarray, colours: np.ndarray) -> bytes:
    return coloured_png(pictures.nearest(mask, SIDE), colours)


def _errors(truth: np.ndarray, answer: np.ndarray) -> bytes:
    kinds = np.where(truth == VOID, VOID, truth != answer).astype(np.uint8)
    return coloured_png(pictures.nearest(kinds, SIDE), np.array([RIGHT, WRONG], np.uint8))


def _classes(task: Task, examples: Predictions) -> Section:
    total = examples.total
    true, answered, right = total.sum(axis=1), total.sum(axis=0), np.diag(total)
    accuracy = np.where(true > 0, right / np.maximum(true, 1), np.nan)
    iou = np.where(true + answered > 0, confusion.class_iou(total, np), np.nan)
    bars = [blocks.bar(value, str(blocks.figure(value))) for value in iou.tolist()]
    shares = [[blocks.percent(one, 2) for one in count / max(total.sum(), 1)] for count in (true, answered)]
    rows = list(zip(task.label.classes, examples.held.tolist(), *shares, accuracy.tolist(), bars, strict=True))
    columns = ["class", "images", "pixels", "answered", "accuracy", "intersection over union"]
    if len(rows) <= blocks.MANY:
        return Section("Classes", blocks.table(columns, rows))
    # Of many classes the worst are seen without a click; those that do not occur come last.
    return Section("Classes", blocks.ranked_table(columns, [rows[place] for place in np.argsort(iou, kind="stable")]))
