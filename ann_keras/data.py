"""From raw records to the batches that a model is fitted and evaluated on, the same for scripts and pipelines.

A :class:`Split` is told how to read records and how to transform a batch of them. What fits in memory is transformed
once and then gathered by index, as `keras.Model.fit` does with arrays; what does not is streamed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras import buckets
from ann_keras.analysis import READ_BATCH, Constants, analyze
from ann_keras.datasets.splits import Plan
from ann_keras.reading import Rows, read, read_rows
from ann_keras.registry import Triple
from ann_keras.task import Task, Tensors

__all__ = ["Constants", "Data", "Rows", "Split", "analyze", "load", "prepare", "read", "read_rows", "view"]

WEIGHT = "weight"
"""What `preprocess` calls the weight of an example in the loss, float32 [batch], where it gives one."""
READ_BYTES = 64 * 2**20
"""About so much of a split is preprocessed at a time before it is held in memory."""
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
        mixed: a seed -> the records of all files by turns, for a streamed epoch; None for `records`, in their order.
        weigh: label and weight of one example -> its weight, once for each example; None leaves the weights alone.
        batch_tokens: about so many tokens a training batch holds, where the examples are sequences; 0: `batch_size`
            examples.
    """

    records: tf.data.Dataset
    transform: Callable[[Any], Tensors]
    label: str
    size: int | None = None
    memory_mb: int = 4096
    mixed: Callable[[Any], tf.data.Dataset] | None = None
    weigh: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    batch_tokens: int = 0

    def __post_init__(self) -> None:
        if self.size is None:
            self.size = int(self.records.batch(READ_BATCH).reduce(np.int64(0), _count).numpy())

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray] | None:
        """Every preprocessed example in order, [size, ...] by name; None where that would exceed `memory_mb`."""
        specs = self._transformed(self.records, 1).element_spec
        row_bytes = sum(spec.dtype.size * math.prod(spec.shape[1:]) for spec in specs.values())
        if row_bytes * len(self) > self.memory_mb * 2**20:
            return None
        arrays = {
            name: np.empty((len(self), *spec.shape[1:]), spec.dtype.as_numpy_dtype) for name, spec in specs.items()
        }
        row = 0
        batches = self._transformed(self.records, min(READ_BATCH, max(1, READ_BYTES // row_bytes)))
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
        """Training batches in an epoch."""
        if self.batch_tokens and self.arrays is not None:
            return len(self._bounds) - 1
        return math.ceil(len(self) / (self._examples if self.batch_tokens else batch_size))

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """All examples once, in order: (inputs by name, label), with a third part where examples have weights."""
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
            batch_size: examples in a batch; the last one of an epoch may be smaller. Not read where there is
                `batch_tokens`.
            seed: of the order and of `augment`.
            epoch: the first epoch, so that a resumed training sees what an uninterrupted one would have seen.
            augment: applied to every batch with a seed of its own.
        """
        if self.arrays is None:
            size = self._examples if self.batch_tokens else batch_size
            one = functools.partial(self._streamed_epoch, batch_size=size, seed=seed)
        elif self.batch_tokens:
            one = functools.partial(self._bucketed_epoch, tensors=self._tensors, bounds=self._bounds, seed=seed)
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

    @functools.cached_property
    def _sequences(self) -> list[str]:
        """The inputs that are sequences."""
        specs = self._transformed(self.records, 1).element_spec
        return [name for name, spec in specs.items() if buckets.is_sequence(spec) and name != self.label]

    @functools.cached_property
    def _sizes(self) -> Any:
        return buckets.lengths([self._tensors[name] for name in self._sequences])

    @functools.cached_property
    def _bounds(self) -> np.ndarray:
        return buckets.boundaries(self._sizes.numpy(), self.batch_tokens)

    @functools.cached_property
    def _examples(self) -> int:
        """Examples that fill a batch of a streamed split, by the first of them."""
        first = next(iter(self._transformed(self.records, READ_BATCH)))
        mean = tf.reduce_mean(tf.reduce_sum(buckets.lengths([first[name] for name in self._sequences]), axis=1))
        return max(1, self.batch_tokens // max(1, int(mean)))

    def _bucketed_epoch(self, epoch: Any, *, tensors: Tensors, bounds: Any, seed: int) -> tf.data.Dataset:
        seeds = tf.stack([seed, tf.cast(epoch, tf.int32)])
        order = buckets.order(self._sizes, seeds)
        steps = tf.random.experimental.stateless_shuffle(tf.range(len(bounds) - 1), seeds)
        cuts = tf.constant(bounds)
        return tf.data.Dataset.from_tensor_slices(steps).map(
            lambda step: self._gather(tensors, order[cuts[step] : cuts[step + 1]]), num_parallel_calls=tf.data.AUTOTUNE
        )

    def _streamed_epoch(self, epoch: Any, *, batch_size: int, seed: int) -> tf.data.Dataset:
        # With the global seed 0 TensorFlow would ask whether the other one, a tensor here, is 0 too.
        tf.compat.v1.set_random_seed(seed + 1)
        records = self.mixed(seed + epoch) if self.mixed else self.records
        mixed = records.shuffle(SHUFFLE_RECORDS, seed=seed + epoch, reshuffle_each_iteration=False)
        if not self.batch_tokens:
            return self._transformed(mixed, batch_size)
        pools = self._transformed(mixed, batch_size * buckets.STEPS_IN_POOL)
        return buckets.streamed(pools, self._sequences, batch_size)

    def _transformed(self, records: tf.data.Dataset, batch_size: int) -> tf.data.Dataset:
        batches = records.batch(batch_size).map(self.transform, num_parallel_calls=tf.data.AUTOTUNE)
        return batches if self.weigh is None else batches.map(self._weighed, num_parallel_calls=tf.data.AUTOTUNE)

    def _weighed(self, tensors: Tensors) -> Tensors:
        """With the weight of each example as `weigh` gives it."""
        label = tensors[self.label]
        weight = tensors[WEIGHT] if WEIGHT in tensors else tf.ones(tf.shape(label), tf.float32)

        def each(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
            assert self.weigh is not None
            return np.stack([self.weigh(*one) for one in zip(labels, weights, strict=True)])

        weighed = tf.numpy_function(each, [label, weight], tf.float32)
        return {**tensors, WEIGHT: tf.ensure_shape(weighed, weight.shape)}

    def _pair(self, tensors: Tensors) -> tuple[Any, ...]:
        inputs = buckets.trimmed(tensors) if self.batch_tokens else dict(tensors)
        label = inputs.pop(self.label)
        return (inputs, label, inputs.pop(WEIGHT)) if WEIGHT in inputs else (inputs, label)

    @staticmethod
    def _gather(tensors: Tensors, rows: Any) -> Tensors:
        return {name: tf.gather(values, rows) for name, values in tensors.items()}


def _count(total: Any, batch: Any) -> Any:
    return total + tf.cast(tf.shape(tf.nest.flatten(batch)[0])[0], tf.int64)


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
    rows: Mapping[str, Rows]


def view(task: Task, transform: Callable[[Any], Tensors]) -> Callable[[Any], Tensors]:
    """Of what `transform` gives, what training reads: the task's inputs and label in their own dtypes, the weight."""
    dtypes = {feature.name: feature.dtype for feature in (*task.inputs, task.label)}

    def seen(raw: Any) -> Tensors:
        found = transform(raw)
        kept = {name: tf.cast(found[name], dtype) for name, dtype in dtypes.items()}
        return {**kept, WEIGHT: found[WEIGHT]} if WEIGHT in found else kept

    return seen


def load(triple: Triple, plan: Plan | None = None) -> Data:
    """Reads, splits and preprocesses the dataset of a triple, without a pipeline.

    Args:
        triple: as of `registry.resolve`.
        plan: how to split; None for the default hold-out.

    Raises:
        DatasetError: for a row that cannot be read, naming it, and for an empty split.
    """
    return prepare(triple, read_rows(triple.dataset, plan or Plan()))


def prepare(triple: Triple, rows: Mapping[str, Rows]) -> Data:
    """Preprocesses the rows of "train", "eval" and "test", with what the training rows alone tell."""
    task = triple.task
    features = (*task.features, task.label)
    records = {name: split.records(features) for name, split in rows.items()}
    constants = analyze(task, records["train"])

    def transform(raw: Tensors) -> Tensors:
        return task.preprocess(raw, constants)

    seen = view(task, transform)
    splits = {
        name: Split(
            records[name],
            seen,
            task.label.name,
            len(rows[name]),
            triple.memory_mb,
            weigh=task.weigh,
            batch_tokens=task.batch_tokens,
        )
        for name in records
    }
    return Data(**splits, transform=transform, rows=rows)
