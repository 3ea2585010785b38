"""Groups of rows that no split may part: one row stands for each of them in a draw."""

from __future__ import annotations

import numpy as np

from ann_keras.datasets.base import Index


def one_each(index: Index) -> tuple[Index, np.ndarray]:
    """An index with one row a group, and which of its rows stands for each row of `index`, int64 [rows].

    The key is the first of the group's, in their order as texts, and the label that row's; a group holds the classes
    that any of its rows holds. Where all labels are the same, groups are told apart by their size instead, so that a
    stratified draw divides the rows, too, by the shares it was asked for.
    """
    if index.groups is None:
        return index, np.arange(len(index))
    order = np.lexsort((index.keys, index.groups))
    ordered = index.groups[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    sizes = np.diff(np.append(starts, len(ordered)))
    place = np.empty(len(index), np.int64)
    place[order] = np.repeat(np.arange(len(starts)), sizes)
    contains = None if index.contains is None else np.logical_or.reduceat(index.contains[order], starts)
    first = order[starts]
    labels = sizes if by_size(index) else index.labels[first]
    return Index(index.keys[first], labels, index.official[first], index.names, contains), place


def by_size(index: Index) -> bool:
    """Whether `one_each` stratifies by the sizes of groups; a size is no class that could be too small."""
    return index.groups is not None and len(np.unique(index.labels)) < 2


def rows_of(groups: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The rows of some groups, one group after the other.

    Args:
        groups: int64 [any], rows of the index that `one_each` gives; they may repeat, and their rows then do.
        place: int64 [rows], as of `one_each`.
    """
    order = np.argsort(place, kind="stable")
    sizes = np.bincount(place)
    ends = np.cumsum(sizes)
    drawn = sizes[groups]
    within = np.arange(drawn.sum()) - np.repeat(np.cumsum(drawn) - drawn, drawn)
    found: np.ndarray = order[np.repeat((ends - sizes)[groups], drawn) + within]
    return found
