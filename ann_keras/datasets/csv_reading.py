"""Cells of a CSV file by column: its header, and blocks of records as Arrow's parser reads them, typed by us.

A cell is stripped of blanks; `MISSING` are missing. What else is no finite number in a column of numbers is no silent
NaN: it is named with its line.
"""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.csv_records import Block, cut, line_ends, opened

DELIMITERS = (",", ";", "\t", "|")
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "None", "?")
MOST_COLUMNS = 2000
"""More columns are an error: every one is a feature of its own in statistics, Transform and the serving signature."""
HEADER_BYTES = 2**20
BOM = b"\xef\xbb\xbf"
LARGEST = float(np.finfo(np.float32).max)
NUMBER = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$"


@dataclass(frozen=True)
class Layout:
    """Where the records of a file are, and what their fields are called.

    Attributes:
        path: the file.
        delimiter: between fields.
        columns: the names in the header, stripped.
        begin, first_line: byte and line of what follows the header.
    """

    path: str
    delimiter: str
    columns: tuple[str, ...]
    begin: int
    first_line: int

    @property
    def file(self) -> str:
        """The name without its folder, for messages."""
        return Path(self.path).name


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a block.

    Attributes:
        columns: Arrow strings [rows] by column, stripped, null where missing (and where the record is ragged).
        ragged: what is wrong with a record of too few or too many fields, by its place.
        present: bool [rows], False for these.
    """

    columns: Mapping[str, Any]
    ragged: Mapping[int, str]
    present: np.ndarray


def layout(path: str) -> Layout:
    """Reads the header and finds the delimiter: the one of `DELIMITERS` that makes the most fields of it.

    Raises:
        DatasetError: for a file that is not there, is empty, has no rows, or a header that cannot be used.
    """
    with opened(path) as file:
        head = file.read(HEADER_BYTES)
    is_whole = len(head) < HEADER_BYTES
    skipped = len(BOM) if head.startswith(BOM) else 0
    head = head[skipped:]
    if not head.strip():
        raise DatasetError(f"{path} is empty; expected a line of column names and rows")
    candidates = [_header(path, head, delimiter, is_whole) for delimiter in DELIMITERS]
    delimiter, (names, block) = max(zip(DELIMITERS, candidates, strict=True), key=lambda entry: len(entry[1][0]))
    _check_names(path, names)
    begin = int(block.starts[1]) if len(block) > 1 else len(block.data)
    if is_whole and not head[begin:].strip():
        raise DatasetError(f"{path} has column names and no rows")
    return Layout(path, delimiter, names, skipped + begin, 1 + len(line_ends(head[:begin])))


def _header(path: str, head: bytes, delimiter: str, is_whole: bool) -> tuple[tuple[str, ...], Block]:
    block = cut(head, delimiter, 0, 1, is_whole)
    if not len(block):
        raise DatasetError(f"{path}: its line of column names does not end; is a quote never closed?")
    first = Block(block.data[: block.ends[0]], block.starts[:1], block.ends[:1], 0, 1)
    line = first.text(path)[block.starts[0] :]
    return tuple(name.strip() for name in next(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter))), block


def _check_names(path: str, names: Sequence[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise DatasetError(f"{path} has {len(names):,} columns; at most {MOST_COLUMNS:,} can be used, drop some")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DatasetError(f"{path} has more than one column called {twice[0]!r}; give each a name of its own")


def cells(block: Block, place: Layout, columns: Sequence[str]) -> Cells:
    """Parses some columns of a block.

    Raises:
        DatasetError: if Arrow cannot parse it, naming the lines.
    """
    ragged: dict[int, str] = {}

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged[row.number - 1] = f"has {row.actual_columns} fields where the header has {row.expected_columns}"
        return "skip"

    numbers = {column: str(number) for number, column in enumerate(place.columns)}
    wanted = [numbers[column] for column in columns]
    try:
        # Not read_csv, which searches all of Python's objects for a traceback at the end of each call.
        reader = arrow_csv.open_csv(
            pa.BufferReader(block.data),
            # One thread and one block: only then does a ragged row know its number.
            arrow_csv.ReadOptions(
                use_threads=False, block_size=len(block.data) + 1, column_names=list(numbers.values())
            ),
            arrow_csv.ParseOptions(delimiter=place.delimiter, newlines_in_values=True, invalid_row_handler=note),
            arrow_csv.ConvertOptions(
                check_utf8=False, column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted
            ),
        )
        table = reader.read_all()
    except pa.ArrowInvalid as error:
        if len(ragged) < len(block):
            first, last = block.lines(np.array([0, len(block) - 1]))
            raise DatasetError(f"{place.path}: lines {first} to {last} cannot be parsed: {error}") from None
        table = pa.table({name: pa.array([], pa.string()) for name in wanted})
    present = np.ones(len(block), bool)
    present[list(ragged)] = False
    if present.sum() != len(table):
        raise DatasetError(f"{place.path}: {len(table)} records where {present.sum()} were expected")
    spread = None if present.all() else pa.array(np.cumsum(present) - 1, mask=~present)
    found = {}
    for column, name in zip(columns, wanted, strict=True):
        stripped = _stripped(table[name].combine_chunks())
        found[column] = stripped if spread is None else stripped.take(spread)
    return Cells(found, ragged, present)


def _stripped(strings: Any) -> Any:
    if isinstance(strings, pa.ChunkedArray):
        strings = pa.concat_arrays(strings.chunks) if strings.num_chunks else pa.array([], pa.string())
    trimmed = pc.utf8_trim_whitespace(strings)
    return pc.if_else(pc.is_in(trimmed, value_set=_missing()), pa.scalar(None, pa.string()), trimmed)


@functools.cache
def _missing() -> Any:
    return pa.array(MISSING)


def numbers(strings: Any) -> tuple[np.ndarray, np.ndarray]:
    """Numbers from Arrow strings.

    Returns:
        float64 [rows], NaN where missing or bad, and bool [rows], whether there is a value that is no finite float32.
    """
    bad = np.zeros(len(strings), bool)
    try:
        parsed = strings.cast(pa.float64())
    except pa.ArrowInvalid:
        is_number = pc.match_substring_regex(strings, NUMBER)
        bad = np.asarray(pc.fill_null(pc.invert(is_number), False))
        unsigned = pc.replace_substring_regex(strings, r"^\+", "")
        parsed = pc.if_else(pc.fill_null(is_number, False), unsigned, pa.scalar(None, pa.string())).cast(pa.float64())
    values = np.array(parsed.to_numpy(zero_copy_only=False), np.float64)
    infinite = np.abs(values) > LARGEST
    values[infinite] = np.nan
    return values, bad | infinite


def texts(strings: Any) -> np.ndarray:
    """Arrow strings as object [rows] of UTF-8 bytes, b"" where missing."""
    found: np.ndarray = pc.fill_null(strings, "").cast(pa.binary()).to_numpy(zero_copy_only=False)
    return found


def complaint(column: str, value: str) -> str:
    """What is wrong with a value in a column of numbers, and what would be right."""
    if numbers(pa.array([value]))[1][0] and pc.match_substring_regex(pa.array([value]), NUMBER)[0].as_py():
        what = "is infinite" if "inf" in value.lower() else "is beyond float32"
        return f"column {column!r} holds {value!r}, which {what}; leave the field empty or mend it"
    return (
        f"column {column!r} holds {value!r}, which is no number; mend the row, or declare the column as BYTES in a "
        "schema file"
    )
