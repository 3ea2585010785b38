"""Groups stay on one side of every split."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras import resampling
from ann_keras.datasets import grouped
from ann_keras.datasets.base import Index
from ann_keras.datasets.splits import Plan
from ann_keras.resampling import Pool
from tests.ann_keras.examples import Noise


def index_of(groups: list[int], **fields: object) -> Index:
    count = len(groups)
    keys = np.array([f"row/{row:04d}" for row in range(count)])
    zeros, official = np.zeros(count, np.int64), np.full(count, "", object)
    return dataclasses.replace(Index(keys, zeros, official, groups=np.array(groups)), **fields)  # type: ignore[arg-type]


def sides(split: np.ndarray, groups: np.ndarray | None) -> list[int]:
    assert groups is not None
    return [len(set(split[groups == group].tolist())) for group in np.unique(groups)]


def test_one_each_by_hand() -> None:
    each, place = grouped.one_each(index_of([7, 2, 7, 2, 5, 7]))
    assert each.keys.tolist() == ["row/0001", "row/0004", "row/0000"]
    assert each.labels.tolist() == [2, 1, 3]
    assert place.tolist() == [2, 0, 2, 0, 1, 2]
    assert each.groups is None
    assert grouped.rows_of(np.array([0, 2, 0]), place).tolist() == [1, 3, 0, 2, 5, 1, 3]
    labelled = index_of([1, 1, 0], labels=np.array([4, 3, 3]), contains=np.array([[1, 0], [0, 1], [0, 0]], bool))
    each, _ = grouped.one_each(labelled)
    assert each.labels.tolist() == [3, 4]
    assert each.contains is not None and each.contains.tolist() == [[False, False], [True, True]]


def test_without_groups_nothing_changes() -> None:
    index = dataclasses.replace(index_of([0, 1, 2]), groups=None)
    each, place = grouped.one_each(index)
    assert each is index and place.tolist() == [0, 1, 2]
    assert not grouped.by_size(index)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=40, max_size=150), st.integers(0, 3))
def test_no_group_is_parted(groups: list[int], seed: int) -> None:
    index = index_of(groups)
    split = Plan(seed).assign(index)
    assert set(sides(split, index.groups)) == {1}
    if len(set(groups)) >= 4:
        for fold in range(3):
            split = Plan(seed, folds=3, fold=fold).assign(index)
            assert set(sides(split, index.groups)) == {1}


def test_rows_are_divided_by_their_shares() -> None:
    # 200 groups of one, 100 of two, 50 of three and 10 of ten.
    sizes = np.repeat([1, 2, 3, 10], [200, 100, 50, 10])
    index = index_of(np.repeat(np.arange(360), sizes).tolist())
    split = Plan().assign(index)
    for name, share in (("train", 0.7), ("eval", 0.15), ("test", 0.15)):
        assert abs((split == name).sum() - share * len(index)) <= 10
    fold = Plan().k_fold(index, 5)
    assert np.ptp(np.bincount(fold)) <= 13
    order = np.random.default_rng(0).permutation(len(index))
    assert (Plan().assign(index.take(np.arange(len(index)))) == split).all()
    shuffled = dataclasses.replace(index, keys=index.keys[order], groups=index.groups[order])  # type: ignore[index]
    assert (Plan().assign(shuffled) == split[order]).all()


def test_official_splits_stay_and_the_rest_is_divided_by_groups() -> None:
    official = np.array(["test"] * 20 + ["train"] * 80, object)
    # Every group of five has a row in the official test split.
    index = index_of([row % 20 for row in range(100)], official=official)
    split = Plan().assign(index)
    assert ((split == "test") == (official == "test")).all()
    assert set(sides(split[20:], index.groups[20:])) == {1}  # type: ignore[index]
    assert (split == "eval").sum() == 12


def test_labels_are_still_stratified_and_small_classes_named() -> None:
    labels = np.repeat([0, 1], [60, 40])
    index = index_of((np.arange(100) // 2).tolist(), labels=labels, names=("a", "b"))
    split = Plan().assign(index)
    assert [(split[labels == 1] == name).sum() for name in ("train", "eval", "test")] == [28, 6, 6]
    rare = dataclasses.replace(index, labels=np.repeat([0, 1], [98, 2]))
    with pytest.raises(ValueError, match="class 'b' has 1 examples"):
        Plan().assign(rare)


@pytest.fixture(scope="module")
def pool() -> Pool:
    found = resampling.pool(Noise(rows=60, classes=2))
    return dataclasses.replace(found, labels=np.zeros(60, np.int64), groups=np.arange(60) // 3)


@pytest.mark.parametrize(("method", "count"), [("k_fold", 4), ("leave_one_out", None), ("bootstrap", 10)])
def test_rounds_keep_groups_whole(method: str, count: int | None, pool: Pool) -> None:
    assert pool.groups is not None
    for one in resampling.rounds(pool, method, count, Plan()):
        train, evaluation, test = (set(pool.groups[rows].tolist()) for rows in (one.train, one.eval, one.test))
        assert not train & evaluation and not train & test and not evaluation & test
        assert train and evaluation and test
    if method == "bootstrap":
        # As many groups are drawn as there are.
        assert len(one.train) + len(one.eval) == 60


def test_a_dataset_takes_its_groups_to_the_pool() -> None:
    class Grouped(Noise):
        def index(self) -> Index:
            found = super().index()
            official = np.where(np.arange(self.rows) < 12, "test", "")
            return dataclasses.replace(found, official=official, groups=np.arange(self.rows) // 2)

    found = resampling.pool(Grouped(rows=60))
    assert found.groups is not None and found.groups.tolist() == (np.arange(12, 60) // 2).tolist()
    assert found.index.groups is found.groups
