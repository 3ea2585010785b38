"""A table of the user's own, one record a row: CSV, TSV or text, also as .gz, or a folder of train.* and test.*.

`csv:PATH?label=COLUMN&schema=FILE&as=label|number`: all but the label is optional, `%`, `?`, `&` and `#` in names are
percent-encoded. A folder holds train.* and, if its authors split it, validation.* and test.*.

The separator is found in the header. Types are guessed from the first rows or come from a schema file
(`csv_schema`); a label of texts or of two whole numbers is a class, any other number a number, unless `as` says
otherwise. Shards are byte ranges of some 8 MiB, which their workers read alone; a .gz has at most eight, as each worker
unpacks what comes before its range.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ann_keras.datasets import csv_label, csv_paths, csv_reading, csv_scan, csv_schema
from ann_keras.datasets.base import Dataset, DatasetError, Index
from ann_keras.datasets.csv_label import Label
from ann_keras.datasets.csv_paths import Source, quoted
from ann_keras.datasets.csv_reading import Layout
from ann_keras.datasets.csv_scan import Scan
from ann_keras.datasets.csv_schema import Column
from ann_keras.datasets.csv_shard import CsvShard
from ann_keras.datasets.tables import shown
from ann_keras.task import Feature

__all__ = ["CsvDataset", "describe", "load", "quoted", "schema_text"]


class CsvDataset(Dataset):
    """The rows of one file, or of the files of a folder.

    Attributes:
        source: path, label, schema and how the label is read.
        notes: what a user should know of the columns, one line each: which are left out, and which look odd.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._files = csv_paths.files(source.path)
        self._places = tuple(csv_reading.layout(file) for file in self._files.values())
        _check_label(source, self._places)
        self.name = source.name
        self.description = Path(source.path).name

    @functools.cached_property
    def features(self) -> dict[str, Feature]:  # type: ignore[override]
        """The columns in the order of the file, and the label."""
        described = {
            column.name: Feature(
                column.name,
                column.kind,
                dtype="string" if column.kind == "text" else "float32",
                description=f"Column {column.column!r}.",
                optional=column.optional,
                distinct=column.distinct,
            )
            for column in self.columns
        }
        return described | {"label": self._labels[0].feature}

    @functools.cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are features."""
        found = {name: summary for name, summary in self.summaries.items() if name != self.source.label}
        made = csv_schema.columns(self.schema, found)
        # What is missing everywhere is no feature, whoever names it.
        made = tuple(column for column in made if found[column.column].missing < found[column.column].rows)
        if not made:
            raise DatasetError(f"{self.source.path} has no column beside the label that can tell rows apart")
        return made

    @property
    def has_schema(self) -> bool:
        """Whether the types come from a file."""
        return bool(self.source.schema)

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for every column that is left out or looks odd."""
        found = {name: summary for name, summary in self.summaries.items() if name != self.source.label}
        rows = next(iter(found.values())).rows if found else 0
        _, left_out = csv_schema.useful(found, keep=[column.column for column in self.columns])
        is_sample = rows == csv_schema.sample_rows(self._places[0]) < len(self._scan.digests)
        sample = [f"what follows was seen in the first {rows:,} rows"] if is_sample else []
        made = self.columns
        if not self.features["label"].classes:
            made += (Column(self.source.label, "label", "number", False, 0),)
        lines = [*left_out, *csv_schema.notes(made, self.summaries)]
        return tuple(sample + lines) if lines else ()

    @property
    def summaries(self) -> dict[str, csv_schema.Summary]:
        """What the first rows of the first file hold, by column."""
        return csv_schema.sampled(self._places[0], self._stamp())

    @property
    def schema(self) -> Any:
        """The schema of columns and label, guessed or as the file says."""
        if self.source.schema:
            return csv_schema.read(self.source.schema, self._places[0])
        return csv_schema.guessed(self._places[0], self.source.label, self._stamp())

    def labelled(self, kind: str) -> CsvDataset:
        """The same rows with the label as classes ("label") or as a number ("number").

        Raises:
            DatasetError: for texts that are to be numbers, naming one, and for too many classes.
        """
        other = CsvDataset(dataclasses.replace(self.source, kind=kind))
        _ = other.features
        return other

    def fingerprint(self) -> str:
        """The digest of the name, and of the sizes and times of the files and the schema."""
        text = f"{self.name}\0{self._stamp()}"
        return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()

    def _stamp(self) -> str:
        """The same without the name: what is read once a process is kept by it."""
        digest = hashlib.blake2b(digest_size=8)
        for file in filter(None, (*self._files.values(), self.source.schema)):
            try:
                stat = os.stat(file)
            except OSError as error:
                raise DatasetError(f"{file} cannot be read: {error.strerror}") from None
            digest.update(f"\0{file}\0{stat.st_size}\0{stat.st_mtime_ns}".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def index(self) -> Index:
        """Keys and labels of all rows, from one pass that parses the label alone."""
        return Index(self._scan.keys(), self._labels[1], self._official, self._labels[0].classes)

    def shards(self) -> Sequence[CsvShard]:
        """One shard a span."""
        scan = self._scan
        shards = []
        for span in scan.spans:
            here = slice(*np.searchsorted(scan.repeated, [span.start, span.stop]).tolist())
            repeats = scan.repeated[here].tobytes(), scan.times[here].tobytes()
            shards.append(CsvShard(span.start, span.stop, span, self.columns, self._labels[0], *repeats))
        return shards

    @functools.cached_property
    def _numeric(self) -> bool:
        """Whether the label's cells are numbers."""
        summary = self.summaries[self.source.label]
        declared = {feature.name: feature for feature in self.schema.feature} if self.source.schema else {}
        if not self.source.kind and self.source.label in declared:
            return not csv_schema.is_text(declared[self.source.label])
        if self.source.kind == "number" and not summary.is_number:
            raise DatasetError(
                f"label column {self.source.label!r} holds {summary.stray!r}, which is no number; drop as=number"
            )
        return summary.numeric == 1.0 if self.source.kind == "label" else summary.is_number

    @property
    def _scan(self) -> Scan:
        return csv_scan.scan(self._places, self.source.label, self._numeric, self._stamp())

    @functools.cached_property
    def _labels(self) -> tuple[Label, np.ndarray]:
        found, classes = csv_label.label(self._scan, self.source.label, self._numeric, self.source.kind)
        csv_label.check_official(found, self._official, classes, self.source.path)
        return found, classes

    @property
    def _official(self) -> np.ndarray:
        split = {path: name for name, path in self._files.items()}
        names = np.array([split[span.place.path] for span in self._scan.spans], dtype=object)
        return np.repeat(names, [span.stop - span.start for span in self._scan.spans])


def load(argument: str) -> CsvDataset:
    """Opens a table.

    Args:
        argument: what follows `csv:`.

    Raises:
        DatasetError: in one line, for a file, a column or a setting that cannot be used.
    """
    return CsvDataset(csv_paths.parse(argument))


def schema_text(dataset: CsvDataset) -> str:
    """The schema as a text proto, to be edited and given as `schema`; what is left out stands there as a comment."""
    from google.protobuf import text_format

    comments = [f"# {note}" for note in dataset.notes]
    return "\n".join([*comments, text_format.MessageToString(dataset.schema, as_utf8=True)])


def describe(dataset: CsvDataset) -> list[tuple[str, str, str, float, int, str]]:
    """Column, feature, type, share of missing values, number of different values and the first value of each column
    that is used, the label last.
    """
    label = dataset.features["label"]
    kind = f"label, {len(label.classes)} classes" if label.classes else "label, number"
    used = [(column.column, column.name, column.kind) for column in dataset.columns]
    rows = []
    for column, name, type_ in [*used, (dataset.source.label, "label", kind)]:
        summary = dataset.summaries[column]
        rows.append((column, name, type_, summary.missing / summary.rows, summary.distinct, summary.example))
    return rows


def _check_label(source: Source, places: Sequence[Layout]) -> None:
    """Raises a DatasetError for what is wrong with the label, or with the columns of the files."""
    columns = places[0].columns
    for other in places[1:]:
        odd = sorted(set(columns) ^ set(other.columns))
        if odd:
            lacking = other if odd[0] in columns else places[0]
            raise DatasetError(f"{lacking.path} lacks the column {odd[0]!r}, which the other files of the folder have")
    if not source.label:
        raise DatasetError(f"csv:{source.path} needs --label COLUMN; its columns are {shown(columns)}")
    if source.label not in columns:
        near = difflib.get_close_matches(source.label, columns, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        if not csv_reading.numbers(pa.array(columns))[1].all():
            hint += "; some of these are numbers: a line of column names must come first"
        known = f"its columns are {shown(columns)}{hint}"
        raise DatasetError(f"csv:{source.path} has no column {source.label!r}; {known}")
