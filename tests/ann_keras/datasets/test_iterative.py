"""Iterative stratification: by hand, and what holds of any rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.datasets import iterative, splits
from ann_keras.datasets.apportion import exact_fractions
from ann_keras.datasets.base import Index

SHARES = exact_fractions(splits.HOLD_OUT)


def keys_of(rows: int) -> np.ndarray:
    return np.array([f"row/{number}" for number in range(rows)], dtype="U12")


def drawn(rows: int, shares: list[float], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, len(shares))) < shares


CONTAINS = st.builds(
    drawn, st.integers(1, 60), st.lists(st.floats(0, 1), min_size=1, max_size=8), st.integers(0, 2**16)
)
WEIGHTS = st.lists(st.integers(1, 20), min_size=1, max_size=4)


def index(contains: np.ndarray, official: np.ndarray | None = None) -> Index:
    marks = np.full(len(contains), "", object) if official is None else official
    return Index(keys_of(len(contains)), contains.argmax(axis=1), marks, contains=contains)


def test_by_hand() -> None:
    # Class 1, the scarcest, goes first: two rows of which a half each is wanted by either split. Each of them holds
    # class 0 too, of which three rows are left to either; four of the other six go where there is room.
    contains = np.array([[1, 1], [1, 1], [1, 0], [1, 0], [1, 0], [1, 0], [0, 0], [0, 0]], bool)
    split = iterative.divide(keys_of(8), contains, exact_fractions({"a": 0.5, "b": 0.5}), "test")
    assert [contains[split == number].sum(axis=0).tolist() for number in (0, 1)] == [[3, 1], [3, 1]]
    assert np.bincount(split).tolist() == [4, 4]


def test_two_classes_that_the_dominant_one_alone_would_miss() -> None:
    # Class 0 dominates everywhere; class 1 is in 20 rows of 100: 14, 3 and 3.
    contains = np.ones((100, 2), bool)
    contains[:, 1] = np.arange(100) < 20
    split = splits.hold_out(keys_of(100), np.zeros(100, int), contains=contains)
    assert [int(contains[split == name, 1].sum()) for name in splits.HOLD_OUT] == [14, 3, 3]
    assert [int((split == name).sum()) for name in splits.HOLD_OUT] == [70, 15, 15]


@settings(max_examples=100, deadline=None)
@given(CONTAINS, WEIGHTS, st.integers(0, 3))
def test_sizes_are_exact_and_the_first_split_gets_every_class(
    contains: np.ndarray, weights: list[int], seed: int
) -> None:
    fractions = {f"split{number}": weight / sum(weights) for number, weight in enumerate(weights)}
    split = splits.hold_out(keys_of(len(contains)), contains.argmax(axis=1), fractions, seed, contains=contains)
    sizes = [int((split == name).sum()) for name in fractions]
    for size, share in zip(sizes, exact_fractions(fractions), strict=True):
        assert math.floor(len(contains) * share) <= size <= math.ceil(len(contains) * share)
    if sizes[0] >= contains.shape[1]:
        assert (contains[split == "split0"].any(axis=0) == contains.any(axis=0)).all()


@settings(max_examples=50, deadline=None)
@given(CONTAINS.filter(lambda one: len(one) > 6), st.integers(2, 6))
def test_folds_differ_by_one(contains: np.ndarray, folds: int) -> None:
    fold = splits.k_fold(keys_of(len(contains)), contains.argmax(axis=1), folds, contains=contains)
    sizes = np.bincount(fold, minlength=folds)
    assert (sizes.sum(), len(sizes)) == (len(contains), folds)
    assert sizes.max() - sizes.min() <= 1


@settings(max_examples=50, deadline=None)
@given(CONTAINS, st.integers(0, 2**16))
def test_the_order_of_rows_changes_nothing(contains: np.ndarray, seed: int) -> None:
    keys, order = keys_of(len(contains)), np.random.default_rng(seed).permutation(len(contains))
    split = iterative.divide(keys, contains, SHARES, "test", promised=True)
    assert (iterative.divide(keys[order], contains[order], SHARES, "test", promised=True) == split[order]).all()


def test_another_seed_is_another_split() -> None:
    contains = drawn(60, [0.5, 0.2], 0)
    one, two = (splits.hold_out(keys_of(60), contains.argmax(1), seed=seed, contains=contains) for seed in (0, 1))
    assert (one != two).any()


def test_nearer_to_the_shares_than_chance() -> None:
    contains = drawn(400, [0.9, 0.5, 0.3, 0.1, 0.05, 0.02], 1)
    wanted = np.outer(list(splits.HOLD_OUT.values()), contains.sum(axis=0))

    def off(split: np.ndarray) -> float:
        found = np.stack([contains[split == name].sum(axis=0) for name in splits.HOLD_OUT])
        return float(np.abs(found - wanted).mean())

    keys, labels = keys_of(400), contains.argmax(axis=1)
    errors = [off(splits.hold_out(keys, labels, seed=seed, contains=contains)) for seed in range(5)]
    chance = [off(splits.hold_out(keys, labels, seed=seed, stratify=False)) for seed in range(5)]
    # No row can be cut: even the best split is off by a fraction of one.
    assert np.mean(errors) < 0.5 * np.mean(chance)


def test_a_class_of_one_row_is_trained_on() -> None:
    contains = drawn(50, [0.5, 0.5], 2)
    contains = np.column_stack([contains, np.arange(50) == 17])
    for seed in range(10):
        assert splits.hold_out(keys_of(50), contains.argmax(1), seed=seed, contains=contains)[17] == "train"


def test_the_plan_divides_by_all_classes_or_by_the_dominant_one() -> None:
    contains = drawn(200, [0.7, 0.3, 0.1], 3)
    data = index(contains)
    labels, keys = data.labels, data.keys
    assert (splits.Plan().assign(data) == splits.hold_out(keys, labels, contains=contains)).all()
    dominant = splits.Plan(by="dominant").assign(data)
    assert (dominant == splits.hold_out(keys, labels)).all()
    plain = splits.Plan(stratify=False).assign(data)
    assert (plain == splits.hold_out(keys, labels, stratify=False)).all()
    with pytest.raises(ValueError, match="by='both': expected one of contained, dominant"):
        splits.Plan(by="both")


def test_official_splits_and_folds() -> None:
    contains = drawn(100, [0.7, 0.3, 0.1], 4)
    official = np.array(["test"] * 20 + ["train"] * 80, dtype=object)
    data, tested = index(contains, official), np.zeros(100, int)
    split = splits.Plan().assign(data)
    assert ((split == "test") == (official == "test")).all()
    assert int((split == "eval").sum()) == 12
    for fold in range(4):
        split = splits.Plan(folds=4, fold=fold).assign(data)
        assert (split[official == "test"] == "").all()
        tested += split == "test"
    assert (tested == (official != "test")).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"contains of the shape \(3, 2\): expected 4 rows by classes"):
        iterative.divide(keys_of(4), np.ones((3, 2), bool), SHARES, "test")
    with pytest.raises(ValueError, match="'row/0' stands for more than one example"):
        iterative.divide(np.array(["row/0"] * 4), np.ones((4, 2), bool), SHARES, "test")
