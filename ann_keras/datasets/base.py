"""What a dataset supplies: features by role, an index of all its rows, and shards that read them.

The index is small (a key and a stratum for every row) and holds no image; the shards are picklable, so that a Beam
worker that gets one opens, checks and encodes its rows by itself and no other process ever holds them.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras.task import Feature


class DatasetError(ValueError):
    """A dataset that cannot be used, in one line that names what is wrong with it and what would be right."""


@dataclass(frozen=True)
class Index:
    """One entry per row of the dataset, in the order of its shards.

    Attributes:
        keys: str [rows], unique and stable: the same row has the same key however the data is ordered or sharded.
        labels: int64 [rows], the class index that splits are stratified by; of a target that is a number, the index of
            the tenth of the rows that it falls into; of a row that holds several classes, the dominant one.
        official: str [rows], the split that the dataset's authors put the row in: "train", "validation" or "test",
            and "" where they did not.
        names: of the classes, by index; () of a number.
        contains: bool [rows, classes], the classes that a row holds; None where each has the one of its label.
        groups: int64 [rows]; rows of one number stay on one side of every split, as near-duplicates must. None where
            each row stands for itself.
    """

    keys: np.ndarray
    labels: np.ndarray
    official: np.ndarray
    names: tuple[str, ...] = ()
    contains: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, rows: np.ndarray) -> Index:
        """The entries of `rows`, int [any], ascending and distinct."""
        if len(rows) == len(self):
            # Of millions of keys no second copy.
            return self
        contains = None if self.contains is None else self.contains[rows]
        groups = None if self.groups is None else self.groups[rows]
        return Index(self.keys[rows], self.labels[rows], self.official[rows], self.names, contains, groups)


@dataclass(frozen=True)
class Row:
    """One row: encoded values by role (bytes of an image, int of a label), or, where it cannot be read, the reason."""

    key: str
    values: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows by column, for data that is read many rows at a time.

    Attributes:
        keys: str [rows].
        columns: by role: float32 [rows] of a number, object [rows] of bytes of a text, int64 [rows] of a label.
        problems: why a row cannot be read, by its place in the table; such a row has values that mean nothing.
    """

    keys: np.ndarray
    columns: Mapping[str, np.ndarray]
    problems: Mapping[int, str] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)


class Shard(abc.ABC):
    """A run of rows, [start, stop) of the index, that one worker reads. Picklable, and holds no data itself."""

    start: int
    stop: int

    @abc.abstractmethod
    def read(self) -> Iterator[Row]:
        """Yields exactly the rows [start, stop) in order, images checked by decoding them; never all in memory."""


class TableShard(Shard):
    """A shard of rows that are columns of numbers and short texts."""

    @abc.abstractmethod
    def tables(self) -> Iterator[Table]:
        """Yields exactly the rows [start, stop) in order, some thousands at a time."""

    def read(self) -> Iterator[Row]:
        """Yields them one by one."""
        for table in self.tables():
            for place, key in enumerate(table.keys):
                values = {name: column[place] for name, column in table.columns.items()}
                yield Row(str(key), values, table.problems.get(place, ""))


class Dataset(abc.ABC):
    """A source of examples.

    Attributes:
        name: as `--dataset` spells it: "digits", "tfds:fashion_mnist", "images:PATH"; the registry
            opens it by that name.
        features: the features by role ("image", "mask", "label", a column's name); a role is also the feature's name. A
            "label" of kind "label" is a class, one of kind "number" a target in its own unit.
        description, licence, citation: one line each, "" where unknown.
    """

    name: str
    features: Mapping[str, Feature]
    description: str = ""
    licence: str = ""
    citation: str = ""

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """A short digest that changes when any example does; cheap (sizes and times of files, not their contents)."""

    @abc.abstractmethod
    def index(self) -> Index:
        """Reads keys, labels and official splits of all rows. No image is decoded; masks are, for the classes that they
        hold.
        """

    @abc.abstractmethod
    def shards(self) -> Sequence[Shard]:
        """The shards, which cover the rows of the index without gap or overlap, in order."""


def label_classes(features: Mapping[str, Feature]) -> tuple[str, ...]:
    """The names of the classes of which a dataset's rows have one each, its "label"; () where they have none."""
    label = features.get("label")
    return label.classes if label is not None and label.kind == "label" else ()


def named_index(dataset: Dataset) -> Index:
    """The index of a dataset; where it names no classes, with the names of its label's."""
    index = dataset.index()
    return index if index.names else dataclasses.replace(index, names=label_classes(dataset.features))
