"""TFDS builders with two texts, such as a sentence and its translation, as pairs of source and target."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras.datasets import near_duplicates, pairs, tfds_reading
from ann_keras.datasets.base import DatasetError, Index, Table, TableShard
from ann_keras.datasets.tfds_prepared import PreparedDataset, row_keys

SHARD_ROWS = 8192


@dataclass(frozen=True)
class TextsShard(TableShard):
    """Rows [start, stop) of the index: rows [first, last) of one split; `source` and `target` are keys of features."""

    start: int
    stop: int
    directory: str
    split: str
    first: int
    last: int
    source: str
    target: str

    def tables(self) -> Iterator[Table]:
        """Yields a table a batch; a pair with an empty side, or one that is not UTF-8, has a problem."""
        first = self.first
        wanted = [self.source, self.target]
        for batch in tfds_reading.batches(self.directory, self.split, first, self.last, numbers=wanted):
            columns = {"source": batch[self.source], "target": batch[self.target]}
            names = (f"the source, {self.source!r},", f"the target, {self.target!r},")
            found = [pairs.problem(source, target, names) for source, target in zip(*columns.values(), strict=True)]
            problems = {place: problem for place, problem in enumerate(found) if problem}
            yield Table(row_keys(self.split, np.arange(first, first + len(found))), columns, problems)
            first += len(found)


class TfdsTexts(PreparedDataset):
    """A prepared TFDS builder whose rows are pairs of texts.

    Args:
        name: as `--dataset` spells it.
        builder: a prepared `tfds.core.DatasetBuilder`.
        source, target: keys of its texts.
    """

    def __init__(self, name: str, builder: Any, source: str, target: str) -> None:
        super().__init__(name, builder)
        self._source, self._target = source, target
        self.features = pairs.features(f"The text {source!r}.", f"The text {target!r}.")

    def index(self) -> Index:
        """Keys (split and row number), official splits, and near-duplicate sources outside the test split as groups."""
        if not self._splits:
            raise DatasetError(f"dataset {self.name!r} has no examples")
        rows = {split: self._rows(split) for split in self._splits}
        official = self._official(rows)
        names = np.concatenate([row_keys(split, np.arange(count)) for split, count in rows.items()])
        groups = _groups(str(self._builder.data_dir), tuple(rows.items()), self._source, self.fingerprint())
        return Index(names, np.zeros(len(names), np.int64), official, groups=groups)

    def shards(self) -> Sequence[TableShard]:
        """Runs of `SHARD_ROWS` rows of each split."""
        shards: list[TableShard] = []
        start = 0
        for split in self._splits:
            for first in range(0, self._rows(split), SHARD_ROWS):
                last = min(first + SHARD_ROWS, self._rows(split))
                place = (str(self._builder.data_dir), split, first, last)
                shards.append(TextsShard(start, start + last - first, *place, self._source, self._target))
                start += last - first
        return shards


@functools.lru_cache(maxsize=4)
def _groups(directory: str, rows: tuple[tuple[str, int], ...], source: str, fingerprint: str) -> np.ndarray:
    """The groups of all rows, once in a process for each state of the files."""
    official = np.repeat([split for split, _ in rows], [count for _, count in rows])

    def texts() -> Iterator[bytes]:
        for split, count in rows:
            if split != "test":
                for batch in tfds_reading.batches(directory, split, 0, count, numbers=[source]):
                    yield from batch[source]

    return near_duplicates.within(official != "test", texts())
