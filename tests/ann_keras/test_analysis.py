"""The local pass by hand: means, moments with gaps, quantiles and vocabularies."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from ann_keras import registry
from ann_keras.analysis import Constants, analyze, masked_powers, moments_of
from ann_keras.task import Feature, Task


def asking(preprocess: Callable[[Any, Any], Any]) -> Task:
    task = registry.resolve("mlp").task
    return dataclasses.replace(task, features=(Feature("x", "number"),), preprocess=preprocess)


def found(values: Any, preprocess: Callable[[Any, Any], Any]) -> Constants:
    return analyze(asking(preprocess), tf.data.Dataset.from_tensor_slices({"x": values}))


def test_moments_leave_out_what_is_missing() -> None:
    nan = float("nan")
    value = tf.constant([[1.0, nan, nan], [3.0, 5.0, nan], [nan, 5.0, nan]])
    mean, variance = moments_of(tf.reduce_mean(masked_powers(value), axis=0))
    np.testing.assert_allclose(mean, [2, 5, 0])
    np.testing.assert_allclose(variance, [1, 0, 0])
    assert mean.dtype == variance.dtype == tf.float64


def test_moments_of_large_numbers_keep_their_digits() -> None:
    value = np.array([[16_000_000.0], [16_000_001.0], [16_000_002.0]], "float32")
    constants = found(value[:, 0], lambda raw, analyzers: analyzers.moments(raw["x"][:, None], "x"))
    mean, variance = constants.moments(None, "x")
    assert float(mean[0]) == 16_000_001
    assert float(variance[0]) == pytest.approx(2 / 3, rel=0.02)


@pytest.mark.parametrize("rows", [7, 256, 1000])
def test_quantiles_part_the_rows_alike(rows: int) -> None:
    values = np.random.default_rng(0).permutation(rows).astype("float32")
    values = np.concatenate([values, [np.nan] * 5]).astype("float32")
    constants = found(values, lambda raw, analyzers: analyzers.quantiles(raw["x"], 4, "x"))
    ends = constants.quantiles(None, 4, "x").numpy()
    sizes = np.histogram(values[:-5], [-np.inf, *ends, np.inf])[0]
    assert sizes.sum() == rows and np.ptp(sizes) <= 2


def test_a_vocabulary_is_by_frequency_then_backwards_by_name() -> None:
    texts = tf.constant(["b", "a", "c", "a", "", "c", "d", ""])
    constants = found(texts, lambda raw, analyzers: analyzers.indices(raw["x"], 3, "x"))
    # c and a are twice there, d and b once; the empty text is none.
    assert constants.found["x"].tolist() == [b"c", b"a", b"d"]
    assert constants.indices(tf.constant(["a", "d", "b", "", "new"]), 3, "x").numpy().tolist() == [1, 2, -1, -1, -1]


@given(st.lists(st.sampled_from(["x", "y", "zz", "ü", ""]), min_size=1, max_size=40), st.integers(1, 5))
def test_no_value_outside_is_more_frequent_than_one_inside(texts: list[str], size: int) -> None:
    constants = found(tf.constant(texts), lambda raw, analyzers: analyzers.indices(raw["x"], size, "x"))
    counts = Counter(texts)
    del counts[""]
    inside = [value.decode() for value in constants.found["x"]]
    assert len(inside) == min(size, len(counts))
    outside = [counts[value] for value in counts if value not in inside]
    assert min((counts[value] for value in inside), default=0) >= max(outside, default=0)


def test_a_column_without_a_text_has_no_vocabulary() -> None:
    constants = found(tf.constant(["", ""]), lambda raw, analyzers: analyzers.indices(raw["x"], 3, "x"))
    assert constants.indices(tf.constant(["a", ""]), 3, "x").numpy().tolist() == [-1, -1]
