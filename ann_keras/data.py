"""From raw records to the batches that a model is fitted and evaluated on, the same for scripts and pipelines.

A :class:`Split` is told how to read records and how to transform a batch of them. What fits in memory is transformed
once and then gathered by index, as `keras.Model.fit` does with arrays; what does not is streamed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras.datasets.base import Dataset, DatasetError, Row
from ann_keras.datasets.splits import Plan
from ann_keras.registry import Triple
from ann_keras.task import Feature, Task, Tensors

READ_BATCH = 256
SHUFFLE_RECORDS = 8192
"""Encoded records that a streamed split mixes at a time."""


@dataclass(eq=False)
class Split:
    """The examples of one split.

    Attributes:
        records: single raw records, cheap to shuffle: serialized tf.Examples, or raw features with encoded images.
        transform: a batch of records -> the task's inputs and label, in graph mode.
        label: key of the label among them.
        size: number of records; None to count them.
        memory_mb: largest preprocessed size in MiB that is held in memory.
    """

    records: tf.data.Dataset
    transform: Callable[[Any], Tensors]
    label: str
    size: int | None = None
    memory_mb: int = 4096

    def __post_init__(self) -> None:
        if self.size is None:
            self.size = int(self.records.batch(READ_BATCH).reduce(np.int64(0), _count).numpy())

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray] | None:
        """Every preprocessed example in order, [size, ...] by name; None where that would exceed `memory_mb`."""
        batches = self._transformed(self.records, READ_BATCH)
        specs = batches.element_spec
        row_bytes = sum(spec.dtype.size * math.prod(spec.shape[1:]) for spec in specs.values())
        if row_bytes * len(self) > self.memory_mb * 2**20:
            return None
        arrays = {
            name: np.empty((len(self), *spec.shape[1:]), spec.dtype.as_numpy_dtype) for name, spec in specs.items()
        }
        row = 0
        for batch in batches.as_numpy_iterator():
            stop = row + len(batch[self.label])
            for name, values in batch.items():
                arrays[name][row:stop] = values
            row = stop
        return arrays

    def __len__(self) -> int:
        assert self.size is not None
        return self.size

    def steps(self, batch_size: int) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self) / batch_size)

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """All examples once, in order: (inputs by name, label), batched."""
        if self.arrays is None:
            return self._transformed(self.records, batch_size).map(self._pair).prefetch(tf.data.AUTOTUNE)
        gather = functools.partial(self._gather, self._tensors)
        batches = tf.data.Dataset.range(len(self)).batch(batch_size).map(gather)
        return batches.map(self._pair).prefetch(tf.data.AUTOTUNE)

    def training_batches(
        self, batch_size: int, seed: int, epoch: int = 0, augment: Callable[[Tensors, Any], Tensors] | None = None
    ) -> tf.data.Dataset:
        """Endless epochs from number `epoch` on, each in an order of its own that depends on `seed` and its number
        alone.

        Args:
            batch_size: examples in a batch; the last one of an epoch may be smaller.
            seed: of the order and of `augment`. A streamed order also depends on TensorFlow's global seed.
            epoch: the first epoch, so that a resumed training sees what an uninterrupted one would have seen.
            augment: applied to every batch with a seed of its own.
        """
        if self.arrays is None:
            one = functools.partial(self._streamed_epoch, batch_size=batch_size, seed=seed)
        else:
            one = functools.partial(self._gathered_epoch, tensors=self._tensors, batch_size=batch_size, seed=seed)
        batches = tf.data.Dataset.counter(epoch).flat_map(one)
        if augment is not None:
            start = epoch * self.steps(batch_size)
            batches = tf.data.Dataset.zip(tf.data.Dataset.counter(start), batches)
            batches = batches.map(
                lambda step, tensors: augment(tensors, tf.stack([seed, tf.cast(step, tf.int32)])),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        return batches.map(self._pair).prefetch(tf.data.AUTOTUNE)

    @functools.cached_property
    def _tensors(self) -> Tensors:
        with tf.device("CPU:0"):
            return {name: tf.convert_to_tensor(values) for name, values in (self.arrays or {}).items()}

    def _gathered_epoch(self, epoch: Any, *, tensors: Tensors, batch_size: int, seed: int) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(self)), tf.stack([seed, tf.cast(epoch, tf.int32)])
        )
        steps = tf.data.Dataset.range(self.steps(batch_size))
        return steps.map(
            lambda step: self._gather(tensors, order[step * batch_size : (step + 1) * batch_size]),
            num_parallel_calls=tf.data.AUTOTUNE,
        )

    def _streamed_epoch(self, epoch: Any, *, batch_size: int, seed: int) -> tf.data.Dataset:
        mixed = self.records.shuffle(SHUFFLE_RECORDS, seed=seed + epoch, reshuffle_each_iteration=False)
        return self._transformed(mixed, batch_size)

    def _transformed(self, records: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        return records.batch(batch_size).map(self.transform, num_parallel_calls=tf.data.AUTOTUNE)

    def _pair(self, tensors: Tensors) -> tuple[Tensors, Any]:
        inputs = dict(tensors)
        return inputs, inputs.pop(self.label)

    @staticmethod
    def _gather(tensors: Tensors, rows: Any) -> Tensors:
        return {name: tf.gather(values, rows) for name, values in tensors.items()}


def _count(total: Any, batch: Any) -> Any:
    return total + tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.int64)


class Constants:
    """Analyzers whose answers are known."""

    def __init__(self, found: Mapping[str, np.ndarray]) -> None:
        self.found = dict(found)

    def mean(self, value: Any, name: str) -> Any:
        """The mean found earlier under `name`, float32 [units]."""
        return tf.constant(self.found[name], tf.float32)


class _Recorder:
    """Analyzers that note what they were asked for, and answer with zeros for the time being."""

    def __init__(self) -> None:
        self.asked: Tensors = {}

    def mean(self, value: Any, name: str) -> Any:
        self.asked[name] = value
        return tf.zeros(value.shape[1:], tf.float32)


def analyze(task: Task, records: tf.data.Dataset) -> Constants:
    """Makes one pass over raw training records and returns what the task's analyzers find.

    Args:
        task: whose preprocess asks.
        records: single raw records, as of `Split.records`.
    """

    def asked(raw: Tensors) -> Tensors:
        recorder = _Recorder()
        task.preprocess(raw, recorder)
        return recorder.asked

    sums: dict[str, np.ndarray] = {}
    rows = 0
    for batch in records.batch(READ_BATCH).map(asked, num_parallel_calls=tf.data.AUTOTUNE).as_numpy_iterator():
        for name, value in batch.items():
            sums[name] = sums.get(name, 0.0) + value.sum(axis=0, dtype=np.float64)
        rows += len(next(iter(batch.values()), ()))
    return Constants({name: (total / rows).astype(np.float32) for name, total in sums.items()})


@dataclass(frozen=True, eq=False)
class Data:
    """A dataset's splits, ready for `keras.Model.fit`.

    Attributes:
        train, eval, test: the splits.
        transform: raw features -> the task's inputs, with the analyzers' answers inside, for the exported signature.
        rows: the raw rows of the splits by name, in their order.
    """

    train: Split
    eval: Split
    test: Split
    transform: Callable[[Tensors], Tensors]
    rows: Mapping[str, list[Row]]


def load(triple: Triple, plan: Plan | None = None) -> Data:
    """Reads, splits and preprocesses the dataset of a triple, without a pipeline.

    Args:
        triple: as of `registry.resolve`.
        plan: how to split; None for the default hold-out.

    Raises:
        DatasetError: for a row that cannot be read, naming it, and for an empty split.
    """
    rows = read_rows(triple.dataset, plan or Plan())
    features = (*triple.task.features, triple.task.label)
    records = {name: _records(split, features) for name, split in rows.items()}
    constants = analyze(triple.task, records["train"])

    def transform(raw: Tensors) -> Tensors:
        return triple.task.preprocess(raw, constants)

    splits = {
        name: Split(records[name], transform, triple.task.label.name, len(rows[name]), triple.training.memory_mb)
        for name in records
    }
    return Data(**splits, transform=transform, rows=rows)


def read_rows(dataset: Dataset, plan: Plan) -> dict[str, list[Row]]:
    """The rows of "train", "eval" and "test", encoded, in the order of the dataset.

    Raises:
        DatasetError: for a row that cannot be read, naming it, and for an empty split.
    """
    rows: dict[str, list[Row]] = {"train": [], "eval": [], "test": []}
    names = plan.assign(dataset.index(), dataset.features["label"].classes)
    for name, row in zip(names, _read(dataset), strict=True):
        if row.problem:
            raise DatasetError(f"{dataset.name}: {row.key} cannot be read: {row.problem}")
        if name:
            rows[str(name)].append(row)
    for name, split in rows.items():
        if not split:
            raise DatasetError(f"{dataset.name}: no example is left for the {name} split")
    return rows


def _read(dataset: Dataset) -> Iterator[Row]:
    for shard in dataset.shards():
        yield from shard.read()


def _records(rows: list[Row], features: tuple[Feature, ...]) -> tf.data.Dataset:
    columns = {
        feature.name: tf.constant([row.values[feature.name] for row in rows], feature.wire_dtype)
        for feature in features
    }
    return tf.data.Dataset.from_tensor_slices(columns)
