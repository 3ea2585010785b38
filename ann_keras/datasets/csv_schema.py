"""What the columns of a CSV file are: TensorFlow Data Validation's guess from its first rows, or a schema file.

A column of which `MOSTLY` of the values are numbers is one of numbers, so that a stray text is an error with its line
and does not turn the column into texts. TFDV makes the schema of these columns; its types, its presence and which
columns it names are what counts, and a schema file in its format (TFMD's Schema as a text proto) says the same. Domains
in it are not read: Transform finds the values.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ann_keras.datasets import csv_reading, csv_records
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.csv_reading import Layout
from ann_keras.datasets.tables import identifiers

SAMPLE_ROWS = 100_000
SAMPLE_CELLS = 2_000_000
MOSTLY = 0.9
"""Share of a column's values that must be numbers for it to be one of numbers."""
EXACT = 2**24
"""float32 holds every whole number up to here (IEEE 754: a significand of 24 bits)."""
DISTINCT_SHARE, DISTINCT_LEAST = 0.5, 50
"""From this share of different texts, and so many of them, a column is called an id or free text."""


@dataclass(frozen=True, eq=False)
class Summary:
    """What the first rows hold in one column.

    Attributes:
        column: its name in the file.
        rows, missing, distinct: numbers of rows, of missing values and of different values.
        numeric: share of the values that are numbers; 0 if there are no values.
        is_whole: whether all of them are whole numbers, written without a point.
        example: the first value, "" if there is none.
        stray: the first value that is no number, "" if there is none.
        largest: the largest absolute number.
        values: what TFDV is given: numbers with NaN, or texts with None.
    """

    column: str
    rows: int
    missing: int
    distinct: int
    numeric: float
    is_whole: bool
    example: str
    stray: str
    largest: float
    values: np.ndarray

    @property
    def is_number(self) -> bool:
        """Whether it is a column of numbers."""
        return self.numeric >= MOSTLY


@dataclass(frozen=True)
class Column:
    """A column that is a feature.

    Attributes:
        column: its name in the file; name: of the feature.
        kind: "number" or "text".
        optional: whether values may be missing.
        distinct: number of different texts in the sample, 0 for numbers.
    """

    column: str
    name: str
    kind: str
    optional: bool
    distinct: int


def sample_rows(place: Layout) -> int:
    """How many rows are looked at, at most."""
    return max(1, min(SAMPLE_ROWS, SAMPLE_CELLS // len(place.columns)))


def summaries(place: Layout) -> dict[str, Summary]:
    """Summaries, by column, of the first rows: `SAMPLE_ROWS`, or as many as make `SAMPLE_CELLS` cells.

    Raises:
        DatasetError: as of `csv_reading.cells`, and if not one record has the fields that the header has.
    """
    wanted = sample_rows(place)
    parts: dict[str, list[Any]] = {column: [] for column in place.columns}
    rows = 0
    problem = ""
    for block in csv_records.blocks(place.path, place.delimiter, place.begin, place.first_line):
        block.text(place.path)
        cells = csv_reading.cells(block, place, place.columns)
        kept = pa.array(np.flatnonzero(cells.present)[: wanted - rows])
        for column, strings in cells.columns.items():
            parts[column].append(strings.take(kept))
        if cells.ragged:
            first = min(cells.ragged)
            problem = problem or f"line {block.lines(np.array([first]))[0]} {cells.ragged[first]}"
        rows += len(kept)
        if rows >= wanted:
            break
    if not rows:
        raise DatasetError(f"{place.path} has no readable row: {problem}")
    return {column: _summary(column, pa.concat_arrays(strings)) for column, strings in parts.items()}


def _summary(column: str, strings: Any) -> Summary:
    present = strings.drop_null()
    values, bad = csv_reading.numbers(present)
    # Infinity is a number that is not allowed: its row is the problem, not the column.
    is_number = np.asarray(pc.match_substring_regex(present, csv_reading.NUMBER), bool) if bad.any() else ~bad
    stray = present[int(np.flatnonzero(~is_number)[0])].as_py() if not is_number.all() else ""
    good = values[~np.isnan(values)]
    numeric = float(is_number.mean()) if len(present) else 0.0
    if numeric >= MOSTLY:
        # What is bad is a row's problem and not missing.
        everything = np.full(len(strings), np.nan)
        everything[np.asarray(strings.is_valid())] = np.where(bad, good[0] if len(good) else 0.0, values)
    else:
        everything = strings.to_numpy(zero_copy_only=False)
    return Summary(
        column,
        len(strings),
        strings.null_count,
        pc.count_distinct(present).as_py(),
        numeric,
        numeric == 1.0 and not pc.any(pc.match_substring_regex(present, "[.eEnN]")).as_py(),
        present[0].as_py() if len(present) else "",
        stray,
        float(np.abs(good).max()) if len(good) else 0.0,
        everything,
    )


def inferred(found: Mapping[str, Summary]) -> Any:
    """TFDV's schema of these columns: types and presence, in the order of the file."""
    import pandas
    import tensorflow_data_validation as tfdv

    options = tfdv.StatsOptions(
        num_histogram_buckets=1, num_values_histogram_buckets=2, num_quantiles_histogram_buckets=1
    )
    frame = pandas.DataFrame({column: _typed(summary) for column, summary in found.items()})
    schema = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(frame, options))
    del schema.string_domain[:]
    for feature in schema.feature:
        feature.ClearField("domain_info")
        feature.ClearField("domain")
    places = {column: place for place, column in enumerate(found)}
    schema.feature.sort(key=lambda feature: places[feature.name])
    return schema


def _typed(summary: Summary) -> np.ndarray:
    whole = summary.is_whole and not summary.missing
    return summary.values.astype(np.int64) if whole and summary.largest < 2**63 else summary.values


def read(path: str, place: Layout) -> Any:
    """A schema file.

    Raises:
        DatasetError: if it is not there, is no schema, has a type that is none of a column, or names one that the file
            lacks.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        schema = text_format.Parse(Path(path).read_text(encoding="utf-8"), schema_pb2.Schema())
    except OSError as error:
        raise DatasetError(f"schema {path} cannot be read: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise DatasetError(f"schema {path} is no Schema as a text proto: {error}") from None
    for feature in schema.feature:
        if feature.name not in place.columns:
            raise DatasetError(f"schema {path} names the column {feature.name!r}, which {place.path} lacks")
        if feature.type not in (schema_pb2.INT, schema_pb2.FLOAT, schema_pb2.BYTES):
            raise DatasetError(f"schema {path}: column {feature.name!r} has no type; give it INT, FLOAT or BYTES")
    return schema


def is_text(feature: Any) -> bool:
    """Whether a schema's feature is one of texts."""
    return bool(feature.type == feature.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name["BYTES"].number)


def columns(schema: Any, found: Mapping[str, Summary]) -> tuple[Column, ...]:
    """The features that a schema describes, in the order of the file."""
    described = {feature.name: feature for feature in schema.feature}
    kept = [column for column in found if column in described]
    made = []
    for column, name in zip(kept, identifiers(kept), strict=True):
        kind = "text" if is_text(described[column]) else "number"
        optional = described[column].presence.min_fraction < 1
        made.append(Column(column, name, kind, optional, found[column].distinct if kind == "text" else 0))
    return tuple(made)


def useful(found: Mapping[str, Summary], keep: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """The columns that can tell rows apart, and notes on those that cannot: one value, or none, in every row."""
    kept, notes = [], []
    for column, summary in found.items():
        if summary.missing == summary.rows:
            notes.append(f"column {column!r} is left out: all its values are missing")
        elif summary.distinct == 1 and not summary.missing and column not in keep:
            notes.append(f"column {column!r} is left out: it is {summary.example!r} in every row")
        else:
            kept.append(column)
    return kept, notes


def notes(made: Sequence[Column], found: Mapping[str, Summary]) -> Iterator[str]:
    """Yields what a user should know about the columns that are kept."""
    for column in made:
        summary = found[column.column]
        present = summary.rows - summary.missing
        if column.kind == "number" and summary.is_whole and summary.largest > EXACT:
            yield f"column {column.column!r} has whole numbers beyond 2**24, which float32 rounds"
        if column.kind == "text" and summary.distinct >= max(DISTINCT_LEAST, DISTINCT_SHARE * present):
            yield (
                f"column {column.column!r} has {summary.distinct:,} different texts in {present:,} rows: an id or free "
                "text? A schema file that does not name it leaves it out"
            )
        if column.kind == "text" and 1 - MOSTLY <= summary.numeric < MOSTLY:
            yield f"column {column.column!r} is read as texts, though {summary.numeric:.0%} of them are numbers"
        if column.kind == "text" and re.fullmatch(r"[+-]?\d+,\d+", summary.example):
            yield f"column {column.column!r} is read as texts: {summary.example!r} has a comma for a decimal point"


@functools.lru_cache(maxsize=8)
def sampled(place: Layout, stamp: str) -> dict[str, Summary]:
    """`summaries`, read once a process for each state of the files, which `stamp` tells."""
    return summaries(place)


@functools.lru_cache(maxsize=8)
def guessed(place: Layout, label: str, stamp: str) -> Any:
    """`inferred` for all useful columns and the label, once a process for each state of the files."""
    found = sampled(place, stamp)
    kept, _ = useful(found, keep=(label,))
    return inferred({column: found[column] for column in kept})
