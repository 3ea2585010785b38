"""The tables that scikit-learn bundles, as datasets: no download."""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ann_keras.datasets.base import Dataset, Index, Table, TableShard
from ann_keras.datasets.tables import identifiers, row_keys, strata
from ann_keras.task import Feature

SHARD_ROWS = 1024


@functools.cache
def bundled(loader: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """A table of `sklearn.datasets`.

    Args:
        loader: the name of its function: "load_iris".

    Returns:
        Values, float64 [rows, columns]; targets, int64 class indices or float64 [rows]; names of the columns; names of
        the classes, () for a number.
    """
    # Scaled, diabetes would have no units: they are what a served answer is asked in.
    options = {"scaled": False} if loader == "load_diabetes" else {}
    found = getattr(importlib.import_module("sklearn.datasets"), loader)(**options)
    return found.data, found.target, tuple(found.feature_names), tuple(map(str, found.get("target_names", ())))


@dataclass(frozen=True)
class BundledShard(TableShard):
    """Rows [start, stop) of a bundled table."""

    start: int
    stop: int
    name: str
    loader: str

    def tables(self) -> Iterator[Table]:
        """Yields the rows as one table."""
        values, targets, names, classes = bundled(self.loader)
        here = slice(self.start, self.stop)
        columns = dict(zip(identifiers(names), values[here].T.astype(np.float32), strict=True))
        label = targets[here].astype(np.int64 if classes else np.float32)
        yield Table(row_keys(self.name, self.stop - self.start, self.start), {**columns, "label": label})


class BundledTable(Dataset):
    """A table of numbers without official splits.

    Args:
        name: as `--dataset` spells it.
        loader: the name of its function in `sklearn.datasets`.
        columns: what each column is, with its unit, in the order of the table.
        target: what the label is.
        description, licence, citation: one line each, "" where unknown.
    """

    def __init__(
        self,
        name: str,
        loader: str,
        columns: Sequence[str],
        target: str,
        description: str,
        licence: str,
        citation: str,
    ) -> None:
        self.name, self._loader = name, loader
        self._columns, self._target = tuple(columns), target
        self.description, self.licence, self.citation = description, licence, citation

    @functools.cached_property
    def features(self) -> Mapping[str, Feature]:  # type: ignore[override]
        """The columns by their names as identifiers, and the label."""
        _, _, names, classes = bundled(self._loader)
        described = zip(identifiers(names), self._columns, strict=True)
        found = {role: Feature(role, "number", description=text) for role, text in described}
        if classes:
            return found | {"label": Feature("label", "label", (), "int64", classes, self._target)}
        return found | {"label": Feature("label", "number", description=self._target)}

    def fingerprint(self) -> str:
        """The digest of values and targets."""
        values, targets, *_ = bundled(self._loader)
        return hashlib.blake2b(values.tobytes() + targets.tobytes(), digest_size=8).hexdigest()

    def index(self) -> Index:
        """Keys, labels (of a number the tenth of the rows), and no official split."""
        _, targets, _, classes = bundled(self._loader)
        labels = targets.astype(np.int64) if classes else strata(targets)
        return Index(row_keys(self.name, len(targets)), labels, np.full(len(targets), "", dtype=object), classes)

    def shards(self) -> Sequence[BundledShard]:
        """Runs of `SHARD_ROWS` rows."""
        rows = len(bundled(self._loader)[1])
        starts = range(0, rows, SHARD_ROWS)
        return [BundledShard(start, min(start + SHARD_ROWS, rows), self.name, self._loader) for start in starts]
