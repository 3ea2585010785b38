"""What several tests of the library need: small data in memory and the cases of the battery."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras import data, registry, settings
from ann_keras.data import Data, Split
from ann_keras.datasets import dates, images, shapes
from ann_keras.datasets.base import Dataset, Index, Row, Shard
from ann_keras.task import Feature

BATCH = 16
"""Examples that a model of the battery must learn by heart."""
MASKED_BATCH = 4
"""So many where each has thousands of labels."""
FEW = {"shapes": functools.partial(shapes.Shapes, 120), "dates": functools.partial(dates.Dates, 400)}
"""Default datasets that are large, and how a smaller one is made."""
LONG = ("semantic_segmentation", "sequence_to_sequence")
"""Tasks whose models take long."""
SMALL = {"sequence_to_sequence": {"max_length": 24, "beam": 2, "best": 2}}
"""Settings of tasks that are large by default."""


@dataclass(frozen=True)
class Case:
    """A registered model with one of its tasks, at the model's TINY settings on the task's default dataset."""

    model: str
    task: str

    def __str__(self) -> str:
        return f"{self.model}-{self.task}"

    @property
    def triple(self) -> registry.Triple:
        return _triple(self)

    @property
    def data(self) -> Data:
        return _data(self)

    @property
    def marks(self) -> tuple[pytest.MarkDecorator, ...]:
        """Of what is done with the model itself, which takes long with pixels and sequences."""
        return (pytest.mark.slow,) if self.task in LONG else ()

    @property
    def size(self) -> int:
        """Examples of `batch`."""
        return MASKED_BATCH if self.triple.task.label.kind == "mask" else BATCH

    @property
    def batch(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Inputs and labels of the first training examples."""
        return next(iter(self.data.train.batches(self.size).as_numpy_iterator()))

    @property
    def raw(self) -> dict[str, list[Any]]:
        """The raw features of the same examples."""
        return self._raw(self.triple.task.features)

    @property
    def labelled(self) -> dict[str, list[Any]]:
        """The raw features and the label of the same examples."""
        return self._raw((*self.triple.task.features, self.triple.task.label))

    @property
    def serialized(self) -> list[bytes]:
        """`raw` as tf.Examples."""
        return serialized(self.triple.task.features, self.raw)

    @property
    def serialized_labelled(self) -> list[bytes]:
        """`labelled` as tf.Examples."""
        return serialized((*self.triple.task.features, self.triple.task.label), self.labelled)

    def _raw(self, features: Sequence[Feature]) -> dict[str, list[Any]]:
        rows = self.data.rows["train"][: self.size]
        return {feature.name: [row.values[feature.name] for row in rows] for feature in features}


CASES = [Case(model, task) for model in registry.MODELS for task in registry.constants(registry.MODELS[model])["TASKS"]]
MARKED_CASES = [pytest.param(case, id=str(case), marks=case.marks) for case in CASES]


@functools.cache
def _triple(case: Case) -> registry.Triple:
    tiny = settings.as_dict(registry.load("model", case.model, registry.MODELS).TINY)
    return registry.resolve(case.model, task=case.task, overrides={**tiny, **SMALL.get(case.task, {})})


@functools.cache
def _data(case: Case) -> Data:
    # What is loaded depends on the task and its settings: cases that agree on them share it.
    same = next(other for other in CASES if _loaded_by(other) == _loaded_by(case))
    if same != case:
        return _data(same)
    few = FEW[case.triple.dataset_name]() if case.triple.dataset_name in FEW else case.triple.dataset
    return data.load(dataclasses.replace(case.triple, dataset=few))


def _loaded_by(case: Case) -> tuple[str, Any]:
    config = case.triple.task_config
    return case.task, dataclasses.replace(config, augment="none") if hasattr(config, "augment") else config


def example(features: Sequence[Feature], values: dict[str, Any]) -> bytes:
    """A serialized tf.Example of raw values by feature."""
    message = tf.train.Example()
    for feature in features:
        entry, value = message.features.feature[feature.name], values[feature.name]
        if feature.wire_dtype == "string":
            entry.bytes_list.value.append(value)
        elif feature.wire_dtype == "int64":
            entry.int64_list.value.append(value)
        else:
            entry.float_list.value.extend(np.ravel(value))
    return message.SerializeToString()


def serialized(features: Sequence[Feature], raw: dict[str, list[Any]]) -> list[bytes]:
    """Raw values, a list by feature, as tf.Examples."""
    return [example(features, dict(zip(raw, row, strict=True))) for row in zip(*raw.values(), strict=True)]


def small(split: Split, rows: int) -> Split:
    """The first rows of a split."""
    return dataclasses.replace(split, records=split.records.take(rows), size=rows)


@dataclass(frozen=True)
class NoiseShard(Shard):
    """Rows [start, stop) of random images."""

    start: int
    stop: int
    shape: tuple[int, int, int]
    classes: int

    def read(self) -> Iterator[Row]:
        for row in range(self.start, self.stop):
            label = row % self.classes
            noise = np.random.default_rng(row).integers(0, 56, self.shape) + 200 * label // self.classes
            yield Row(f"noise/{row}", {"image": images.encode_png(noise.astype(np.uint8)), "label": label})


class Noise(Dataset):
    """Random images, the brighter the higher their class."""

    name = "noise"

    def __init__(self, shape: tuple[int, int, int] = (6, 5, 1), classes: int = 3, rows: int = 60) -> None:
        self.shape, self.classes, self.rows = shape, classes, rows
        names = tuple(f"class {label}" for label in range(classes))
        self.features = {
            "image": Feature("image", "image", shape, "uint8"),
            "label": Feature("label", "label", (), "int64", names),
        }

    def fingerprint(self) -> str:
        return f"{self.shape}{self.classes}{self.rows}"

    def index(self) -> Index:
        rows = np.arange(self.rows)
        keys = np.array([f"noise/{row}" for row in rows])
        return Index(keys, rows % self.classes, np.full(self.rows, "", object))

    def shards(self) -> Sequence[Shard]:
        return [
            NoiseShard(start, min(start + 16, self.rows), self.shape, self.classes) for start in range(0, self.rows, 16)
        ]


def load(name: str = "noise") -> Dataset:
    """Opens the noise, as a registered module does."""
    return Noise()
