"""Which rows a round fits to and which it tests on."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from ann_keras import resampling
from ann_keras.datasets.base import DatasetError, Index
from ann_keras.datasets.splits import Plan
from ann_keras.resampling import METHODS, Pool, Round
from tests.ann_keras.examples import Noise

COUNTS = {"k_fold": 4, "leave_one_out": None, "bootstrap": 25}
ROWS = 60


@pytest.fixture(scope="module")
def examples() -> Pool:
    return resampling.pool(Noise(rows=ROWS))


def drawn(examples: Pool, method: str, **plan: Any) -> list[Round]:
    return list(resampling.rounds(examples, method, COUNTS[method], Plan(**plan)))


@pytest.mark.parametrize("method", METHODS)
def test_no_row_is_on_two_sides(examples: Pool, method: str) -> None:
    rounds = drawn(examples, method)
    assert len(rounds) == (COUNTS[method] or ROWS)
    for one in rounds:
        sides = [set(one.train), set(one.eval), set(one.test)]
        assert all(sides)
        assert sum(map(len, sides)) == len(set.union(*sides)) == ROWS


@pytest.mark.parametrize("method", ["k_fold", "leave_one_out"])
def test_each_row_is_tested_once(examples: Pool, method: str) -> None:
    tested = np.concatenate([one.test for one in drawn(examples, method)])
    assert sorted(tested) == list(range(ROWS))


def test_folds_and_early_stopping_are_stratified(examples: Pool) -> None:
    for one in drawn(examples, "k_fold"):
        assert np.bincount(examples.labels[one.test]).tolist() == [5, 5, 5]
        assert np.ptp(np.bincount(examples.labels[one.eval])) <= 1
        assert len(one.eval) == round(0.15 * 45)


def test_a_bootstrap_sample_has_as_many_draws_as_there_are_rows(examples: Pool) -> None:
    rounds = drawn(examples, "bootstrap")
    assert all(len(one.train) + len(one.eval) == ROWS for one in rounds)
    shares = [1 - len(one.test) / ROWS for one in rounds]
    assert np.mean(shares) == pytest.approx(1 - (1 - 1 / ROWS) ** ROWS, abs=0.02)
    assert any(not np.array_equal(mine.test, theirs.test) for mine, theirs in itertools.pairwise(rounds))
    again = drawn(examples, "bootstrap")
    assert all(np.array_equal(mine.train, theirs.train) for mine, theirs in zip(rounds, again, strict=True))
    other = drawn(examples, "bootstrap", seed=1)
    assert not all(np.array_equal(mine.test, theirs.test) for mine, theirs in zip(rounds, other, strict=True))


def test_folds_are_those_of_a_pipeline_for_each_fold(examples: Pool) -> None:
    index = Noise(rows=ROWS).index()
    for fold, one in enumerate(drawn(examples, "k_fold", seed=5)):
        names = Plan(seed=5, folds=4, fold=fold).assign(index)
        for name in ("train", "eval", "test"):
            np.testing.assert_array_equal(np.sort(getattr(one, name)), np.flatnonzero(names == name))


def test_an_official_test_split_takes_no_part() -> None:
    class Official(Noise):
        def index(self) -> Index:
            found = super().index()
            return dataclasses.replace(found, official=np.where(np.arange(self.rows) < 12, "test", ""))

    found = resampling.pool(Official(rows=ROWS))
    assert len(found) == ROWS - 12 == len(found.rows)
    assert [row.key for row in found.rows] == [f"noise/{row}" for row in range(12, ROWS)] == list(found.keys)


@pytest.mark.parametrize(
    ("method", "count", "said"),
    [
        ("k_fold", 1, "folds=1: expected 2 to 60"),
        ("k_fold", 61, "folds=61: expected 2 to 60"),
        ("bootstrap", 0, "rounds=0: expected at least 1"),
        ("jackknife", 1, "method='jackknife': expected one of k_fold, leave_one_out, bootstrap"),
    ],
)
def test_wrong_counts(examples: Pool, method: str, count: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        resampling.rounds(examples, method, count, Plan())


def test_a_class_too_small() -> None:
    rare = resampling.pool(Noise(rows=ROWS))
    labels = rare.labels.copy()
    labels[:2] = 3
    rare = dataclasses.replace(rare, labels=labels, classes=(*rare.classes, "rare"))
    with pytest.raises(DatasetError, match="class 'rare' has 2 examples, but 3 folds"):
        resampling.rounds(rare, "k_fold", 3, Plan())
    # Two suffice for the whole; a round that has one of them trains on it.
    for one in resampling.rounds(rare, "leave_one_out", None, Plan()):
        if set(one.test) & {0, 1}:
            assert not set(one.eval) & {0, 1}


def test_a_sample_that_leaves_nothing_out() -> None:
    tiny = resampling.pool(Noise(rows=4, classes=2))
    with pytest.raises(DatasetError, match="draws all 4 examples and leaves none to test"):
        list(resampling.rounds(tiny, "bootstrap", 100, Plan(eval_fraction=0.4, stratify=False)))


def test_rows_that_hold_several_classes_are_divided_by_all_of_them() -> None:
    class Several(Noise):
        def index(self) -> Index:
            found = super().index()
            contains = np.ones((len(found), 2), bool)
            contains[:, 1] = np.arange(len(found)) % 3 == 0
            return Index(found.keys, np.zeros(len(found), np.int64), found.official, ("ground", "car"), contains)

    pool = resampling.pool(Several(rows=ROWS))
    assert pool.contains is not None and pool.classes == ("ground", "car")
    cars = pool.contains[:, 1]
    for one in drawn(pool, "k_fold"):
        assert cars[one.test].sum() == 5
        assert cars[one.eval].sum() in (2, 3)
    assert any(cars[one.test].sum() != 5 for one in drawn(pool, "k_fold", by="dominant"))
