"""Lines of files of pairs of texts, and the one pass that finds their keys and where a worker may begin."""

from __future__ import annotations

import functools
import gzip
import hashlib
import itertools
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ann_keras.datasets import keyed, near_duplicates, pairs
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.text_paths import EXPECTED, Place

MARK_ROWS = 1024
"""Every so many rows the pass notes where it is."""
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Mark:
    """A row of a place, from 0, and the byte at which it begins in each of its files, unpacked."""

    row: int = 0
    offsets: tuple[int, ...] = (0, 0)


@dataclass(frozen=True)
class Pair:
    """A source and a target, or why they cannot be used; `ends` are the bytes at which their lines end."""

    source: bytes
    target: bytes
    problem: str
    ends: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Scan:
    """What the pass finds.

    Attributes:
        counts: rows of each place.
        marks: those of each place, every `MARK_ROWS` rows from its first.
        digests: uint64 [rows], of sources and targets.
        repeated: int64, the rows whose pair has come before; times: int64, how often.
        groups: int64 [rows], of near-duplicate sources outside the test split.
    """

    counts: tuple[int, ...]
    marks: tuple[tuple[Mark, ...], ...]
    digests: np.ndarray
    repeated: np.ndarray
    times: np.ndarray
    groups: np.ndarray


def read(place: Place, mark: Mark = Mark()) -> Iterator[Pair]:
    """Yields the pairs of a place from a mark on; a pair that cannot be used says where it stands and why.

    Raises:
        DatasetError: for a file that cannot be read, or two that have not the same number of lines.
    """
    streams = [_lines(path, offset) for path, offset in zip(place.files, mark.offsets, strict=False)]
    for row, lines in enumerate(itertools.zip_longest(*streams), start=mark.row):
        if None in lines:
            raise _unequal(place)
        ends = tuple(end for _, end in lines)
        if place.target:
            source, target = lines[0][0], lines[1][0]
            problem = ""
        else:
            source, target, problem = _parted(lines[0][0], place, row)
        yield Pair(source, target, problem or _problem(source, target, place, row), ends)


@functools.lru_cache(maxsize=2)
def scan(places: tuple[Place, ...], stamp: str) -> Scan:
    """Reads the files, once a process for each state of them.

    Args:
        places: the files.
        stamp: changes when a file does.

    Raises:
        DatasetError: as of `read`, and for a place without pairs.
    """
    found = array("Q")
    counts, marks = [], []
    for place in places:
        before, here, usable, problem = len(found), [Mark()], 0, "it is empty"
        for pair in read(place):
            found.append(int.from_bytes(digest(pair), "big"))
            usable += not pair.problem
            problem = pair.problem or problem
            if (len(found) - before) % MARK_ROWS == 0:
                here.append(Mark(len(found) - before, pair.ends))
        counts.append(len(found) - before)
        marks.append(tuple(here))
        if not usable:
            raise DatasetError(f"{place.source} has no pair of texts that can be used: {problem}; {EXPECTED}")
    digests = np.array(found, np.uint64)
    wanted = np.repeat([place.official != "test" for place in places], counts)
    sources = (pair.source for place in places if place.official != "test" for pair in read(place))
    return Scan(tuple(counts), tuple(marks), digests, *keyed.repeats(digests), near_duplicates.within(wanted, sources))


def digest(pair: Pair) -> bytes:
    """BLAKE2b of source and target, `keyed.DIGEST_BYTES` long."""
    return hashlib.blake2b(pair.source + b"\t" + pair.target, digest_size=keyed.DIGEST_BYTES).digest()


def _lines(path: str, offset: int) -> Iterator[tuple[bytes, int]]:
    """Lines without the line feed, and a carriage return before it, that end them, and the byte at which each ends."""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as stream:
            stream.seek(offset)
            for line in stream:
                if not offset and line.startswith(UTF16):
                    raise DatasetError(f"{path} is UTF-16; save it as UTF-8")
                text = line.removeprefix(BOM) if not offset else line
                offset += len(line)
                yield text.removesuffix(b"\n").removesuffix(b"\r"), offset
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def _parted(line: bytes, place: Place, row: int) -> tuple[bytes, bytes, str]:
    """The two columns of a line; where it has not both, the line and why."""
    columns = line.split(b"\t")
    last = max(place.columns)
    if last < len(columns):
        return columns[place.columns[0]], columns[place.columns[1]], ""
    name = f"{Path(place.source).name} line {row + 1}"
    if not line.strip():
        return line, b"", f"{name} is empty"
    return line, b"", f"{name} has no tab" if len(columns) == 1 else f"{name} has no column {last + 1}"


def _problem(source: bytes, target: bytes, place: Place, row: int) -> str:
    found = pairs.problem(source, target)
    if not found:
        return ""
    names = [f"{Path(file).name} line {row + 1}" for file in place.files]
    return pairs.problem(source, target, (names[0], names[1])) if place.target else f"{names[0]}: {found}"


def _unequal(place: Place) -> DatasetError:
    counts = [sum(1 for _ in _lines(path, 0)) for path in place.files]
    said = " and ".join(f"{path} has {count:,} lines" for path, count in zip(place.files, counts, strict=True))
    return DatasetError(f"{said}; each line of the one needs its partner in the other")
