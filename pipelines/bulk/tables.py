"""CSV files with a column for each feature, cut at the borders of rows, which quoted cells may carry over lines.

Names of columns, the delimiter and what is missing are found as `ann_keras.datasets.csv_file` finds them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ann_keras.datasets.csv_reading import DELIMITERS
from ann_keras.datasets.tables import shown
from ann_keras.task import Feature
from pipelines.bulk import storage, values
from pipelines.bulk.inputs import WORK_ROWS, Example, Problem, Source, Work, example
from pipelines.exits import UsageError
from serving.columns import Names, column_name

_BOM = "\ufeff"


class _Lines:
    """The lines of an open file, and how far they have been read.

    Attributes:
        position: the byte after the last line that was taken.
    """

    def __init__(self, file: BinaryIO, position: int = 0) -> None:
        self._file = file
        self.position = position
        file.seek(position)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline()
        if not line:
            raise StopIteration
        # Names of files need not be UTF-8: they are handed on as they are.
        text = line.decode("utf-8", "surrogateescape")
        text = text.removeprefix(_BOM) if self.position == 0 else text
        self.position += len(line)
        return text


def _rows(lines: _Lines, delimiter: str) -> Iterator[list[str] | Problem]:
    """Yields the cells of each row that is not blank, or what is wrong with it; never takes a line too many."""
    csv.field_size_limit(values.LARGEST_CELL)
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(f"not a row of a CSV: {error}")
        else:
            if row:
                yield row


@dataclass(frozen=True)
class Header:
    """The first row of a file.

    Attributes:
        delimiter: the one of `DELIMITERS` that makes the most columns of it.
        columns: their names.
        position: of the byte after it.
    """

    delimiter: str
    columns: tuple[str, ...]
    position: int


def _header(file: BinaryIO, path: str) -> Header:
    found = []
    for delimiter in DELIMITERS:
        lines = _Lines(file)
        row = next(_rows(lines, delimiter), [])
        if isinstance(row, Problem):
            raise UsageError(f"--input {path}: {row.reason}")
        found.append(Header(delimiter, tuple(name.strip() for name in row), lines.position))
    return max(found, key=lambda header: len(header.columns))


class Csv(Source):
    """CSV files whose first row names the columns; a key is the row's number, 1 for that below the names."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Those of a folder of tables."""
        return (".csv", ".tsv")

    def check(self) -> None:
        """Raises a UsageError where there is no file, or one lacks a column that may not be missing."""
        self.check_features()
        for path in self.check_files():
            if path.endswith(".gz"):
                # A row in the middle of it could be found only by unpacking all that is before it.
                raise UsageError(f"--input {path}: unpack it first")
            with storage.read(path) as file:
                header = _header(file, path)
            self._places(header, path)

    def notes(self) -> Iterator[str]:
        """Yields which optional columns a file lacks."""
        for path in self.files():
            with storage.read(path) as file:
                places = self._places(_header(file, path), path)
            absent = [column_name(feature) for feature in self.features if feature.name not in places]
            if absent:
                yield f"{path} has no column {shown(absent)}: missing in every row"

    def _places(self, header: Header, path: str) -> dict[str, int]:
        try:
            return Names(self.features).places(header.columns)
        except ValueError as error:
            raise UsageError(f"--input {path}: {error}") from error

    def works(self, temporary: str) -> Iterator[Work]:
        """Yields runs of rows; all files are read once for it."""
        number = 0
        for path in self.files():
            with storage.read(path) as file:
                header = _header(file, path)
                lines = _Lines(file, header.position)
                offset, first, count = lines.position, 1, 0
                for _ in _rows(lines, header.delimiter):
                    count += 1
                    if count == WORK_ROWS:
                        yield Work(number, path, offset, first, count)
                        number, offset, first, count = number + 1, lines.position, first + count, 0
                if count:
                    yield Work(number, path, offset, first, count)
                    number += 1

    def read(self, work: Work) -> Iterator[tuple[str, Example]]:
        """Yields the rows; one that cannot be read is a problem."""
        prefix, (folder, _, _) = self.prefix(work.path), work.path.rpartition("/")
        with storage.read(work.path) as file:
            header = _header(file, work.path)
            places = self._places(header, work.path)
            columns = [(feature, places.get(feature.name)) for feature in self.features]
            rows = _rows(_Lines(file, work.offset), header.delimiter)
            for number in range(work.first, work.first + (work.rows or 0)):
                row = next(rows, None)
                if row is None:
                    raise RuntimeError(f"{work.path} changed while it was read")
                yield f"{prefix}{number}", _example(columns, row, len(header.columns), folder)


def _example(columns: list[tuple[Feature, int | None]], row: list[str] | Problem, width: int, folder: str) -> Example:
    """The values of the features, each from the cell at its place; or what is wrong with one of them."""
    if isinstance(row, Problem):
        return row
    if len(row) != width:
        return Problem(f"{len(row)} cells under {width} columns")
    return example(
        (feature.name, values.from_cell(folder, feature, None if place is None else row[place]))
        for feature, place in columns
    )
