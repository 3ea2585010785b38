"""Splits: stratified hold-out, k-fold, leave-one-out and the bootstrap, deterministic in a seed and the rows' keys.

A row's place is drawn from a keyed hash of its key (BLAKE2b) and never from its position, so that neither the order of
the rows nor the number of shards or workers changes a split. Scripts and the pipeline call the same functions. A plan
divides groups of rows where an index has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ann_keras.datasets import grouped, iterative, keyed
from ann_keras.datasets.apportion import apportion, exact_fractions, smallest_class
from ann_keras.datasets.base import DatasetError, Index

HOLD_OUT = {"train": 0.7, "eval": 0.15, "test": 0.15}
SMALL_CLASSES = ("error", "train", "best_effort")
"""What becomes of a class with fewer examples than the splits need: an error; all of it to the first split (with folds:
to no fold, so that it is always trained on); divided as far as it goes, so that a split may lack the class. Rows that
hold several classes are always divided as far as they go."""
BY = ("contained", "dominant")
"""What rows that hold several classes are stratified by: all classes of each, or the dominant one."""


def hold_out(
    keys: np.ndarray,
    labels: np.ndarray,
    fractions: Mapping[str, float] = HOLD_OUT,
    seed: int = 0,
    stratify: bool = True,
    small_classes: str = "error",
    classes: Sequence[str] = (),
    contains: np.ndarray | None = None,
) -> np.ndarray:
    """Divides rows among named splits, exact to less than one example in every class and, where possible, in total.

    Rows that hold several classes are divided by iterative stratification: exact in total, and in every class as near
    as it gets; the first split gets one of each class, where it has room for as many rows as there are classes.

    Args:
        keys: str [rows], unique.
        labels: int [rows], what is stratified by.
        fractions: the share of each split; they sum to 1.
        seed: another seed gives another split.
        stratify: whether every class is divided by the fractions, or only the whole.
        small_classes: one of SMALL_CLASSES; not where `contains` is given.
        classes: names of the labels, for messages.
        contains: bool [rows, classes], the classes that a row holds, in place of `labels`; None where it holds one.

    Returns:
        str [rows], the name of each row's split.

    Raises:
        ValueError: naming the bad fraction, the duplicate key or the class that is too small.
    """
    shares = exact_fractions(fractions)
    _check_choice(small_classes)
    if stratify and contains is not None:
        return np.array(list(fractions))[iterative.divide(keys, contains, shares, f"hold_out/{seed}", promised=True)]
    strata = np.asarray(labels) if stratify else np.zeros(len(keys), np.int64)
    values, counts = np.unique(strata, return_counts=True)
    small = np.zeros(len(values), bool)
    if stratify and small_classes != "best_effort":
        small = np.array([count < smallest_class(shares, int(count)) for count in counts], bool)
    if small.any() and small_classes == "error":
        worst = int(np.flatnonzero(small)[0])
        least = smallest_class(shares, int(counts[worst]))
        raise _too_small(values[worst], counts[worst], f"{', '.join(fractions)} need at least {least}", classes)
    table = apportion(counts[~small], shares, everywhere=stratify)
    names = list(fractions)
    split = np.full(len(keys), names[0], dtype=f"U{max(map(len, names))}")
    members = _members(keys, strata, values, f"hold_out/{seed}")
    kept = [rows for rows, is_small in zip(members, small, strict=True) if not is_small]
    for rows, row_counts in zip(kept, table, strict=True):
        split[rows] = np.repeat(names, row_counts)
    return split


def k_fold(
    keys: np.ndarray,
    labels: np.ndarray,
    folds: int,
    seed: int = 0,
    stratify: bool = True,
    small_classes: str = "error",
    classes: Sequence[str] = (),
    contains: np.ndarray | None = None,
) -> np.ndarray:
    """Divides rows into folds whose sizes, in every class and in total, differ by one at most.

    Of rows that hold several classes the sizes in total do; every class is dealt out as evenly as iterative
    stratification gets it.

    Args:
        keys: str [rows], unique.
        labels: int [rows], what is stratified by.
        folds: their number, from 2 to the number of rows.
        seed: another seed gives other folds.
        stratify: whether every class is dealt out evenly, or only the whole.
        small_classes: one of SMALL_CLASSES; not where `contains` is given.
        classes: names of the labels, for messages.
        contains: bool [rows, classes], the classes that a row holds, in place of `labels`; None where it holds one.

    Returns:
        int64 [rows], the fold of each row from 0; -1 for the rows of a small class with `small_classes="train"`.

    Raises:
        ValueError: naming the bad number, the duplicate key or the class that is too small.
    """
    _check_choice(small_classes)
    if not 2 <= folds <= len(keys):
        raise ValueError(f"folds={folds}: expected 2 to {len(keys)}, the number of examples")
    if stratify and contains is not None:
        return iterative.divide(keys, contains, [Fraction(1, folds)] * folds, f"k_fold/{seed}")
    strata = np.asarray(labels) if stratify else np.zeros(len(keys), np.int64)
    values = np.unique(strata)
    fold = np.full(len(keys), -1, np.int64)
    dealt = 0
    for value, rows in zip(values, _members(keys, strata, values, f"k_fold/{seed}"), strict=True):
        if len(rows) < folds and small_classes == "error":
            raise _too_small(value, len(rows), f"{folds} folds need at least {folds}", classes)
        if len(rows) < folds and small_classes == "train":
            continue
        # Dealt out like cards, going on where the class before stopped.
        fold[rows] = (dealt + np.arange(len(rows))) % folds
        dealt += len(rows)
    return fold


def leave_one_out(rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields, for each of `rows` rows, the indices of all others, int64 [rows - 1], and its own, int64 [1]."""
    if rows < 2:
        raise ValueError(f"rows={rows}: leave-one-out needs at least 2")
    everything = np.arange(rows)
    for row in everything:
        yield np.delete(everything, row), everything[row : row + 1]


def bootstrap(
    keys: np.ndarray, labels: np.ndarray | None = None, rounds: int = 100, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draws rows with repetition, as many as there are (Efron 1979).

    Args:
        keys: str [rows], unique.
        labels: int [rows] to draw within each class, as many as it has; None to draw from the whole.
        rounds: the number of samples.
        seed: another seed gives other samples.

    Yields:
        The indices drawn, int64 [rows] with repetition, and those out of the bag, int64 [rows never drawn], ascending.
    """
    if rounds < 1:
        raise ValueError(f"rounds={rounds}: expected at least 1")
    strata = np.zeros(len(keys), np.int64) if labels is None else np.asarray(labels)
    members = _members(keys, strata, np.unique(strata), f"bootstrap/{seed}")
    for number in range(rounds):
        generator = np.random.default_rng((seed % 2**63, number))
        drawn = [rows[generator.integers(0, len(rows), len(rows))] for rows in members]
        in_bag = np.concatenate(drawn) if drawn else np.zeros(0, np.int64)
        yield in_bag, np.setdiff1d(np.arange(len(keys)), in_bag)


@dataclass(frozen=True)
class Plan:
    """How a dataset becomes train, eval and test.

    Attributes:
        seed: of all draws.
        eval_fraction: share of the validation split: of all rows, or of those that no official split holds.
        test_fraction: share of the test split; unused where there is an official one, or folds.
        folds: number of folds; None for a hold-out.
        fold: the fold that is the test split of this run; given with `folds`.
        small_classes: one of SMALL_CLASSES.
        stratify: whether every class is divided alike.
        by: one of BY.
    """

    seed: int = 0
    eval_fraction: float = 0.15
    test_fraction: float = 0.15
    folds: int | None = None
    fold: int | None = None
    small_classes: str = "error"
    stratify: bool = True
    by: str = "contained"

    def __post_init__(self) -> None:
        for name in ("eval_fraction", "test_fraction"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected a number between 0 and 1, both excluded")
        if self.eval_fraction + self.test_fraction >= 1:
            shares = f"eval_fraction={self.eval_fraction} and test_fraction={self.test_fraction}"
            raise ValueError(f"{shares} leave nothing to train on")
        if self.folds is not None and self.folds < 2:
            raise ValueError(f"folds={self.folds}: expected at least 2")
        if (self.fold is None) != (self.folds is None):
            raise ValueError(f"folds={self.folds} with fold={self.fold}: give both or neither")
        if self.fold is not None and not 0 <= self.fold < (self.folds or 0):
            raise ValueError(f"fold={self.fold}: expected 0 to {(self.folds or 0) - 1}")
        _check_choice(self.small_classes)
        if self.by not in BY:
            raise ValueError(f"by={self.by!r}: expected one of {', '.join(BY)}")

    def assign(self, index: Index) -> np.ndarray:
        """Returns str [rows]: "train", "eval", "test", or "" for a row that takes no part.

        An official test split stays the test split and an official validation split the eval split; the rest is
        divided. With folds, fold `fold` of all rows outside the official test split is "test", a stratified share of
        the others is "eval", and the official test split takes no part.

        Raises:
            DatasetError: for duplicate keys, or a class that is too small.
        """
        try:
            return self._assign_fold(index) if self.folds else self._assign_hold_out(index)
        except ValueError as error:
            raise DatasetError(str(error)) from None

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Plan:
        """The plan with these fields."""
        return cls(**fields)

    def hold_out(self, index: Index, fractions: Mapping[str, float], small_classes: str | None = None) -> np.ndarray:
        """`hold_out` of the rows of an index as the plan wants it.

        Args:
            index: of the rows to divide.
            fractions: the share of each split; they sum to 1.
            small_classes: in place of the plan's; None for that.
        """
        each, place = grouped.one_each(index)
        small = "best_effort" if grouped.by_size(index) else small_classes or self.small_classes
        split = hold_out(
            each.keys, each.labels, fractions, self.seed, self.stratify, small, each.names, self._contained(each)
        )
        return split[place]

    def k_fold(self, index: Index, folds: int) -> np.ndarray:
        """`k_fold` of the rows of an index as the plan wants it."""
        each, place = grouped.one_each(index)
        small = "best_effort" if grouped.by_size(index) else self.small_classes
        fold = k_fold(each.keys, each.labels, folds, self.seed, self.stratify, small, each.names, self._contained(each))
        return fold[place]

    def _contained(self, index: Index) -> np.ndarray | None:
        return index.contains if self.by == "contained" else None

    def _assign_hold_out(self, index: Index) -> np.ndarray:
        official_test, official_eval = index.official == "test", index.official == "validation"
        fractions = {"train": 1.0}
        if not official_eval.any():
            fractions["eval"] = self.eval_fraction
        if not official_test.any():
            fractions["test"] = self.test_fraction
        fractions["train"] = 1.0 - sum(share for name, share in fractions.items() if name != "train")
        split = np.where(official_test, "test", np.where(official_eval, "eval", "train"))
        rest = np.flatnonzero(split == "train")
        split[rest] = self.hold_out(index.take(rest), fractions)
        return split

    def _assign_fold(self, index: Index) -> np.ndarray:
        split = np.full(len(index), "", dtype="U5")
        development = np.flatnonzero(index.official != "test")
        fold = self.k_fold(index.take(development), self.folds or 0)
        split[development[fold == self.fold]] = "test"
        rest = development[fold != self.fold]
        fractions = {"train": 1.0 - self.eval_fraction, "eval": self.eval_fraction}
        split[rest] = self.hold_out(index.take(rest), fractions)
        return split


def _members(keys: np.ndarray, strata: np.ndarray, values: np.ndarray, purpose: str) -> list[np.ndarray]:
    """For each of `values`, the sorted classes, the indices of its rows in the order of their keyed hashes."""
    order = np.lexsort((keyed.ranks(keys, purpose), strata))
    return np.split(order, np.searchsorted(strata[order], values[1:])) if len(values) else []


def _check_choice(small_classes: str) -> None:
    if small_classes not in SMALL_CLASSES:
        raise ValueError(f"small_classes={small_classes!r}: expected one of {', '.join(SMALL_CLASSES)}")


def _too_small(value: Any, count: Any, need: str, classes: Sequence[str]) -> ValueError:
    name = repr(classes[int(value)]) if 0 <= int(value) < len(classes) else str(value)
    fallbacks = " or ".join(repr(choice) for choice in SMALL_CLASSES[1:])
    return ValueError(
        f"class {name} has {count} examples, but {need}; add examples or set small_classes to {fallbacks}"
    )
