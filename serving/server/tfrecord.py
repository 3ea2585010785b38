"""TFRecord files, without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c

from serving.errors import Code, ServingError

_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8


def _masked(data: bytes) -> int:
    """Returns the checksum that the format stores: CRC32C, turned and shifted."""
    checksum = google_crc32c.value(data)
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _take(file: BinaryIO, size: int, start: int, may_end: bool = False) -> bytes:
    data = file.read(size)
    if len(data) < size and (data or not may_end):
        raise ServingError(Code.DATA_LOSS, f"truncated record at {start}")
    return data


def framed(data: bytes) -> bytes:
    """Returns a record as it stands in a file."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, _FOOTER.pack(_masked(length)), data, _FOOTER.pack(_masked(data))))


def records(file: BinaryIO, size: int | None = None) -> Iterator[bytes]:
    """Yields the records of an open file of `size` bytes; None where that is not known, as of a compressed one.

    Raises:
        ServingError: DATA_LOSS, in TensorFlow's words, where the file is cut short or its checksums do not match.
    """
    start = 0
    while size is None or start < size:
        header = _take(file, _HEADER.size, start, may_end=size is None)
        if not header:
            return
        length, checksum = _HEADER.unpack(header)
        if checksum != _masked(header[:8]):
            raise ServingError(Code.DATA_LOSS, f"corrupted record at {start}")
        if size is not None and length > size - start:  # before memory is taken for it
            raise ServingError(Code.DATA_LOSS, f"truncated record at {start}")
        data = _take(file, length, start)
        (checksum,) = _FOOTER.unpack(_take(file, _FOOTER.size, start))
        if checksum != _masked(data):
            raise ServingError(Code.DATA_LOSS, f"corrupted record at {start}")
        yield data
        start += _HEADER.size + length + _FOOTER.size
