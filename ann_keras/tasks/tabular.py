"""Columns of numbers and texts as one vector of units, for the tasks on tables.

A number becomes its z-score, a text one unit for each frequent value and one for all others. What is missing is no
special value: a missing number is the column's mean, with a unit of its own that says so, and a missing text is zeros.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ann_keras.settings import setting
from ann_keras.task import Analyzers, Feature, Tensors

LABEL = "label"
KINDS = ("number", "text")
"""What a column may be."""
PARTS = 4
"""So many slices a column of numbers makes."""
MISSING = "missing"


@dataclass(frozen=True)
class Columns:
    """Settings of how columns become units, the same for every task on tables."""

    vocabulary: int = setting(
        64, "most frequent values of a text column with a unit of their own; all others share one", low=1, high=4096
    )
    log: tuple[str, ...] = setting((), "skewed columns whose signed logarithm is taken first, separated by commas")
    buckets: tuple[str, ...] = setting((), "columns of numbers cut into equally filled buckets, one unit each")
    bucket_count: int = setting(10, "buckets of each of them", low=2, high=1000)
    slices: tuple[str, ...] = setting((), "columns by whose values, or quarters, the test metrics are also given apart")


def columns_of(features: Mapping[str, Feature]) -> tuple[Feature, ...]:
    """The columns that are not the label."""
    return tuple(feature for role, feature in features.items() if role != LABEL)


def missing_roles(features: Mapping[str, Feature], label: str) -> list[str]:
    """What a dataset lacks for a task on tables whose label is of kind `label`."""
    missing = []
    columns = columns_of(features)
    if not columns or any(column.kind not in KINDS or column.shape for column in columns):
        missing.append("columns of numbers or texts")
    if LABEL not in features or features[LABEL].kind != label:
        missing.append(f"{LABEL} ({label})")
    return missing


def check(columns: Sequence[Feature], config: Columns) -> None:
    """Raises a ValueError where a setting names a column that is not there or is of the wrong kind."""
    kinds = {column.name: column.kind for column in columns}
    for name in ("log", "buckets", "slices"):
        for column in getattr(config, name):
            if column not in kinds:
                raise ValueError(f"{name}={column!r}: the columns are {', '.join(kinds)}")
            if name != "slices" and kinds[column] != "number":
                raise ValueError(f"{name}={column!r}: expected a column of numbers, {column} holds texts")
    both = sorted(set(config.log) & set(config.buckets))
    if both:
        raise ValueError(f"log={both[0]!r}: the column is cut into buckets, which a logarithm does not change")


def unit_names(columns: Sequence[Feature], config: Columns) -> tuple[str, ...]:
    """What each unit stands for, in the order of `units`: "age", "age is missing", "age, bucket 3", "sex, value 1",
    "sex, another value". Values are numbered by how frequent they are.
    """
    numbers = _plain_numbers(columns, config)
    names = [f"log {column.name}" if column.name in config.log else column.name for column in numbers]
    names += [f"{column.name} is missing" for column in numbers if column.optional]
    for name in config.buckets:
        names += [f"{name}, bucket {number}" for number in range(1, config.bucket_count + 1)]
    for column in _texts(columns):
        names += [f"{column.name}, value {number}" for number in range(1, _size(column, config) + 1)]
        names.append(f"{column.name}, another value")
    return tuple(names)


def units(raw: Mapping[str, Any], analyzers: Analyzers, columns: Sequence[Feature], config: Columns) -> Any:
    """The columns as one vector.

    Args:
        raw: by column: float32 [batch], NaN where it is missing, or string [batch], empty where it is missing.
        analyzers: give means and variances, boundaries of buckets and vocabularies of the training split.
        columns: the features.
        config: the settings.

    Returns:
        float32 [batch, units], one for each of `unit_names`.
    """
    parts = []
    numbers = _plain_numbers(columns, config)
    if numbers:
        parts += _numbers(raw, analyzers, numbers, config)
    for name in config.buckets:
        boundaries = analyzers.quantiles(raw[name], config.bucket_count, f"{name}_buckets")
        bucket = tf.where(tf.math.is_nan(raw[name]), tf.constant(-1, tf.int64), place(raw[name], boundaries))
        parts.append(tf.one_hot(bucket, config.bucket_count))
    for column in _texts(columns):
        size, value = _size(column, config), raw[column.name]
        index = analyzers.indices(value, size, f"{column.name}_vocabulary")
        other = tf.where(tf.equal(value, ""), tf.constant(-1, tf.int64), tf.constant(size, tf.int64))
        parts.append(tf.one_hot(tf.where(index < 0, other, index), size + 1))
    return tf.concat(parts, axis=1)


def _numbers(raw: Mapping[str, Any], analyzers: Analyzers, columns: Sequence[Feature], config: Columns) -> list[Any]:
    """The z-scores, and for columns that may lack values whether they do."""
    value = tf.stack([_logarithm(raw[c.name]) if c.name in config.log else raw[c.name] for c in columns], axis=1)
    mean, variance = analyzers.moments(value, "numbers")
    gone = tf.math.is_nan(value)
    distance = tf.cast(value, tf.float64) - mean
    score = tf.cast(tf.math.divide_no_nan(distance, tf.broadcast_to(tf.sqrt(variance), tf.shape(distance))), tf.float32)
    parts = [tf.where(gone, tf.zeros_like(score), score)]
    optional = [place for place, column in enumerate(columns) if column.optional]
    if optional:
        parts.append(tf.cast(tf.gather(gone, optional, axis=1), tf.float32))
    return parts


def _logarithm(value: Any) -> Any:
    """sign(x) log(1 + |x|), which is defined everywhere and keeps the order."""
    return tf.sign(value) * tf.math.log1p(tf.abs(value))


def place(value: Any, boundaries: Any) -> Any:
    """How many of `boundaries`, float32 [count], are not above each of `value`, float32 [batch]: int64 [batch]."""
    return tf.reduce_sum(tf.cast(value[:, tf.newaxis] >= boundaries[tf.newaxis], tf.int64), axis=1)


def slice_names(columns: Sequence[Feature], config: Columns) -> tuple[str, ...]:
    """The keys by which the evaluation slices: a text column's own name, and "quarter of ..." of numbers."""
    kinds = {column.name: column.kind for column in columns}
    return tuple(name if kinds[name] == "text" else quarter(name) for name in config.slices)


def quarter(name: str) -> str:
    """The key of the slices of a column of numbers."""
    return f"quarter_of_{name}"


def slices(raw: Mapping[str, Any], analyzers: Analyzers, columns: Sequence[Feature], config: Columns) -> Tensors:
    """For each column of numbers among `config.slices` the quarter of the training split that a value falls into,
    string [batch]: "below 2.5", "2.5 to 4", "4 to 6", "6 and above", "missing".
    """
    kinds = {column.name: column.kind for column in columns}
    found = {}
    for name in (name for name in config.slices if kinds[name] == "number"):
        boundaries = analyzers.quantiles(raw[name], PARTS, f"{name}_quarters")
        ends = [tf.strings.as_string(end, shortest=True) for end in tf.unstack(boundaries, PARTS - 1)]
        middle = [tf.strings.join([low, " to ", high]) for low, high in itertools.pairwise(ends)]
        names = tf.stack([tf.strings.join(["below ", ends[0]]), *middle, tf.strings.join([ends[-1], " and above"])])
        value = raw[name]
        part = place(tf.where(tf.math.is_nan(value), tf.zeros_like(value), value), boundaries)
        found[quarter(name)] = tf.where(tf.math.is_nan(value), MISSING, tf.gather(names, part))
    return found


def _plain_numbers(columns: Sequence[Feature], config: Columns) -> list[Feature]:
    return [column for column in columns if column.kind == "number" and column.name not in config.buckets]


def _texts(columns: Sequence[Feature]) -> list[Feature]:
    return [column for column in columns if column.kind == "text"]


def _size(column: Feature, config: Columns) -> int:
    """Values of a text column with a unit of their own."""
    return min(config.vocabulary, column.distinct or config.vocabulary)


def inputs(columns: Sequence[Feature], config: Columns) -> Feature:
    """What the model takes."""
    names = unit_names(columns, config)
    return Feature("features", "tensor", (len(names),), classes=names, description="z-scores and indicators")
