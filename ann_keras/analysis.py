"""The local pass over the training split that answers a task's analyzers, and the arithmetic that Transform shares."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras import text
from ann_keras.task import Task, Tensors

READ_BATCH = 256


def masked_powers(value: Any) -> Any:
    """What `moments_of` needs the mean of.

    Args:
        value: float32 [batch, units], NaN where it is missing.

    Returns:
        float64 [batch, 3 units]: whether it is there, its value and its square, 0 where it is not.
    """
    wide = tf.cast(value, tf.float64)
    there = tf.logical_not(tf.math.is_nan(wide))
    known = tf.where(there, wide, tf.zeros_like(wide))
    return tf.concat([tf.cast(there, tf.float64), known, known**2], axis=-1)


def moments_of(mean_powers: Any) -> tuple[Any, Any]:
    """Mean and variance of what is there, float64 [units] each, from the mean of `masked_powers`, float64 [3 units]."""
    share, first, second = tf.split(tf.cast(mean_powers, tf.float64), 3)
    mean = tf.math.divide_no_nan(first, share)
    return mean, tf.maximum(tf.math.divide_no_nan(second, share) - mean**2, 0.0)


class Constants:
    """Analyzers whose answers are known.

    Args:
        found: by name, what the pass over the training split found: float32 [units] of a mean, float64 [3 units] of
            moments, float32 [buckets - 1] of quantiles, bytes [values] of indices, bytes [pieces] of a vocabulary.
    """

    def __init__(self, found: Mapping[str, np.ndarray]) -> None:
        self.found = dict(found)

    def mean(self, value: Any, name: str) -> Any:
        """The mean found under `name`, float32 [units]."""
        return tf.constant(self.found[name], tf.float32)

    def moments(self, value: Any, name: str) -> tuple[Any, Any]:
        """The mean and the variance found under `name`, float64 [units]."""
        return moments_of(tf.constant(self.found[name], tf.float64))

    def quantiles(self, value: Any, buckets: int, name: str) -> Any:
        """The boundaries found under `name`, float32 [buckets - 1]."""
        return tf.constant(self.found[name], tf.float32)

    def indices(self, value: Any, size: int, name: str) -> Any:
        """The place of each of `value` among those found under `name`, int64 [batch]; -1 for none of them."""
        known = self.found[name].tolist()
        if not known:
            return tf.fill(tf.shape(value), tf.constant(-1, tf.int64))
        same = tf.equal(value[:, tf.newaxis], tf.constant(known, tf.string)[tf.newaxis])
        return tf.where(tf.reduce_any(same, axis=1), tf.argmax(same, axis=1), tf.constant(-1, tf.int64))

    def vocabulary(self, words: Any, size: int, tokens: str, name: str) -> tuple[Any, Any]:
        """The pieces found under `name`, string [pieces], and the model that finds them in a text, string []."""
        pieces = self.found[name].tolist()
        model = text.wordpiece_model([piece.decode("utf-8") for piece in pieces])
        return tf.constant(pieces, tf.string), tf.constant(model, tf.string)


@dataclass(frozen=True)
class _Question:
    """What an analyzer was asked: a tensor to gather over all examples, and how."""

    value: Any
    gather: Callable[[], Any]


class _Recorder:
    """Analyzers that note what they were asked for, and answer with zeros for the time being."""

    def __init__(self) -> None:
        self.asked: dict[str, _Question] = {}

    def mean(self, value: Any, name: str) -> Any:
        self.asked[name] = _Question(value, lambda: _Mean(np.float32))
        return tf.zeros(value.shape[1:], tf.float32)

    def moments(self, value: Any, name: str) -> tuple[Any, Any]:
        self.asked[name] = _Question(masked_powers(value), lambda: _Mean(np.float64))
        zeros = tf.zeros(value.shape[1:], tf.float64)
        return zeros, zeros

    def quantiles(self, value: Any, buckets: int, name: str) -> Any:
        self.asked[name] = _Question(value, lambda: _Quantiles(buckets))
        return tf.zeros([buckets - 1], tf.float32)

    def indices(self, value: Any, size: int, name: str) -> Any:
        self.asked[name] = _Question(value, lambda: _Counted(functools.partial(_frequent, size=size)))
        return tf.zeros(tf.shape(value), tf.int64)

    def vocabulary(self, words: Any, size: int, tokens: str, name: str) -> tuple[Any, Any]:
        learned = functools.partial(_learned, size=size, tokens=tokens)
        self.asked[name] = _Question(words, lambda: _Counted(learned))
        return tf.constant(text.SPECIALS), tf.constant(text.wordpiece_model(list(text.SPECIALS)))


class _Mean:
    """Summed in 64 bits."""

    def __init__(self, dtype: Any) -> None:
        self._total: Any = 0.0
        self._rows, self._dtype = 0, dtype

    def add(self, batch: np.ndarray) -> None:
        self._total = self._total + batch.sum(axis=0, dtype=np.float64)
        self._rows += len(batch)

    def answer(self) -> np.ndarray:
        mean: np.ndarray = np.asarray(self._total / max(self._rows, 1)).astype(self._dtype)
        return mean


class _Quantiles:
    def __init__(self, buckets: int) -> None:
        self._buckets, self._values = buckets, [np.zeros(0, np.float32)]

    def add(self, batch: np.ndarray) -> None:
        self._values.append(batch[~np.isnan(batch)])

    def answer(self) -> np.ndarray:
        values = np.concatenate(self._values)
        if not len(values):
            return np.zeros(self._buckets - 1, np.float32)
        shares = np.arange(1, self._buckets) / self._buckets
        return np.quantile(values, shares, method="inverted_cdf").astype(np.float32)


class _Counted:
    """How often each value is there, and what follows from it."""

    def __init__(self, finish: Callable[[collections.Counter[bytes]], list[bytes]]) -> None:
        self._finish, self._counts = finish, collections.Counter[bytes]()

    def add(self, batch: np.ndarray) -> None:
        self._counts.update(batch.tolist())

    def answer(self) -> np.ndarray:
        return np.array(self._finish(self._counts), object)


def _frequent(counts: collections.Counter[bytes], size: int) -> list[bytes]:
    del counts[b""]
    return sorted(counts, key=lambda value: (counts[value], value), reverse=True)[:size]


def _learned(counts: collections.Counter[bytes], size: int, tokens: str) -> list[bytes]:
    return [piece.encode() for piece in text.learn(counts, size, tokens)]


def analyze(task: Task, records: tf.data.Dataset) -> Constants:
    """Makes one pass over raw training records and returns what the task's analyzers find.

    Args:
        task: whose preprocess asks.
        records: single raw records by feature.
    """
    gathering: dict[str, Any] = {}

    def asked(raw: Tensors) -> Tensors:
        recorder = _Recorder()
        task.preprocess(raw, recorder)
        gathering.update({name: question.gather for name, question in recorder.asked.items()})
        return {name: question.value for name, question in recorder.asked.items()}

    batches = records.batch(READ_BATCH).map(asked, num_parallel_calls=tf.data.AUTOTUNE)
    found = {name: gather() for name, gather in gathering.items()}
    for batch in batches.as_numpy_iterator() if found else ():
        for name, value in batch.items():
            found[name].add(value)
    return Constants({name: answer.answer() for name, answer in found.items()})
