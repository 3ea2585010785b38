"""The rounds of a validation: which examples each fits to, lets early stopping look at, and tests on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras import data
from ann_keras.data import Rows
from ann_keras.datasets import grouped, splits
from ann_keras.datasets.base import Dataset, DatasetError, Index, named_index
from ann_keras.datasets.splits import Plan

METHODS = ("k_fold", "leave_one_out", "bootstrap")


@dataclass(frozen=True, eq=False)
class Pool:
    """The examples that are resampled.

    Attributes:
        rows: the examples.
        keys: str [rows], unique.
        labels: int64 [rows], what is stratified by.
        classes: names of the labels, for messages.
        fingerprint: changes when any example does.
        contains: bool [rows, classes], the classes that a row holds; None where each has the one of its label.
        groups: int64 [rows], what stays on one side; None where each row stands for itself.
    """

    rows: Rows
    keys: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...] = ()
    fingerprint: str = ""
    contains: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def index(self) -> Index:
        """What splits are drawn from; no row has an official one."""
        official = np.full(len(self), "", object)
        return Index(self.keys, self.labels, official, self.classes, self.contains, self.groups)


@dataclass(frozen=True, eq=False)
class Round:
    """Places in a pool, int64, of a round's rows; those of a bootstrap sample repeat.

    Attributes:
        train: what is fitted to.
        eval: what early stopping looks at; shares no row with `train`.
        test: what was held out; shares no row with the others.
    """

    train: np.ndarray
    eval: np.ndarray
    test: np.ndarray


def pool(dataset: Dataset) -> Pool:
    """Reads all rows of a dataset outside its official test split.

    Raises:
        DatasetError: for a row that cannot be read, naming it.
    """
    index = named_index(dataset)
    wanted = index.official != "test"
    everything = data.read(dataset, wanted)
    if len(everything) != len(index):
        raise DatasetError(f"{dataset.name}: {len(everything)} examples where the index has {len(index)}")
    places = np.flatnonzero(wanted)
    kept = index.take(places)
    rows, stamp = everything.take(places), dataset.fingerprint()
    return Pool(rows, kept.keys, kept.labels, kept.names, stamp, kept.contains, kept.groups)


def check(rows: int, method: str, count: int | None) -> int:
    """The number of rounds; a ValueError where `method` is unknown or `count` does not fit `rows` examples."""
    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(METHODS)}")
    if method == "leave_one_out":
        if rows < 3:
            raise ValueError(f"leave-one-out needs at least 3 examples, there are {rows}")
        return rows
    if method == "k_fold" and (count is None or not 2 <= count <= rows):
        raise ValueError(f"folds={count}: expected 2 to {rows}, the number of examples")
    if count is None or count < 1:
        raise ValueError(f"rounds={count}: expected at least 1")
    return count


def rounds(examples: Pool, method: str, count: int | None, plan: Plan) -> Iterator[Round]:
    """Yields the rows of each round.

    Folds are those of `splits.k_fold`, stratified where `plan.stratify` says so; the bootstrap draws from the whole. Of
    what a round has for training, the rows of its distinct keys are divided into training and early stopping by
    `splits.hold_out`; a row that was drawn twice is there twice, on the same side.

    Raises:
        DatasetError: for a class that is too small.
        ValueError: as of `check`, and for a bootstrap sample that leaves no example out.
    """
    total = check(len(examples), method, count)
    try:
        if method == "k_fold":
            fold = plan.k_fold(examples.index, total)
            pairs: Any = ((np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(total))
        else:
            # What the whole cannot be divided into, no round can.
            _divide(examples, np.arange(len(examples)), plan, plan.small_classes)
            leave_out = method == "leave_one_out"
            pairs = _left_out(examples.index) if leave_out else _bootstrap(examples.index, total, plan.seed)
    except ValueError as error:
        raise DatasetError(str(error)) from None
    # Chance may leave a class fewer rows than both sides need, which is no reason to end: it is then trained on.
    small = plan.small_classes if method == "k_fold" or plan.small_classes != "error" else "train"
    return _carved(examples, pairs, plan, small)


def _left_out(index: Index) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each row, and the rows outside of its group."""
    for others, row in splits.leave_one_out(len(index)):
        yield others if index.groups is None else others[index.groups[others] != index.groups[row]], row


def _bootstrap(index: Index, rounds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows of the groups that were drawn, and those of the others."""
    each, place = grouped.one_each(index)
    for drawn, out in splits.bootstrap(each.keys, None, rounds, seed):
        yield grouped.rows_of(drawn, place), np.sort(grouped.rows_of(out, place))


def _carved(examples: Pool, pairs: Any, plan: Plan, small_classes: str) -> Iterator[Round]:
    for number, (available, test) in enumerate(pairs):
        if not len(test):
            raise DatasetError(
                f"round {number + 1} draws all {len(examples)} examples and leaves none to test; add examples"
            )
        yield Round(*_divide(examples, available, plan, small_classes), test)


def _divide(examples: Pool, available: np.ndarray, plan: Plan, small_classes: str) -> tuple[np.ndarray, np.ndarray]:
    """Training and early stopping, of places that may repeat."""
    distinct, place = np.unique(available, return_inverse=True)
    fractions = {"train": 1.0 - plan.eval_fraction, "eval": plan.eval_fraction}
    try:
        side = plan.hold_out(examples.index.take(distinct), fractions, small_classes)
    except ValueError as error:
        raise DatasetError(str(error)) from None
    for name in fractions:
        if not (side == name).any():
            raise DatasetError(f"of {len(distinct)} examples none is left for the {name} split")
    return available[side[place] == "train"], available[side[place] == "eval"]


def all_rows(examples: Pool, plan: Plan) -> Round:
    """The round of the apparent figure: a model fitted to all rows, tested on the same ones."""
    everything = np.arange(len(examples))
    return Round(*_divide(examples, everything, plan, plan.small_classes), everything)
