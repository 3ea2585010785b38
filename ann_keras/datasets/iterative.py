"""Iterative stratification: rows that hold several classes each, divided so that every class is divided alike.

Sechidis, Tsoumakas and Vlahavas (2011), On the Stratification of Multi-Label Data, algorithm 1: the class with the
fewest rows left goes first, and each of its rows to the split that still wants most of that class. Three things are
fixed that the paper leaves open or to chance: ties go by a keyed hash of the row's key, a split that is full takes no
more, so that sizes are exact, and the first split may be promised a row of every class.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from ann_keras.datasets import keyed
from ann_keras.datasets.apportion import apportion

EQUAL = 1e-9
"""Shares of rows that differ by less are the same one, rounded twice."""


def divide(
    keys: np.ndarray, contains: np.ndarray, shares: Sequence[Fraction], purpose: str, promised: bool = False
) -> np.ndarray:
    """Divides rows among splits.

    Args:
        keys: str [rows], unique.
        contains: bool [rows, classes], the classes that a row holds; it may hold none.
        shares: [splits], exact, with the sum 1.
        purpose: what is drawn, with its seed.
        promised: whether split 0 gets a row of every class that has one; it does where it has room for as many rows as
            there are classes, and else of as many as it can.

    Returns:
        int64 [rows], the number of each row's split. Sizes are the shares of all rows, rounded up or down.

    Raises:
        ValueError: for keys that are not unique, or another number of rows.
    """
    contains = np.asarray(contains, bool)
    if contains.ndim != 2 or len(contains) != len(keys):
        raise ValueError(f"contains of the shape {contains.shape}: expected {len(keys)} rows by classes")
    ranks = keyed.ranks(keys, purpose)
    dealing = _Dealing(contains, shares, promised)
    split = np.full(len(keys), -1, np.int64)
    order = np.argsort(ranks)
    while (dealing.left > 0).any():
        scarcest = int(np.argmin(np.where(dealing.left > 0, dealing.left, len(keys) + 1)))
        for row in order[(split[order] < 0) & contains[order, scarcest]]:
            split[row] = dealing.deal(scarcest, np.flatnonzero(contains[row]), int(ranks[row]))
    # What holds no class fills up what has room.
    split[order[split[order] < 0]] = np.repeat(np.arange(len(shares)), dealing.room)
    return split


class _Dealing:
    """What is left to deal, and what every split still wants.

    Attributes:
        left: int64 [classes], rows of each class that are not dealt yet.
        wanted: float64 [splits, classes], rows of each class that a split still wants; below 0 where it has too many.
        room: rows that a split still takes.
    """

    def __init__(self, contains: np.ndarray, shares: Sequence[Fraction], promised: bool) -> None:
        self.left = contains.sum(axis=0)
        self.wanted = np.outer([float(share) for share in shares], self.left)
        self.room: list[int] = apportion(np.array([len(contains)]), shares)[0].tolist()
        self._owed = (self.left > 0) & promised

    def deal(self, scarcest: int, held: np.ndarray, rank: int) -> int:
        """The split that gets a row with the classes `held`, int64 [any], of which `scarcest` decides."""
        split = self._chosen(scarcest, held, rank)
        self.left[held] -= 1
        self.wanted[split, held] -= 1
        self.room[split] -= 1
        if split == 0:
            self._owed[held] = False
        return split

    def _chosen(self, scarcest: int, held: np.ndarray, rank: int) -> int:
        takers = [split for split, room in enumerate(self.room) if room]
        owed = self._owed[held]
        if 0 in takers and (owed & (self.left[held] == 1)).any():
            return 0
        # The room that split 0 needs for what it was promised goes to no other row.
        if 0 in takers and len(takers) > 1 and not owed.any() and self.room[0] <= np.count_nonzero(self._owed):
            takers.remove(0)
        wishes = self.wanted[:, scarcest].tolist()
        highest = max(wishes[split] for split in takers) - EQUAL
        takers = [split for split in takers if wishes[split] >= highest]
        most = max(self.room[split] for split in takers)
        takers = [split for split in takers if self.room[split] == most]
        return takers[rank % len(takers)]
