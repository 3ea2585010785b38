"""CSV files with a column for each feature, cut at the borders of rows, which quoted cells may carry over lines."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.bulk import storage, values
from pipelines.bulk.inputs import WORK_ROWS, Example, Problem, Source, Work, example
from pipelines.exits import UsageError

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


def _rows(lines: _Lines) -> Iterator[list[str] | Problem]:
    """Yields the cells of each row that is not blank, or what is wrong with it; never takes a line too many."""
    csv.field_size_limit(values.LARGEST_CELL)
    reader = csv.reader(lines)
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


def _header(lines: _Lines, path: str) -> list[str]:
    row = next(_rows(lines), [])
    if isinstance(row, Problem):
        raise UsageError(f"--input {path}: {row.reason}")
    return [name.strip() for name in row]


class Csv(Source):
    """CSV files whose first row names the columns; a key is the row's number, 1 for that below the names."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Those of a folder of tables."""
        return (".csv",)

    def check(self) -> None:
        """Raises a UsageError where there is no file, or one lacks a column."""
        self.check_features()
        for path in self.check_files():
            with storage.read(path) as file:
                columns = _header(_Lines(file), path)
            for feature in self.features:
                if columns.count(feature.name) != 1:
                    amount = "two columns" if feature.name in columns else "no column"
                    known = f"its columns are {', '.join(columns)[:200]}" if columns else "it is empty"
                    raise UsageError(f"--input {path}: {amount} {feature.name!r}, which the model reads; {known}")

    def works(self, temporary: str) -> Iterator[Work]:
        """Yields runs of rows; all files are read once for it."""
        number = 0
        for path in self.files():
            with storage.read(path) as file:
                lines = _Lines(file)
                _header(lines, path)
                offset, first, count = lines.position, 1, 0
                for _ in _rows(lines):
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
            columns = _header(_Lines(file), work.path)
            rows = _rows(_Lines(file, work.offset))
            for number in range(work.first, work.first + (work.rows or 0)):
                row = next(rows, None)
                if row is None:
                    raise RuntimeError(f"{work.path} changed while it was read")
                yield f"{prefix}{number}", self._example(columns, row, folder)

    def _example(self, columns: list[str], row: list[str] | Problem, folder: str) -> Example:
        if isinstance(row, Problem):
            return row
        if len(row) != len(columns):
            return Problem(f"{len(row)} cells under {len(columns)} columns")
        cells = dict(zip(columns, row, strict=True))
        return example(self.features, functools.partial(values.from_cell, folder, cells))
