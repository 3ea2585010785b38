"""One feature's value from a file or from a cell of a table. What is wrong with it is a ValueError or an OSError."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from ann_keras.task import Feature
from pipelines.bulk import storage
from serving import columns
from serving.columns import is_cell
from serving.encoding import encode_value

LARGEST_FILE = 1 << 25
"""Bytes of a picture, or of another file that holds one value."""
LARGEST_CELL = 2 * LARGEST_FILE
"""Characters of a cell, which holds a file's bytes in base64."""
MOST_PIXELS = 1 << 26
"""Of a picture: in float32 and three channels they take 800 MB."""


def from_file(path: str, feature: Feature) -> Any:
    """The encoded bytes of an image, the bytes of a text, or the numbers of a .npy file."""
    with storage.read(path) as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"larger than {LARGEST_FILE >> 20} MiB")
    if feature.kind == "image":
        return _picture(content)
    if feature.kind == "text":
        return content
    return encode_value(feature, np.load(io.BytesIO(content), allow_pickle=False))


def from_cell(folder: str, feature: Feature, cell: str | None) -> Any:
    """A number or a text as a table has it, an image from a path relative to the folder or from a data: URI, anything
    else as `serving.client` takes text; None is a column that is not there.
    """
    if cell is None:
        return encode_value(feature, None)
    if is_cell(feature):
        return encode_value(feature, _utf8(feature, columns.from_cell(feature, cell)))
    cell = cell.strip()
    if feature.kind == "image":
        if cell.startswith("data:"):
            return _picture(_inline(cell))
        if not cell:
            raise ValueError(f"{feature.name}: neither a path nor a data: URI")
    elif not cell.endswith(".npy"):
        return encode_value(feature, cell)
    try:
        return from_file(storage.join(folder, cell), feature)
    except OSError as error:
        raise ValueError(f"{cell}: {error.strerror or error}") from error


def _utf8(feature: Feature, value: float | str | None) -> float | str | None:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"text {feature.name!r} is not UTF-8") from None
    return value


def _inline(uri: str) -> bytes:
    """The bytes of data:image/png;base64,..."""
    head, _, content = uri.partition(",")
    if not head.endswith(";base64"):
        raise ValueError(f"a data: URI of an image begins as data:image/png;base64, does, not as {head[:40]!r}")
    return base64.b64decode(content, validate=True)


def _picture(encoded: bytes) -> bytes:
    """The bytes themselves, unless they would decode to far more than anyone photographs."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded)) as image:
            pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = MOST_PIXELS + 1
    except Exception:
        # Of many kinds on a broken file, and the model has the last word on what it reads.
        return encoded
    if pixels > MOST_PIXELS:
        raise ValueError(f"a picture of more than {MOST_PIXELS >> 20} megapixels")
    return encoded
