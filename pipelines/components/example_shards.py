"""One shard of a dataset as files of tf.Examples: what a Beam worker of the ExampleGen does, and what it reports."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from tfx.dsl.io import fileio

from ann_keras.datasets.base import DatasetError, Row, Shard, Table, TableShard

SPLITS = ("train", "eval", "test")
KEY = "key"
"""The bytes feature that names every example, beside the task's features."""
BAD_LISTED = 1000
"""So many unreadable examples of a shard, and of all, are named; all are counted."""
ALL = "examples"
"""What examples that have not one class each, a label, are counted as."""
ENCODED_ROWS = 10_000
"""So many rows of a table are examples in memory at a time."""
ARROW = {"string": pa.binary(), "int64": pa.int64(), "float32": pa.float32()}


@dataclass
class Counts:
    """What was written.

    Attributes:
        counts: split -> class -> number of examples; the class is `ALL` where an example has not one class.
        classes: the names of the classes, by label; empty where an example has not one.
        image: shape of an image, with null where it varies; empty where there is none, or more than one.
        bad_count: examples that could not be read and were left out; bad_first: key and reason of the first ones.
        name, description, licence, citation: of the dataset.
        failure: why a shard could not be written at all; "" if all were.
    """

    counts: dict[str, dict[str, int]]
    classes: list[str] = field(default_factory=list)
    image: list[int | None] = field(default_factory=list)
    bad_count: int = 0
    bad_first: list[tuple[str, str]] = field(default_factory=list)
    name: str = ""
    description: str = ""
    licence: str = ""
    citation: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Work:
    """A shard, where its rows go, and into which files.

    Attributes:
        codes: int8 [stop - start] as bytes: index into SPLITS, or -1 for rows that take no part.
        files: final path by split.
        temporary: folder on the same file system; files are renamed when they are whole, so that a retry does no harm.
        features: dtype of each value in a tf.Example by role.
        classes: the names of the classes, by label; empty where an example has not one.
    """

    shard: Shard
    codes: bytes
    files: Mapping[str, str]
    temporary: str
    features: Mapping[str, str]
    classes: tuple[str, ...]


def to_example(row: Row, features: Mapping[str, str]) -> bytes:
    """A serialized tf.Example of a row: its values by role, tensors flattened and texts in UTF-8, and its key."""
    import tensorflow as tf

    example = tf.train.Example()
    feature = example.features.feature
    for role, dtype in features.items():
        value = row.values[role]
        if dtype == "string":
            feature[role].bytes_list.value.append(value.encode() if isinstance(value, str) else value)
        elif dtype == "int64":
            feature[role].int64_list.value.append(value)
        else:
            feature[role].float_list.value.extend(np.ravel(value))
    feature[KEY].bytes_list.value.append(row.key.encode("utf-8", "surrogateescape"))
    return bytes(example.SerializeToString())


def to_examples(table: Table, rows: np.ndarray, features: Mapping[str, str]) -> Iterator[bytes]:
    """Yields the tf.Examples of some rows, int [chosen], of a table: as `to_example` makes them, but by column."""
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    encoder = RecordBatchToExamplesEncoder()
    for start in range(0, len(rows), ENCODED_ROWS):
        chosen = rows[start : start + ENCODED_ROWS]
        offsets = pa.array(np.arange(len(chosen) + 1, dtype=np.int32))
        keys = [key.encode("utf-8", "surrogateescape") for key in table.keys[chosen].tolist()]
        values = {role: pa.array(table.columns[role][chosen], ARROW[dtype]) for role, dtype in features.items()}
        values[KEY] = pa.array(keys, pa.binary())
        lists = {name: pa.ListArray.from_arrays(offsets, array) for name, array in values.items()}
        yield from encoder.encode(pa.RecordBatch.from_arrays(list(lists.values()), list(lists)))


def write_shard(work: Work) -> Counts:
    """Reads, encodes and writes one shard; runs in a Beam worker."""
    import tensorflow as tf

    # A full disk and a broken source fail again on every retry: they are reported, not raised in Beam.
    try:
        return _write_shard(work)
    except DatasetError as error:
        return Counts({}, failure=str(error))
    except (tf.errors.ResourceExhaustedError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.ENOSPC:
            raise
        return Counts({}, failure=f"no space left to write {os.path.dirname(work.temporary)}")


def _write_shard(work: Work) -> Counts:
    import tensorflow as tf

    tally = Counts({split: {} for split in work.files})
    # The images are compressed already: level 1 is for the rest.
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
    partial = {split: os.path.join(work.temporary, f"{split}-{uuid.uuid4().hex}") for split in work.files}
    codes = np.frombuffer(work.codes, np.int8)
    with ExitStack() as stack:
        writers = {split: stack.enter_context(tf.io.TFRecordWriter(path, options)) for split, path in partial.items()}
        write = _write_tables if isinstance(work.shard, TableShard) else _write_rows
        rows = write(work, codes, writers, tally)
    if rows != len(codes):
        raise DatasetError(f"the dataset changed while it was read: {rows} examples where there were {len(codes)}")
    for split, path in partial.items():
        fileio.rename(path, work.files[split], overwrite=True)
    return tally


def _write_rows(work: Work, codes: np.ndarray, writers: Mapping[str, Any], tally: Counts) -> int:
    """Writes row by row; returns how many rows the shard has."""
    position = 0
    for position, row in enumerate(work.shard.read(), start=1):
        code = codes[position - 1] if position <= len(codes) else -1
        if code < 0:
            continue
        if row.problem:
            _note(tally, row.key, row.problem)
            continue
        writers[SPLITS[code]].write(to_example(row, work.features))
        _count(tally, SPLITS[code], work.classes[row.values["label"]] if work.classes else ALL, 1)
    return position


def _write_tables(work: Work, codes: np.ndarray, writers: Mapping[str, Any], tally: Counts) -> int:
    """Writes table by table; returns how many rows the shard has."""
    assert isinstance(work.shard, TableShard)
    position = 0
    for table in work.shard.tables():
        here = np.full(len(table), -1, np.int8)
        known = codes[position : position + len(table)]
        here[: len(known)] = known
        position += len(table)
        for place in sorted(table.problems):
            if here[place] >= 0:
                _note(tally, str(table.keys[place]), table.problems[place])
        here[list(table.problems)] = -1
        for split, writer in writers.items():
            rows = np.flatnonzero(here == SPLITS.index(split))
            for example in to_examples(table, rows, work.features):
                writer.write(example)
            if not work.classes:
                _count(tally, split, ALL, len(rows))
                continue
            for label, number in enumerate(np.bincount(table.columns["label"][rows]).tolist()):
                _count(tally, split, work.classes[label], number)
    return position


def _note(tally: Counts, key: str, problem: str) -> None:
    tally.bad_count += 1
    if tally.bad_count <= BAD_LISTED:
        tally.bad_first.append((key, problem))


def _count(tally: Counts, split: str, name: str, number: int) -> None:
    if number:
        tally.counts[split][name] = tally.counts[split].get(name, 0) + number


def merge(tallies: Iterable[Counts], classes: Sequence[str] = ()) -> Counts:
    """The sum of what the shards report; every class of `classes` is named in every split, in their order."""
    total = Counts({split: dict.fromkeys(classes, 0) for split in SPLITS}, list(classes))
    for tally in tallies:
        for split, counted in tally.counts.items():
            for name, number in counted.items():
                total.counts[split][name] = total.counts[split].get(name, 0) + number
        total.bad_count += tally.bad_count
        total.bad_first += tally.bad_first
        total.failure = total.failure or tally.failure
    total.bad_first = sorted(total.bad_first)[:BAD_LISTED]
    return total
