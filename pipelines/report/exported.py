"""The model as it is served, asked about the examples of a split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras.task import Task
from pipelines.components.example_gen import KEY
from pipelines.report.sections import Answered
from serving import loading
from serving.export import parsing_spec

BATCH, ROWS, SEQUENCES = 256, 2000, 64
"""Examples, rows of a table, and sequences, which are searched for, that are asked about at a time."""
SEARCHED = 2000
"""At most so many sequences of the test split are asked about."""
CELLS = 4_000_000
"""Values of a table that are read."""


def records(uri: str, split: str) -> tf.data.Dataset:
    """The serialized tf.Examples of a split, in the order of its files."""
    return tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(f"{uri}/Split-{split}/*")), "GZIP")


def bounded(rows: int, width: int) -> int:
    """So many rows of `width` values are read: `rows`, or fewer that hold about `CELLS` values."""
    return min(rows, max(BATCH, CELLS // width))


def labelled(serialized: tf.data.Dataset, task: Task) -> tuple[list[str], dict[str, Any]]:
    """The keys of tf.Examples, and the raw values of a task's features and of its label by name."""
    spec = parsing_spec((*task.features, task.label)) | {KEY: tf.io.FixedLenFeature([], tf.string, "")}
    columns: dict[str, list[np.ndarray]] = {name: [] for name in spec}
    for raw in serialized.batch(BATCH).map(lambda batch: tf.io.parse_example(batch, spec)):
        for name, value in raw.items():
            columns[name].append(value.numpy())
    joined = {name: np.concatenate(values) for name, values in columns.items() if values}
    return [key.decode() for key in joined.pop(KEY, ())], joined


class Exported:
    """A SavedModel that `serving.export` wrote.

    Args:
        path: its folder.
        task: names its features.
    """

    def __init__(self, path: Path, task: Task) -> None:
        self.task = task
        self._loaded = loading.load(str(path))  # holds the variables that the signatures read

    def ask(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The named answers to raw values by feature, one per example."""
        signature = self._loaded.signatures["serving_default"]
        count = len(next(iter(inputs.values())))
        plain = all(feature.kind in ("number", "text") for feature in self.task.features)
        size = SEQUENCES if self.task.batch_tokens else ROWS if plain else BATCH
        found: list[dict[str, Any]] = []
        for start in range(0, count, size):
            part = {feature.name: inputs[feature.name][start : start + size] for feature in self.task.features}
            tensors = {name: tf.constant(values) for name, values in part.items()}
            found.append({name: value.numpy() for name, value in signature(**tensors).items()})
        return {name: _joined([part[name] for part in found]) for name in found[0]} if found else {}

    def prepare(self, serialized: list[bytes]) -> dict[str, np.ndarray]:
        """What the graph that prepares inputs makes of tf.Examples, by name."""
        signature = self._loaded.signatures["transform_features"]
        return {name: value.numpy() for name, value in signature(examples=tf.constant(serialized)).items()}

    def answered(self, uri: str, settings: Mapping[str, Any], dataset: str = "") -> Answered:
        """The test split of an examples artifact, and the answers to it."""
        task = self.task
        keys, raw = labelled(records(uri, "test").take(SEARCHED if task.batch_tokens else -1), task)
        inputs = {feature.name: raw[feature.name] for feature in task.features}
        return Answered(keys, inputs, raw[task.label.name], self.ask(inputs), self.ask, settings, dataset)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """Answers to some examples after those to others; shorter sequences are filled up with zeros or empty texts."""
    longest = np.max([part.shape[1:] for part in parts], axis=0)
    filled = [
        np.pad(
            part,
            [(0, 0), *((0, int(most) - size) for most, size in zip(longest, part.shape[1:], strict=True))],
            constant_values=b"" if part.dtype == object else 0,
        )
        for part in parts
    ]
    return np.concatenate(filled)
