"""Pairs of texts of the user's own, in UTF-8, one a line: a tab-separated file, or two files line by line; also .gz.

text:pairs.tsv                             source and target in the first two columns, or as text:pairs.tsv@2-1 says
text:corpus/all                            corpus/all.en and corpus/all.de
text:corpus                                these too, or corpus/train.en, train.de, val.en, val.de, test.en, test.de
text:corpus@en-de                          from English to German; unsaid, the languages go by the alphabet

In a folder the splits are kept: train.*, val.*, valid.*, validation.* or dev.*, and test.*; test_2016.en is one too,
and train.tsv holds both sides. A line ends at a line feed, before which a carriage return may stand, and nowhere else.
A pair with an empty side, or one that is not UTF-8, cannot be used; all else, control characters and long lines too, is
left to the task.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ann_keras.datasets import folder_files, keyed, pairs, text_paths, text_reading
from ann_keras.datasets.base import Dataset, Index, Table, TableShard
from ann_keras.datasets.text_paths import Place, Source
from ann_keras.datasets.text_reading import Mark, Pair, Scan

SHARD_ROWS = 8 * text_reading.MARK_ROWS
GZ_SHARDS = 8
"""A .gz cannot be entered in the middle: who reads a shard of it unpacks all that comes before, so it has few."""
TABLE_ROWS = 2048


@dataclass(frozen=True, eq=False)
class TextShard(TableShard):
    """Rows [start, stop): the pairs of a place from a mark on.

    Attributes:
        repeated, times: of the rows whose pair has come before, int64 as bytes: which, and how often.
    """

    start: int
    stop: int
    place: Place
    mark: Mark
    repeated: bytes
    times: bytes

    def tables(self) -> Iterator[Table]:
        """Yields `TABLE_ROWS` rows at a time; a pair that cannot be used has a problem that names its line."""
        rows = itertools.islice(text_reading.read(self.place, self.mark), self.stop - self.start)
        start = self.start
        while chunk := list(itertools.islice(rows, TABLE_ROWS)):
            yield self._table(chunk, start)
            start += len(chunk)

    def _table(self, rows: Sequence[Pair], start: int) -> Table:
        repeated, times = np.frombuffer(self.repeated, np.int64), np.frombuffer(self.times, np.int64)
        here = (repeated >= start) & (repeated < start + len(rows))
        digests = np.frombuffer(b"".join(map(text_reading.digest, rows)), ">u8").astype(np.uint64)
        columns = {
            "source": np.array([row.source for row in rows], object),
            "target": np.array([row.target for row in rows], object),
        }
        problems = {place: row.problem for place, row in enumerate(rows) if row.problem}
        return Table(keyed.of_digests(digests, repeated[here] - start, times[here]), columns, problems)


class TextFiles(Dataset):
    """The pairs of some files. A key is a digest of source and target, so that no order changes it."""

    description = "Pairs of texts."

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self.features = pairs.features(*(f"The text of {side!r}." for side in source.sides))

    def fingerprint(self) -> str:
        """The digest of the names, sizes and times of the files."""
        files = [file for place in self._source.places for file in place.files]
        names = [str(Path(file).relative_to(self._source.root)) for file in files]
        return folder_files.fingerprint(self._source.root, names)

    def index(self) -> Index:
        """Keys, official splits, and near-duplicate sources outside the test split as groups."""
        scan = self._scan
        official = np.repeat(np.array([place.official for place in self._source.places], object), scan.counts)
        keys = keyed.of_digests(scan.digests, scan.repeated, scan.times)
        return Index(keys, np.zeros(len(keys), np.int64), official, groups=scan.groups)

    def shards(self) -> Sequence[TableShard]:
        """Runs of `SHARD_ROWS` rows of each place, longer ones of a .gz."""
        scan, shards, before = self._scan, [], 0
        for place, count, marks in zip(self._source.places, scan.counts, scan.marks, strict=True):
            packed = any(file.endswith(".gz") for file in place.files)
            step = SHARD_ROWS // text_reading.MARK_ROWS
            step = max(step, -(-len(marks) // GZ_SHARDS)) if packed else step
            # The last mark may stand at the end.
            chosen = [mark for mark in marks[::step] if mark.row < count]
            for mark, stop in zip(chosen, [*(mark.row for mark in chosen[1:]), count], strict=True):
                shards.append(_shard(place, mark, before + mark.row, before + stop, scan))
            before += count
        return shards

    @property
    def _scan(self) -> Scan:
        return text_reading.scan(self._source.places, self.fingerprint())


def load(argument: str) -> Dataset:
    """Opens pairs of texts.

    Args:
        argument: what follows `text:`.

    Raises:
        DatasetError: in one line, for files that are not there, that are no pairs, or an order that does not fit them.
    """
    return TextFiles(text_paths.parse(argument))


def _shard(place: Place, mark: Mark, start: int, stop: int, scan: Scan) -> TextShard:
    here = slice(*np.searchsorted(scan.repeated, [start, stop]).tolist())
    return TextShard(start, stop, place, mark, scan.repeated[here].tobytes(), scan.times[here].tobytes())
