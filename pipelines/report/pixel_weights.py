"""How a loss weighs the pixels of masks: a section of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras.datasets import masks
from ann_keras.task import VOID, Task
from ann_keras.tasks import semantic_segmentation
from ann_keras.weight_map import weight_map
from pipelines.report import blocks, pictures
from pipelines.report.data import Section

SHOWN = 4
"""Images that are shown with their weights."""
SIDE, WINDOW = 256, 1024
"""Longest side in pixels of what is drawn, and of what is computed of a large image, the middle."""


def section(
    task: Task,
    settings: Mapping[str, Any],
    keys: Sequence[str],
    images: Sequence[bytes],
    truths: Sequence[bytes],
    pixels: np.ndarray,
) -> Section:
    """The weights of the first images.

    Args:
        task: names the classes.
        settings: those of the task, of which some weigh pixels.
        keys: one per example.
        images, truths: encoded, one per example.
        pixels: int [classes], how many there are of each class.
    """
    names = task.label.classes
    of_classes = _weights_of_classes(pixels, settings["class_weights"])
    said = []
    table = blocks.Markup("")
    if settings["class_weights"] != "none":
        said.append(
            "The weights w_c of the classes are those that the shares of the pixels of the test split would give; in"
            " training the shares are the training split's."
        )
        table = blocks.table(["class", "w_c"], zip(names, of_classes.tolist(), strict=True))
    if settings["weight_map"]:
        said.append(
            "w(x) = w_c(x) + w0 exp(−(d1 + d2)² / 2σ²), with d1 and d2 the distances to the two nearest cells"
            " (Ronneberger, Fischer and Brox 2015, eq. 2),"
            f" w0 = {settings['w0']:g} and σ = {settings['sigma']:g} pixels: narrow gaps between cells weigh most."
        )
    cells = semantic_segmentation.cells_of(names, settings["cells"])
    windows = [_middle(masks.pixels(truth)) for truth in truths[:SHOWN]]
    if settings["weight_map"]:
        found = [weight_map(one, of_classes, cells, w0=settings["w0"], sigma=settings["sigma"]) for one in windows]
    else:
        found = [np.where(one == VOID, 0, of_classes[np.minimum(one, len(names) - 1)]) for one in windows]
    drawn = _drawn(keys, images, truths, found)
    return Section("Weights of the pixels", blocks.paragraph(" ".join(said)) + table + drawn)


def _weights_of_classes(pixels: np.ndarray, kind: str) -> np.ndarray:
    """w_c, float32 [classes]."""
    if kind == "none":
        return np.ones(len(pixels), np.float32)
    shares = tf.constant(pixels / max(pixels.sum(), 1), tf.float32)
    return semantic_segmentation.class_weights_of(tf.range(len(pixels)), shares, kind).numpy()


def _middle(mask: np.ndarray) -> np.ndarray:
    """A large mask without its margins: distances in it would take long."""
    rows, columns = (slice(max(0, size - WINDOW) // 2, (size + WINDOW) // 2) for size in mask.shape)
    return mask[rows, columns]


def _drawn(
    keys: Sequence[str], images: Sequence[bytes], truths: Sequence[bytes], found: Sequence[np.ndarray]
) -> blocks.Markup:
    low, high = min(float(one.min()) for one in found), max(float(one.max()) for one in found)
    items: list[blocks.Picture] = []
    for place, weights in enumerate(found):
        name, (rows, columns) = keys[place], weights.shape
        caption = f"{weights.min():.3g} to {weights.max():.3g}"
        if weights.size < masks.pixels(truths[place]).size:
            caption += f"\nits middle, {columns} x {rows} pixels"
        items += [
            (images[place], name, f"{name}: image"),
            (pictures.scale_png(pictures.nearest(weights, SIDE), low, high), caption, f"{name}: weights"),
        ]
    return blocks.scale(f"{low:.3g}", f"{high:.3g}") + blocks.pictures(items, "four")
