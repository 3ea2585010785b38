"""One shard of a CSV file: a byte range that a worker reads, parses and types by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras.datasets import csv_reading, csv_records, csv_scan, keyed
from ann_keras.datasets.base import Table, TableShard
from ann_keras.datasets.csv_label import Label
from ann_keras.datasets.csv_records import Block
from ann_keras.datasets.csv_scan import Span
from ann_keras.datasets.csv_schema import Column


@dataclass(frozen=True, eq=False)
class CsvShard(TableShard):
    """Rows [start, stop): a byte range of a file, and what its columns are.

    Attributes:
        span: the byte range.
        columns: the features.
        label: how the label is read.
        repeated, times: of the rows whose record has come before, int64 as bytes: which, and how often.
    """

    start: int
    stop: int
    span: Span
    columns: tuple[Column, ...]
    label: Label
    repeated: bytes
    times: bytes

    def tables(self) -> Iterator[Table]:
        """Yields a table a block of the file; a row that cannot be read has a problem that names its line."""
        place, span = self.span.place, self.span
        repeated, times = np.frombuffer(self.repeated, np.int64), np.frombuffer(self.times, np.int64)
        row = self.start
        for block in csv_records.blocks(place.path, place.delimiter, span.begin, span.first_line, span.end):
            here = (repeated >= row) & (repeated < row + len(block))
            keys = keyed.of_digests(csv_scan.record_digests(block), repeated[here] - row, times[here])
            yield self._table(block, keys)
            row += len(block)

    def _table(self, block: Block, keys: np.ndarray) -> Table:
        names = [column.column for column in self.columns]
        cells = csv_reading.cells(block, self.span.place, [*names, self.label.column])
        problems = dict(cells.ragged)
        values = {column.name: _values(column, cells.columns[column.column], problems) for column in self.columns}
        strings = cells.columns[self.label.column]
        values["label"], bad = self.label.encoded(strings)
        _note_bad(problems, bad, self.label.column, strings)
        _note_missing(problems, strings, f"the label, column {self.label.column!r}, is missing")
        places = np.array(sorted(problems), np.int64)
        file = self.span.place.file
        named = {
            place: f"{file} line {line}: {problems[place]}"
            for place, line in zip(places.tolist(), block.lines(places).tolist(), strict=True)
        }
        return Table(keys, values, named)


def _values(column: Column, strings: Any, problems: dict[int, str]) -> np.ndarray:
    """A column as a table has it; what is wrong with a row is noted unless something is already."""
    if not column.optional:
        reason = (
            f"column {column.column!r} is empty, where the schema says that it never is; mend the row, or declare the "
            "column without presence in a schema file"
        )
        _note_missing(problems, strings, reason)
    if column.kind == "text":
        return csv_reading.texts(strings)
    numbers, bad = csv_reading.numbers(strings)
    _note_bad(problems, bad, column.column, strings)
    return numbers.astype(np.float32)


def _note_bad(problems: dict[int, str], bad: np.ndarray, column: str, strings: Any) -> None:
    for place in np.flatnonzero(bad).tolist():
        if place not in problems:
            problems[place] = csv_reading.complaint(column, strings[place].as_py())


def _note_missing(problems: dict[int, str], strings: Any, reason: str) -> None:
    if strings.null_count:
        for place in np.flatnonzero(np.asarray(strings.is_null())).tolist():
            problems.setdefault(place, reason)
