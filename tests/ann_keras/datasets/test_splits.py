"""Splits: hand-computed examples, and properties over random data."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.datasets import splits
from ann_keras.datasets.apportion import apportion, exact_fractions
from ann_keras.datasets.base import DatasetError, Index


def rows(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.array([f"row/{number}" for number in range(len(labels))], dtype="U12"), labels


def count(split: np.ndarray, labels: np.ndarray, names: list[str]) -> list[list[int]]:
    return [[int(((labels == label) & (split == name)).sum()) for name in names] for label in np.unique(labels)]


SHARES = st.lists(st.integers(0, 20), min_size=1, max_size=4).filter(any)
CLASSES = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def fractions_of(weights: list[int]) -> dict[str, float]:
    return {f"split{number}": weight / sum(weights) for number, weight in enumerate(weights)}


def test_by_hand() -> None:
    # 20 x (0.7, 0.15, 0.15) is whole; 10 x gives 7, 1.5, 1.5: the odd example goes to the split that is owed more.
    keys, labels = rows([20, 10, 10])
    found = count(splits.hold_out(keys, labels), labels, ["train", "eval", "test"])
    assert found == [[14, 3, 3], [7, 2, 1], [7, 1, 2]]


def test_tenths_are_exact() -> None:
    keys, labels = rows([30])
    split = splits.hold_out(keys, labels, {"a": 0.1, "b": 0.2, "c": 0.7})
    assert count(split, labels, ["a", "b", "c"]) == [[3, 6, 21]]


@settings(max_examples=200, deadline=None)
@given(CLASSES, SHARES, st.integers(0, 3))
def test_exact_in_every_class_and_in_total(counts: list[int], weights: list[int], seed: int) -> None:
    fractions = fractions_of(weights)
    keys, labels = rows(counts)
    split = splits.hold_out(keys, labels, fractions, seed, small_classes="best_effort")
    assert set(split) <= set(fractions)
    shares = exact_fractions(fractions)
    for number, found in zip(counts, count(split, labels, list(fractions)), strict=True):
        assert sum(found) == number
        assert all(abs(have - number * share) < 1 for have, share in zip(found, shares, strict=True))


@settings(max_examples=200, deadline=None)
@given(CLASSES, SHARES)
def test_totals_are_rounded_too(counts: list[int], weights: list[int]) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    table = apportion(np.array(counts), shares, everywhere=False)
    for have, share in zip(table.sum(axis=0), shares, strict=True):
        assert math.floor(sum(counts) * share) <= have <= math.ceil(sum(counts) * share)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(4, 30), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_split_has_every_class_whatever_the_order(counts: list[int], random) -> None:  # type: ignore[no-untyped-def]
    keys, labels = rows(counts)
    split = splits.hold_out(keys, labels)
    assert all(all(row) for row in count(split, labels, ["train", "eval", "test"]))
    order = list(range(len(keys)))
    random.shuffle(order)
    assert (splits.hold_out(keys[order], labels[order]) == split[order]).all()
    fold = splits.k_fold(keys, labels, 3, seed=1)
    assert (splits.k_fold(keys[order], labels[order], 3, seed=1) == fold[order]).all()


def test_seeds_differ_and_repeat() -> None:
    keys, labels = rows([100, 100])
    first = splits.hold_out(keys, labels, seed=1)
    assert (first == splits.hold_out(keys, labels, seed=1)).all()
    assert (first != splits.hold_out(keys, labels, seed=2)).any()


def test_keys_are_spread_evenly() -> None:
    # Neighbouring keys do not travel together: of 10,000 pairs about 0.7^2 + 2 x 0.15^2 share a split.
    keys, labels = rows([10_000])
    split = splits.hold_out(keys, labels)
    assert abs((split[1:] == split[:-1]).mean() - 0.535) < 0.02


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"train": 1.2, "eval": -0.2}, "eval=-0.2"),
        ({"train": 0.5, "eval": 0.4}, "sum is 0.9"),
        ({"train": float("nan")}, "train=nan"),
        ({}, "empty"),
    ],
)
def test_bad_fractions_are_named(fractions: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        splits.hold_out(*rows([10]), fractions)


def test_duplicate_keys_are_named() -> None:
    keys, labels = rows([10])
    keys[7] = keys[3]
    for draw in (splits.hold_out, lambda k, y: splits.k_fold(k, y, 2), lambda k, y: next(splits.bootstrap(k, y))):
        with pytest.raises(ValueError, match="'row/3' stands for more than one"):
            draw(keys, labels)


def test_small_classes() -> None:
    keys, labels = rows([20, 3])
    with pytest.raises(ValueError, match=r"class 'rare' has 3 examples, but train, eval, test need at least 4"):
        splits.hold_out(keys, labels, classes=("common", "rare"))
    assert set(splits.hold_out(keys, labels, small_classes="train")[20:]) == {"train"}
    assert count(splits.hold_out(keys, labels, small_classes="best_effort"), labels, ["train"])[1] == [2]
    with pytest.raises(ValueError, match="small_classes='drop': expected one of error, train, best_effort"):
        splits.hold_out(keys, labels, small_classes="drop")
    with pytest.raises(ValueError, match="class 1 has 3 examples, but 5 folds need at least 5"):
        splits.k_fold(keys, labels, 5)
    assert set(splits.k_fold(keys, labels, 5, small_classes="train")[20:]) == {-1}


def test_without_stratification_only_the_whole_is_exact() -> None:
    keys, labels = rows([1] * 40)
    split = splits.hold_out(keys, labels, stratify=False)
    assert [int((split == name).sum()) for name in ("train", "eval", "test")] == [28, 6, 6]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(5, 30), min_size=1, max_size=6), st.integers(2, 5), st.booleans())
def test_folds_cover_and_differ_by_one(counts: list[int], folds: int, stratify: bool) -> None:
    keys, labels = rows(counts)
    fold = splits.k_fold(keys, labels, folds, seed=3, stratify=stratify)
    assert set(fold) == set(range(folds))
    assert np.ptp(np.bincount(fold, minlength=folds)) <= 1
    if stratify:
        assert all(np.ptp(np.bincount(fold[labels == label], minlength=folds)) <= 1 for label in set(labels))


@pytest.mark.parametrize("folds", [-1, 0, 1, 11])
def test_bad_number_of_folds(folds: int) -> None:
    with pytest.raises(ValueError, match=f"folds={folds}: expected 2 to 10"):
        splits.k_fold(*rows([10]), folds)


def test_leave_one_out() -> None:
    found = [(train.tolist(), test.tolist()) for train, test in splits.leave_one_out(3)]
    assert found == [([1, 2], [0]), ([0, 2], [1]), ([0, 1], [2])]
    with pytest.raises(ValueError, match="rows=1"):
        next(splits.leave_one_out(1))


def test_bootstrap() -> None:
    keys, labels = rows([600, 400])
    for in_bag, out in splits.bootstrap(keys, labels, rounds=5):
        assert np.bincount(labels[in_bag]).tolist() == [600, 400]
        assert set(in_bag) | set(out) == set(range(1000))
        assert not set(in_bag) & set(out)
        assert abs(len(out) / 1000 - math.exp(-1)) < 0.05
    drawn = [tuple(in_bag) for in_bag, _ in splits.bootstrap(keys, rounds=3)]
    assert len(set(drawn)) == 3
    order = np.random.default_rng(0).permutation(1000)
    other = next(splits.bootstrap(keys[order]))[0]
    assert (keys[order][other] == keys[list(drawn[0])]).all()
    with pytest.raises(ValueError, match="rounds=0"):
        next(splits.bootstrap(keys, rounds=0))


def index(counts: list[int], **official: int) -> Index:
    keys, labels = rows(counts)
    marks = np.array([name for name, number in official.items() for _ in range(number)], dtype=object)
    order = np.random.default_rng(0).permutation(len(keys))
    return Index(keys[order], labels[order], marks if len(marks) else np.full(len(keys), "", dtype=object))


def test_plan_divides_by_its_fractions() -> None:
    split = splits.Plan().assign(index([100, 100]))
    assert {name: int((split == name).sum()) for name in set(split)} == {"train": 140, "eval": 30, "test": 30}


def test_plan_keeps_official_splits() -> None:
    data = index([100, 100], train=140, test=60)
    split = splits.Plan().assign(data)
    assert ((split == "test") == (data.official == "test")).all()
    assert int((split == "eval").sum()) in (20, 21, 22)
    data = index([100, 100], train=100, validation=40, test=60)
    split = splits.Plan().assign(data)
    assert (split == [{"validation": "eval"}.get(mark, mark) for mark in data.official]).all()
    split = splits.Plan().assign(index([100, 100], train=160, validation=40))
    assert {name: int((split == name).sum()) for name in set(split)} == {"train": 136, "eval": 40, "test": 24}


def test_plan_folds_cover_the_development_rows() -> None:
    data = index([50, 50], train=80, test=20)
    tested = np.zeros(100, int)
    for fold in range(4):
        split = splits.Plan(folds=4, fold=fold).assign(data)
        assert (split[data.official == "test"] == "").all()
        assert set(split[data.official != "test"]) == {"train", "eval", "test"}
        tested += split == "test"
    assert (tested == (data.official != "test")).all()


def test_plan_names_the_class_that_is_too_small() -> None:
    with pytest.raises(DatasetError, match="class 'rare' has 2 examples"):
        splits.Plan().assign(dataclasses.replace(index([50, 2]), names=("common", "rare")))


def test_plan_travels_as_json() -> None:
    plan = splits.Plan(seed=3, folds=5, fold=2, small_classes="train")
    assert splits.Plan.from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize(
    "fields",
    [
        {"eval_fraction": 0.0},
        {"test_fraction": 1.0},
        {"eval_fraction": 0.6, "test_fraction": 0.4},
        {"folds": 1, "fold": 0},
        {"folds": 3},
        {"fold": 0},
        {"fold": 3, "folds": 3},
        {"small_classes": "x"},
    ],
)
def test_plan_refuses(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(fields))):
        splits.Plan(**fields)  # type: ignore[arg-type]
