"""Pictures as a page needs them: encoded bytes as data URIs, arrays as PNG, large photographs as thumbnails."""

from __future__ import annotations

import base64
import io

import numpy as np

MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}
"""The first bytes of a file -> its MIME type."""

THUMBNAIL_SIDE = 192
"""Longest side in pixels of a picture in a grid: two device pixels for each of the page's."""

SMALL_BYTES = 16 * 1024
"""Up to this size an image is inlined as it is."""


def mime_type(data: bytes) -> str:
    """Returns the MIME type of an encoded image.

    Raises:
        ValueError: if it is not PNG, JPEG, GIF or BMP.
    """
    for magic, mime in MAGIC.items():
        if data.startswith(magic):
            return mime
    raise ValueError(f"neither PNG, JPEG, GIF nor BMP: it starts with {data[:8]!r}")


def data_uri(data: bytes) -> str:
    """Returns an encoded image as a data URI; a large one as a thumbnail, so that a page stays small.

    Raises:
        ValueError: if it is not PNG, JPEG, GIF or BMP, or is large and cannot be decoded.
    """
    mime = mime_type(data)
    if len(data) > SMALL_BYTES:
        data, mime = _thumbnail(data)
    return f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"


def png(pixels: np.ndarray) -> bytes:
    """Encodes `pixels`, uint8 [height, width] or [height, width, 3]."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def signed_png(values: np.ndarray, scale: float | None = None) -> bytes:
    """Draws signed values, such as weights, with zero in the neutral middle.

    Args:
        values: float [height, width] or [height, width, channels]. One channel is drawn from blue (negative) over white
            to red; three as red, green and blue around grey; any other number is summed to one.
        scale: the absolute value at the ends of the colours; None for the largest one here.

    Raises:
        ValueError: for another rank.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim not in (2, 3):
        raise ValueError(f"a picture is [height, width] or [height, width, channels], not of shape {values.shape}")
    if values.ndim == 3 and values.shape[-1] != 3:
        values = values.sum(axis=-1)
    limit = scale or float(np.max(np.abs(values), initial=0.0)) or 1.0
    unit = np.clip(np.nan_to_num(values) / limit, -1.0, 1.0)
    if unit.ndim == 3:
        return png(np.rint((unit + 1.0) * 127.5))
    return png(_diverging(unit))


def _diverging(unit: np.ndarray) -> np.ndarray:
    # Ends and quarters of ColorBrewer's RdBu, reversed: https://colorbrewer2.org
    stops = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    colours = np.array([[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]])
    return np.stack([np.interp(unit, stops, colours[:, channel]) for channel in range(3)], axis=-1).round()


def _thumbnail(data: bytes) -> tuple[bytes, str]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            opaque = image.convert("RGB")
    except Exception as error:  # Pillow raises OSError, SyntaxError, DecompressionBombError ... for broken files
        raise ValueError(f"cannot be decoded: {error}") from error
    opaque.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    opaque.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue(), "image/jpeg"
