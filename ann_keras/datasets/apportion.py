"""Whole numbers from shares: how many examples of each class go to each split.

The table of classes and splits is rounded up or down everywhere, so that every class sums to its examples and, where
possible, every split to its share of the total rounded up or down (controlled rounding, Bacharach 1966). Exact
arithmetic: 30 examples of which 0.1 are wanted are 3, never 3.0000000000000004.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np


def exact_fractions(fractions: Mapping[str, float]) -> list[Fraction]:
    """The shares as exact fractions that sum to 1; a ValueError names the share that is negative, or the sum."""
    for name, share in fractions.items():
        if not share >= 0 or share == math.inf:
            raise ValueError(f"fractions: {name}={share} is not a share between 0 and 1")
    total = sum(fractions.values())
    if not fractions or abs(total - 1) > 1e-6:
        shares = ", ".join(f"{name}={share}" for name, share in fractions.items())
        raise ValueError(f"fractions {shares or 'are empty'}: their sum is {total:g}, expected 1")
    exact = [Fraction(share).limit_denominator(10**6) for share in fractions.values()]
    return [share / sum(exact) for share in exact]


def smallest_class(shares: Sequence[Fraction], count: int = 1) -> int:
    """The least number of examples, `count` or more, that gives every split with a share at least one of a class."""
    positive = [share for share in shares if share]
    while sum(max(1, math.floor(count * share)) for share in positive) > count:
        count += 1
    return count


def apportion(counts: np.ndarray, shares: Sequence[Fraction], everywhere: bool = True) -> np.ndarray:
    """Rounds `counts` x `shares` to whole numbers, each up or down.

    Args:
        counts: int [classes], the examples of each class.
        shares: [splits], exact, with the sum 1.
        everywhere: whether each split with a share gets an example of each class that has enough of them.

    Returns:
        int64 [classes, splits]; every row sums to its count.
    """
    table = np.zeros((len(counts), len(shares)), np.int64)
    lower, upper = table.copy(), table.copy()
    owed = [Fraction(0)] * len(shares)
    for row, count in enumerate(counts):
        exact = [int(count) * share for share in shares]
        upper[row] = [math.ceil(quota) for quota in exact]
        lower[row] = [math.floor(quota) for quota in exact]
        if everywhere and smallest_class(shares, int(count)) == count:
            lower[row] = np.maximum(lower[row], np.minimum(upper[row], 1))
        table[row] = lower[row]
        # The largest remainder, to which is added what the split is still owed from the classes before.
        owed = [due + quota - int(given) for due, quota, given in zip(owed, exact, lower[row], strict=True)]
        open_splits = [split for split in range(len(shares)) if upper[row, split] > lower[row, split]]
        winners = sorted(open_splits, key=lambda split: (-owed[split], split))[: int(count) - int(lower[row].sum())]
        for split in winners:
            table[row, split] += 1
            owed[split] -= 1
    _balance(table, lower, upper, [int(np.sum(counts)) * share for share in shares])
    return table


def _balance(table: np.ndarray, lower: np.ndarray, upper: np.ndarray, totals: Sequence[Fraction]) -> None:
    """Moves single examples along chains of splits, in place, until no total can come nearer to its share."""
    while True:
        sums = [int(total) for total in table.sum(axis=0)]
        high = [split for split, want in enumerate(totals) if sums[split] > math.ceil(want)]
        low = [split for split, want in enumerate(totals) if sums[split] < math.floor(want)]
        takers = [split for split, want in enumerate(totals) if sums[split] < want]
        givers = [split for split, want in enumerate(totals) if sums[split] > want]
        chain = _chain(table, lower, upper, high, takers) or _chain(table, lower, upper, givers, low)
        if not chain:
            return
        for giver, taker in itertools.pairwise(chain):
            row = _movable(table, lower, upper, giver, taker)[0]
            table[row, giver] -= 1
            table[row, taker] += 1


def _movable(table: np.ndarray, lower: np.ndarray, upper: np.ndarray, giver: int, taker: int) -> np.ndarray:
    """The classes, int64 [any], of which one example may go from one split to another."""
    return np.flatnonzero((table[:, giver] > lower[:, giver]) & (table[:, taker] < upper[:, taker]))


def _chain(
    table: np.ndarray, lower: np.ndarray, upper: np.ndarray, starts: Sequence[int], ends: Sequence[int]
) -> list[int]:
    """The shortest chain of splits from one of `starts` to one of `ends` that an example may go; [] if none."""
    chains = [[start] for start in starts]
    seen = set(starts)
    for chain in chains:
        if chain[-1] in ends:
            return chain
        for taker in range(table.shape[1]):
            if taker not in seen and len(_movable(table, lower, upper, chain[-1], taker)):
                seen.add(taker)
                chains.append([*chain, taker])
    return []
