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

THUMBNAIL_SIDE, WIDE_SIDE = 192, 480
"""Longest side in pixels of a picture in a grid, and in one of four columns: about two device pixels for each of the
page's."""

SMALL_BYTES = 16 * 1024
"""Up to this size an image is inlined as it is."""

PNG_PALETTE = 3
"""The colour type, a PNG's byte 25, of one with a palette."""

SEQUENTIAL = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Five colours of matplotlib's viridis, evenly apart."""


def mime_type(data: bytes) -> str:
    """Returns the MIME type of an encoded image.

    Raises:
        ValueError: if it is not PNG, JPEG, GIF or BMP.
    """
    for magic, mime in MAGIC.items():
        if data.startswith(magic):
            return mime
    raise ValueError(f"neither PNG, JPEG, GIF nor BMP: it starts with {data[:8]!r}")


def data_uri(data: bytes, side: int = THUMBNAIL_SIDE) -> str:
    """Returns an encoded image as a data URI; a large one as a thumbnail, so that a page stays small.

    A PNG with a palette is inlined as it is: it was drawn, and JPEG would blur its edges.

    Args:
        data: the image.
        side: of a thumbnail, the longest in pixels.

    Raises:
        ValueError: if it is not PNG, JPEG, GIF or BMP, or is large and cannot be decoded.
    """
    mime = mime_type(data)
    if len(data) > SMALL_BYTES and not (mime == "image/png" and data[25] == PNG_PALETTE):
        data, mime = _thumbnail(data, side)
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


def scale_png(values: np.ndarray, low: float, high: float) -> bytes:
    """Draws values that have no sign, such as weights of pixels, from dark at `low` to bright at `high`.

    Args:
        values: float [height, width].
        low, high: the ends of the colours; beyond them the colours stay.
    """
    unit = np.clip((np.asarray(values, np.float64) - low) / ((high - low) or 1.0), 0.0, 1.0)
    return png(_sequential(unit))


def scale_css() -> str:
    """The colours of `scale_png` from its low to its high end, as the stops of a gradient in CSS."""
    return ", ".join(f"rgb({red}, {green}, {blue})" for red, green, blue in SEQUENTIAL)


def nearest(values: np.ndarray, side: int) -> np.ndarray:
    """The nearest of the values at the centres of a smaller picture's pixels, none of whose sides is over `side`.

    Args:
        values: [height, width], of which none mix, as the classes of a mask must not; returned as they are where they
            are small.
        side: the longest in pixels.
    """
    longest = max(values.shape)
    if longest <= side:
        return values
    return values[np.ix_(*(_sampled(size, max(1, size * side // longest)) for size in values.shape))]


def _sampled(size: int, wanted: int) -> np.ndarray:
    return ((np.arange(wanted) + 0.5) * size / wanted).astype(int)


def _sequential(unit: np.ndarray) -> np.ndarray:
    stops, colours = np.linspace(0.0, 1.0, len(SEQUENTIAL)), np.array(SEQUENTIAL)
    return np.stack([np.interp(unit, stops, colours[:, channel]) for channel in range(3)], axis=-1).round()


def _diverging(unit: np.ndarray) -> np.ndarray:
    # Ends and quarters of ColorBrewer's RdBu, reversed: https://colorbrewer2.org
    stops = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    colours = np.array([[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]])
    return np.stack([np.interp(unit, stops, colours[:, channel]) for channel in range(3)], axis=-1).round()


def _thumbnail(data: bytes, side: int) -> tuple[bytes, str]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            opaque = image.convert("RGB")
    except Exception as error:  # Pillow raises OSError, SyntaxError, DecompressionBombError ... for broken files
        raise ValueError(f"cannot be decoded: {error}") from error
    opaque.thumbnail((side, side))
    buffer = io.BytesIO()
    opaque.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue(), "image/jpeg"
