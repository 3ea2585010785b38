"""What a round of a validation keeps of its answers, and the figures of the answers of all rounds together.

Labels and outputs of every example where a label is one value: any metric can be computed from them. Of masks the
pixels counted by true class and answer, which are as small for any number of images of any size, and add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np

from ann_keras import training
from ann_keras.data import Split
from ann_keras.metrics.segmentation import confusion_matrix
from ann_keras.task import Task

PAIRINGS = 500
"""So many rotations of the answers against the labels estimate the no-information rate, or all, where there are
fewer."""

Kept = dict[str, Any]
"""What is kept of one round, as JSON has it: "metrics", its figures by name, and what a tally adds up."""


class Tally(Protocol):
    """Takes the rounds in one by one."""

    names: tuple[str, ...]

    def tested(self, model: keras.Model, split: Split, batch_size: int) -> Kept:
        """Asks a compiled model for what was held out."""
        ...

    def add(self, kept: Kept) -> None:
        """Takes a round in."""
        ...

    def pooled(self) -> dict[str, float]:
        """The figures over all answers so far, by name."""
        ...

    def no_information(self, kept: Kept, seed: int) -> dict[str, float]:
        """The figures over pairs of any label with any answer of a round (Efron and Tibshirani 1997, eq. 27)."""
        ...


def of(task: Task) -> Tally:
    """The tally that fits a task's label."""
    metrics = task.compile_args()["metrics"]
    return Confusions(metrics) if task.label.kind == "mask" else Pairs(metrics)


class Pairs:
    """Labels and outputs, [rows, ...] each.

    Args:
        metrics: fresh Keras metrics, whose names are those of the rounds' figures.
    """

    def __init__(self, metrics: Sequence[Any]) -> None:
        self._metrics = list(metrics)
        self.names = tuple(metric.name for metric in self._metrics)

    def tested(self, model: keras.Model, split: Split, batch_size: int) -> Kept:
        """The compiled metrics, "labels" and "outputs"."""
        metrics = training.evaluate(model, split, batch_size)
        labels, outputs = [], []
        for inputs, label, *_ in split.batches(batch_size):
            labels.append(np.asarray(label))
            outputs.append(keras.ops.convert_to_numpy(model(inputs, training=False)))
        return {
            "metrics": metrics,
            "labels": np.concatenate(labels).tolist(),
            "outputs": np.concatenate(outputs).tolist(),
        }

    def add(self, kept: Kept) -> None:
        """Takes a round in."""
        self._update(*_arrays(kept))

    def pooled(self) -> dict[str, float]:
        """The metrics over all answers so far."""
        return {metric.name: float(metric.result()) for metric in self._metrics}

    def no_information(self, kept: Kept, seed: int) -> dict[str, float]:
        """The metrics over `PAIRINGS` rotations of a shuffled round; what was added before is forgotten."""
        labels, outputs = _arrays(kept)
        rows = len(labels)
        order = np.random.default_rng(seed).permutation(rows)
        for metric in self._metrics:
            metric.reset_state()
        for shift in np.unique(np.linspace(0, rows, min(rows, PAIRINGS), endpoint=False).astype(int)):
            self._update(labels[order], np.roll(outputs[order], shift, axis=0))
        return self.pooled()

    def _update(self, labels: np.ndarray, outputs: np.ndarray) -> None:
        for metric in self._metrics:
            metric.update_state(labels, outputs)


def _arrays(kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(kept["labels"]), np.asarray(kept["outputs"], np.float32)


class Confusions:
    """Pixels by true class (rows) and answer, int [classes, classes], on the network's own grid, void left out.

    Args:
        metrics: of `ann_keras.metrics.segmentation`, whose figures follow from such a matrix.
    """

    def __init__(self, metrics: Sequence[Any]) -> None:
        self._figures = {metric.name: metric.figure for metric in metrics}
        self._total: Any = 0
        self.names = tuple(self._figures)

    def tested(self, model: keras.Model, split: Split, batch_size: int) -> Kept:
        """The figures of all images together, and "confusion"."""
        total: Any = 0
        for inputs, label, *_ in split.batches(batch_size):
            counts = confusion_matrix(label, model(inputs, training=False))
            total = total + keras.ops.convert_to_numpy(counts).astype(np.int64)
        return {"metrics": self._of(total), "confusion": total.tolist()}

    def add(self, kept: Kept) -> None:
        """Takes a round in."""
        self._total = self._total + np.asarray(kept["confusion"], np.int64)

    def pooled(self) -> dict[str, float]:
        """The figures of the sum of all matrices so far."""
        return self._of(self._total)

    def no_information(self, kept: Kept, seed: int) -> dict[str, float]:
        """The figures where every pixel's label meets every pixel's answer: n_ij = t_i a_j / sum_k t_k, with t_i pixels
        of class i and a_j pixels that are answered j. That is exact, and nothing is drawn.
        """
        counts = np.asarray(kept["confusion"], np.float64)
        return self._of(np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum())

    def _of(self, counts: np.ndarray) -> dict[str, float]:
        return {name: float(figure(counts, np)) for name, figure in self._figures.items()}
