"""What datasets made of columns share: names, keys and the strata of a target that is a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

RESERVED = ("label", "key")
"""Names that no column gets: the role of the target, and what names an example beside its features."""
STRATA = 10
LEAST_ROWS = 10


def identifiers(names: Iterable[str]) -> list[str]:
    """Names of features from names of columns: lower-case letters, digits and _, unique, none of them `RESERVED`.

    A name that begins with a digit gets `column_` before it, one without a letter or digit is `column_` and its place;
    what is taken or reserved gets `_2`, `_3` and so on: "Sepal length (cm)" is sepal_length_cm, "label" label_2.
    """
    used = set(RESERVED)
    found = []
    for place, name in enumerate(names, start=1):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or str(place)
        base = f"column_{base}" if base[0].isdigit() else base
        taken, number = base, 2
        while taken in used:
            taken, number = f"{base}_{number}", number + 1
        used.add(taken)
        found.append(taken)
    return found


def strata(values: np.ndarray) -> np.ndarray:
    """The tenth of the rows, ordered by value, that each falls into.

    Args:
        values: float [rows]; NaN goes to the first.

    Returns:
        int64 [rows] from 0; equal values share one, each has `LEAST_ROWS` rows or more, and so there may be fewer than
        ten.
    """
    present = np.sort(values[~np.isnan(values)])
    size = max(LEAST_ROWS, -(-len(present) // STRATA))
    stops = []
    start = 0
    while len(present) - start >= 2 * LEAST_ROWS:
        # Up to the last of the values that are equal to the one that fills the tenth.
        reached = present[min(start + size, len(present)) - 1]
        start = int(np.searchsorted(present, reached, side="right"))
        if len(present) - start < LEAST_ROWS:
            break
        stops.append(reached)
    found = np.searchsorted(np.array(stops, np.float64), values, side="left").astype(np.int64)
    return np.where(np.isnan(values), 0, found)


def row_keys(name: str, rows: int, start: int = 0) -> np.ndarray:
    """Keys, str [rows], of rows whose order never changes: the dataset's name and their place."""
    return np.array([f"{name}/{row:04d}" for row in range(start, start + rows)])


def shown(names: Sequence[str], most: int = 20) -> str:
    """A list of names in one line, with how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")
