"""Records of a CSV file by byte: where each begins and ends, found a block at a time without parsing a field.

RFC 4180 as Python's `csv` and Arrow read it: a quote opens a field only where the field begins, "" within it is a
quote, and a line end within it is part of it. Line ends are LF, CRLF and CR; lines without a byte are no records.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ann_keras.datasets.base import DatasetError

BLOCK_BYTES = 8 * 2**20
"""So much of a file is in memory at a time; a record must be shorter."""

QUOTE, CR, LF = b'"\r\n'


@dataclass(frozen=True, eq=False)
class Block:
    """Whole records of a file.

    Attributes:
        data: the bytes, with the line end of the last record.
        starts, ends: int64 [records], the place of each in `data`, without its line end.
        offset: the place of `data` in the file, once unpacked.
        first_line: number of its first line, from 1.
    """

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    offset: int
    first_line: int

    def __len__(self) -> int:
        return len(self.starts)

    def lines(self, places: np.ndarray) -> np.ndarray:
        """The numbers, int64, of the lines on which these records begin, as an editor counts them."""
        return self.first_line + np.searchsorted(line_ends(self.data), self.starts[places])

    def text(self, path: str) -> str:
        """The data as text; a DatasetError names the line that is not UTF-8."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = self.first_line + len(line_ends(self.data[: error.start]))
            raise DatasetError(f"{path} is not UTF-8 (line {line}); save it as UTF-8") from None


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """The file as binary, unpacked if its name ends in .gz; a DatasetError says why it cannot be read."""
    try:
        with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} is not a whole gzip file: {error}") from None
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None


def blocks(path: str, delimiter: str, begin: int, first_line: int, end: int | None = None) -> Iterator[Block]:
    """Yields the records from byte `begin`, where one begins, to byte `end` or the end of the file.

    Args:
        path: the file; of a .gz what comes before `begin` is unpacked and thrown away.
        delimiter: one ASCII character.
        begin, end: bytes of the unpacked file.
        first_line: number of the line at `begin`.

    Raises:
        DatasetError: for a record longer than `BLOCK_BYTES` or a quoted field that nothing closes, naming the line.
    """
    with opened(path) as file:
        file.seek(begin)
        rest = b""
        final = False
        while not final:
            wanted = BLOCK_BYTES if end is None else min(BLOCK_BYTES, end - begin - len(rest))
            fresh = file.read(wanted)
            data = rest + fresh
            final = len(fresh) < wanted or begin + len(data) == end
            block = cut(data, delimiter, begin, first_line, final)
            rest = data[len(block.data) :]
            begin += len(block.data)
            first_line += len(line_ends(block.data))
            if len(rest) >= BLOCK_BYTES or (final and rest):
                size = f"{BLOCK_BYTES / 2**20:g} MiB"
                what = "opens a quoted field that nothing closes" if final else f"is longer than {size}"
                raise DatasetError(f"{path}: the record on line {first_line} {what}; is a quote one too many?")
            if len(block):
                yield block


def cut(data: bytes, delimiter: str, offset: int, first_line: int, final: bool) -> Block:
    """The whole records at the beginning of `data`; with `final` all of it but a record in which a quoted field stays
    open.
    """
    ends, stops, is_open = _record_ends(data, delimiter, final)
    if final and not is_open and (not len(stops) or stops[-1] < len(data)):
        ends, stops = np.append(ends, len(data)), np.append(stops, len(data))
    starts = np.concatenate([np.zeros(min(len(stops), 1), np.int64), stops[:-1]])
    filled = ends > starts
    return Block(data[: stops[-1]] if len(stops) else b"", starts[filled], ends[filled], offset, first_line)


def _record_ends(data: bytes, delimiter: str, final: bool) -> tuple[np.ndarray, np.ndarray, bool]:
    """Where the line ends after records begin and stop, int64, and whether a quoted field is open at the end."""
    view = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(view == QUOTE) if b'"' in data else np.zeros(0, np.int64)
    if data.count(b"\r") != data.count(b"\r\n") or not _well_placed(view, quotes, delimiter):
        return _searched_ends(data, delimiter, final)
    stops = np.flatnonzero(view == LF)
    if len(quotes):
        stops = stops[np.searchsorted(quotes, stops) % 2 == 0]
    ends = stops - ((view[stops - 1] == CR) & (stops > 0))
    return ends, stops + 1, len(quotes) % 2 == 1


def _well_placed(view: np.ndarray, quotes: np.ndarray, delimiter: str) -> bool:
    """Whether every other quote opens a field or follows one in a "" pair, and the rest close: then parity is enough.

    By induction from the first: a quote outside of a field opens one only if the field begins there, and one inside
    closes it unless another follows.
    """
    if not len(quotes):
        return True
    border = np.zeros(256, bool)
    border[[ord(delimiter), QUOTE, CR, LF]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before, after = opening[opening > 0] - 1, closing[closing + 1 < len(view)] + 1
    return bool(border[view[before]].all() and border[view[after]].all())


def _searched_ends(data: bytes, delimiter: str, final: bool) -> tuple[np.ndarray, np.ndarray, bool]:
    """The same by a regular expression: exact for stray quotes and lone carriage returns, and slower."""
    spans: list[tuple[int, int]] = []
    is_open = False
    for match in _pattern(delimiter).finditer(data):
        if data[match.start()] != QUOTE:
            spans.append(match.span())
        elif match.end() == len(data):
            is_open = match.group().count(b'"') % 2 == 1
    # Of a CR at the end of the block it is not known yet whether a LF follows.
    if spans and spans[-1] == (len(data) - 1, len(data)) and data.endswith(b"\r") and not final:
        spans.pop()
    found = np.array(spans, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1], is_open


@functools.cache
def _pattern(delimiter: str) -> re.Pattern[bytes]:
    border = re.escape(delimiter).encode()
    return re.compile(rb'(?<![^%s\r\n])"[^"]*(?:""[^"]*)*"?|\r\n|\n|\r' % border)


def line_ends(data: bytes) -> np.ndarray:
    """The places, int64, of the last byte of every line end, within quotes too."""
    view = np.frombuffer(data, np.uint8)
    if b"\r" not in data:
        return np.flatnonzero(view == LF)
    followed = np.append(view[1:] == LF, False)
    return np.flatnonzero((view == LF) | ((view == CR) & ~followed))
