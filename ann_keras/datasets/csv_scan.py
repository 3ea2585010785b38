"""The one light pass over a CSV file: keys, the label and where shards begin, of a column and a digest a row.

A row's key is a digest of its record's bytes, so that neither its place nor another row changes it; of equal records
the second has "-1" after it, the third "-2" and so on.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ann_keras.datasets import csv_reading, csv_records, keyed
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.csv_reading import Layout
from ann_keras.datasets.csv_records import Block

MOST_CLASSES = 1000
GZ_SHARDS = 8
"""A .gz cannot be entered in the middle: who reads a shard of it unpacks all that comes before, so it has few."""


@dataclass(frozen=True)
class Span:
    """The records of one shard: rows [start, stop) of the index, bytes [begin, end) of a file, its first line."""

    place: Layout
    start: int
    stop: int
    begin: int
    end: int
    first_line: int


@dataclass(frozen=True, eq=False)
class Scan:
    """What the pass finds.

    Attributes:
        digests: uint64 [rows], of the records' bytes.
        values: float64 [rows] of a label of numbers, NaN where missing or bad; else int32 [rows], the place in `names`,
            -1 where missing.
        names: the different texts of a label of texts, in the order of their appearance.
        spans: the shards of all files, in order.
        repeated: int64, the rows whose record has come before; times: int64, how often.
    """

    digests: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    spans: tuple[Span, ...]
    repeated: np.ndarray
    times: np.ndarray

    def keys(self) -> np.ndarray:
        """Str [rows], unique."""
        return keyed.of_digests(self.digests, self.repeated, self.times)


@functools.lru_cache(maxsize=2)
def scan(places: tuple[Layout, ...], label: str, numeric: bool, stamp: str) -> Scan:
    """Reads the files, once a process for each state of them.

    Args:
        places: the files.
        label: the column.
        numeric: whether it is one of numbers.
        stamp: changes when a file does.

    Raises:
        DatasetError: for what is no CSV in UTF-8, and for too many classes, naming the line or the column.
    """
    digests, values = [], []
    spans: list[Span] = []
    names: dict[str | None, int] = {None: -1}
    for place in places:
        found: list[Span] = []
        for block in csv_records.blocks(place.path, place.delimiter, place.begin, place.first_line):
            block.text(place.path)
            start = spans[-1].stop if spans else 0
            start = found[-1].stop if found else start
            end = block.offset + len(block.data)
            found.append(Span(place, start, start + len(block), block.offset, end, block.first_line))
            digests.append(record_digests(block))
            strings = csv_reading.cells(block, place, (label,)).columns[label]
            values.append(csv_reading.numbers(strings)[0] if numeric else _codes(strings, names, label))
        spans += _joined(found) if place.path.endswith(".gz") else found
    every = np.concatenate(digests)
    repeated, times = keyed.repeats(every)
    return Scan(every, np.concatenate(values), tuple(names)[1:], tuple(spans), repeated, times)  # type: ignore[arg-type]


def record_digests(block: Block) -> np.ndarray:
    """Digests, uint64 [records], of the bytes of records: BLAKE2b."""
    view = memoryview(block.data)
    blake = functools.partial(hashlib.blake2b, digest_size=keyed.DIGEST_BYTES)
    bounds = zip(block.starts.tolist(), block.ends.tolist(), strict=True)
    return np.frombuffer(b"".join([blake(view[start:end]).digest() for start, end in bounds]), ">u8").astype(np.uint64)


def _codes(strings: Any, names: dict[str | None, int], label: str) -> np.ndarray:
    """Places of texts in `names`, which grows."""
    encoded = pc.dictionary_encode(strings)
    for name in encoded.dictionary.to_pylist():
        names.setdefault(name, len(names) - 1)
    if len(names) - 1 > MOST_CLASSES:
        raise DatasetError(
            f"label column {label!r} has more than {MOST_CLASSES:,} different values; a class needs examples: name "
            "another column, or read numbers with as=number"
        )
    known = np.array([names[name] for name in encoded.dictionary.to_pylist()], np.int32)
    indices = np.asarray(pc.fill_null(encoded.indices, len(known)))
    codes: np.ndarray = np.append(known, np.int32(-1))[indices]
    return codes


def _joined(spans: Sequence[Span]) -> list[Span]:
    """At most `GZ_SHARDS` spans in place of many."""
    joined = []
    for group in np.array_split(np.arange(len(spans)), min(GZ_SHARDS, len(spans))):
        first, last = spans[group[0]], spans[group[-1]]
        joined.append(Span(first.place, first.start, last.stop, first.begin, last.end, first.first_line))
    return joined
