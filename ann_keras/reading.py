"""The rows of a dataset in memory, and of its splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras.datasets.base import Dataset, DatasetError, Row, Table, TableShard, named_index
from ann_keras.datasets.splits import Plan
from ann_keras.task import Feature


class Rows(Sequence[Row]):
    """Rows in memory: those of a table by column, others one by one.

    Args:
        rows: one Row each, or all of them as a table.
    """

    def __init__(self, rows: Sequence[Row] | Table) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[one] for one in range(*place.indices(len(self)))]
        if not isinstance(self._rows, Table):
            return self._rows[place]
        values = {name: column[place] for name, column in self._rows.columns.items()}
        return Row(str(self._rows.keys[place]), values)

    def take(self, places: np.ndarray) -> Rows:
        """The rows at `places`, int [rows], which may repeat."""
        if isinstance(self._rows, Table):
            columns = {name: column[places] for name, column in self._rows.columns.items()}
            return Rows(Table(self._rows.keys[places], columns))
        return Rows([self._rows[place] for place in places])

    def records(self, features: Sequence[Feature]) -> tf.data.Dataset:
        """The raw features, one record a row."""
        columns = {}
        for feature in features:
            if isinstance(self._rows, Table):
                values: Any = self._rows.columns[feature.name]
            else:
                values = [row.values[feature.name] for row in self._rows]
            columns[feature.name] = tf.constant(values, feature.wire_dtype)
        return tf.data.Dataset.from_tensor_slices(columns)


def read(dataset: Dataset, wanted: np.ndarray | None = None) -> Rows:
    """Reads a dataset into memory.

    Args:
        dataset: any.
        wanted: bool [rows]; rows outside of it are left out of sight, and are read and forgotten. None for all.

    Raises:
        DatasetError: for a wanted row that cannot be read, naming it.
    """
    tables: list[Table] = []
    rows: list[Row] = []
    position = 0
    for shard in dataset.shards():
        if isinstance(shard, TableShard):
            for table in shard.tables():
                for place, problem in table.problems.items():
                    _check(dataset, str(table.keys[place]), problem, wanted is None or wanted[position + place])
                tables.append(table)
                position += len(table)
            continue
        for row in shard.read():
            _check(dataset, row.key, row.problem, wanted is None or wanted[position])
            rows.append(row)
            position += 1
    return Rows(_joined(tables) if tables else rows)


def _check(dataset: Dataset, key: str, problem: str, wanted: Any) -> None:
    if problem and wanted:
        raise DatasetError(f"{dataset.name}: {key} cannot be read: {problem}")


def _joined(tables: Sequence[Table]) -> Table:
    columns = {name: np.concatenate([table.columns[name] for table in tables]) for name in tables[0].columns}
    return Table(np.concatenate([table.keys for table in tables]), columns)


def read_rows(dataset: Dataset, plan: Plan) -> dict[str, Rows]:
    """The rows of "train", "eval" and "test", encoded, in the order of the dataset.

    Raises:
        DatasetError: for a row that cannot be read, naming it, and for an empty split.
    """
    names = plan.assign(named_index(dataset))
    everything = read(dataset, names != "")
    if len(everything) != len(names):
        problem = f"{len(everything)} examples where there were {len(names)}"
        raise DatasetError(f"{dataset.name}: the dataset changed while it was read: {problem}")
    rows = {name: everything.take(np.flatnonzero(names == name)) for name in ("train", "eval", "test")}
    for name, split in rows.items():
        if not len(split):
            raise DatasetError(f"{dataset.name}: no example is left for the {name} split")
    return rows
