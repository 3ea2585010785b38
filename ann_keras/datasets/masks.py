"""Masks: the class of every pixel of an image, made uniform before they are written and decoded in the graph.

The canonical mask is a PNG of one byte a pixel, of its image's size: the index of the class, or `VOID`. TensorFlow is
imported on first use.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ann_keras.datasets import images
from ann_keras.task import VOID as VOID

VOID_NAMES = frozenset({"void", "unlabelled", "unlabeled", "ignore"})
"""Names, in lower case, of what is no class: pixels of such a value count nowhere."""

MAX_CLASSES = VOID
"""The most classes that one byte a pixel tells apart, `VOID` being none."""

EXIF_ORIENTATION = 0x0112


def pixels(encoded: bytes, coloured: Mapping[int, int] | None = None) -> np.ndarray:
    """The values of a mask's pixels as they are stored, whatever colours they are shown in.

    PNG, BMP or GIF (first frame): grey of 1 to 16 bits (1 bit gives 0 and 1), or a palette, whose indices are the
    values. Of a GIF with a palette of greys the greys are, for writers of GIF number its colours anew. Alpha is
    dropped. RGB needs `coloured`.

    Args:
        encoded: the bytes of a file.
        coloured: the value that a colour, red << 16 | green << 8 | blue, stands for.

    Returns:
        uint8 [height, width].

    Raises:
        ValueError: in one line: no such file, a JPEG, a value over 255, a colour without a value.
    """
    kind = images.sniff(encoded)
    if kind == "JPEG":
        raise ValueError("a mask may not be a JPEG, which changes values; save it as PNG")
    if not kind:
        raise ValueError("not a PNG, BMP or GIF image" if encoded else "an empty file")
    stored, palette = _stored(encoded, kind)
    if stored.ndim == 3:
        return _from_colours(stored[..., :3], coloured)
    if kind == "GIF" and len(palette) and (palette == palette[:, :1]).all():
        return np.resize(palette[:, 0], 256)[stored]
    if kind == "PNG" and encoded[25] in (0, 4) and 1 < encoded[24] < 8:
        # Pillow stretches grey of 2 and 4 bits to 0..255.
        return stored // np.uint8(255 // (2 ** encoded[24] - 1))
    if stored.max() > 255:
        raise ValueError(f"the value {stored.max()} is over 255; a mask has at most {MAX_CLASSES} classes")
    return stored.astype(np.uint8)


def _stored(encoded: bytes, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The pixels as Pillow reads them, [height, width] or [height, width, channels], and the palette, uint8 [n, 3]."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.verify()  # of a PNG the checksums, which load() passes over; it leaves the image unusable
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
            palette = np.array(image.getpalette("RGB") if image.mode == "P" else [], np.uint8).reshape(-1, 3)
            stored = np.asarray(image.getchannel(0) if image.mode in ("LA", "La", "PA") else image)
    except Exception:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more on broken files.
        raise ValueError(f"a truncated or corrupt {kind}") from None
    return stored, palette


def _from_colours(rgb: np.ndarray, coloured: Mapping[int, int] | None) -> np.ndarray:
    if not coloured:
        raise ValueError("an RGB mask, and no classes file gives its colours; save it as 8-bit grey or palette PNG")
    packed = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    known = np.array(sorted(coloured), np.int32)
    place = np.searchsorted(known, packed).clip(max=len(known) - 1)
    strange = known[place] != packed
    if strange.any():
        raise ValueError(f"the colour #{packed[strange][0]:06x} has no class")
    return np.array([coloured[int(colour)] for colour in known], np.uint8)[place]


def canonical(encoded: bytes, lookup: np.ndarray, coloured: Mapping[int, int] | None = None) -> tuple[bytes, str]:
    """Checks a mask by decoding it and writes it in the canonical encoding.

    Args:
        encoded: the bytes of a file that `pixels` reads.
        lookup: int16 [256], what each stored value becomes: the index of a class, `VOID`, or -1 for a value without a
            class.
        coloured: as `pixels` takes it.

    Returns:
        The PNG and "", or b"" and the reason in one line; a mask that is void everywhere is refused too.
    """
    try:
        stored = pixels(encoded, coloured)
    except ValueError as error:
        return b"", str(error)
    mapped = lookup[stored]
    if mapped.min() < 0:
        return b"", f"the value {stored[mapped < 0][0]} has no class"
    if mapped.min() == VOID:
        return b"", "every pixel is void: nothing to learn from"
    return images.encode_png(mapped.astype(np.uint8)), ""


def decode(encoded: Any, height: int, width: int) -> Any:
    """Decodes a batch of canonical masks in the graph.

    A mask of another size is resized to the nearest neighbour, sampled at pixel centres: row i of n shows row
    floor((i + 1/2) rows / n).

    Args:
        encoded: string [batch].
        height: the wanted height in pixels.
        width: the wanted width in pixels.

    Returns:
        uint8 [batch, height, width], class indices and `VOID`. Bytes that are no PNG raise an InvalidArgumentError when
        the graph runs.
    """
    import tensorflow as tf

    def decoded(item: Any) -> Any:
        mask = tf.io.decode_png(item, channels=1)
        same = tf.reduce_all(tf.equal(tf.shape(mask)[:2], [height, width]))
        return tf.cond(same, lambda: mask, lambda: tf.image.resize(mask, [height, width], method="nearest"))[..., 0]

    return tf.map_fn(decoded, encoded, fn_output_signature=tf.TensorSpec([height, width], tf.uint8))


def fits(image: bytes, mask: bytes) -> str:
    """Why a mask does not fit its image: "" if both have the same size as they are stored.

    An EXIF orientation is applied nowhere in this package, neither here nor by the decoder.

    Args:
        image: encoded image that `images.checked` accepts.
        mask: encoded mask.
    """
    from PIL import Image

    with Image.open(io.BytesIO(image)) as picture, Image.open(io.BytesIO(mask)) as labels:
        if picture.size == labels.size:
            return ""
        problem = f"the mask is {labels.width} x {labels.height} pixels, its image {picture.width} x {picture.height}"
        orientation = picture.getexif().get(EXIF_ORIENTATION, 1)
    if orientation == 1:
        return problem
    return f"{problem} as stored: its EXIF orientation {orientation} is not applied; turn the pixels of the image"


def counts(encoded: bytes, classes: int) -> np.ndarray:
    """The pixels of each class in a canonical mask, int64 [classes]."""
    return np.bincount(pixels(encoded).ravel(), minlength=classes)[:classes].astype(np.int64)


def index_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What an index says of masks.

    Args:
        table: int [rows, classes], the pixels of each class.

    Returns:
        labels: int64 [rows], the class with the most pixels, the first of equals; 0 where all are void.
        contains: bool [rows, classes], whether a row has a pixel of the class.
    """
    return table.argmax(axis=1).astype(np.int64), table > 0


def palette_of(encoded: bytes) -> np.ndarray:
    """The colours of a mask's values, uint8 [values, 3]: its palette; [0, 3] for one without, or one of greys alone.

    Raises:
        ValueError: if it cannot be decoded.
    """
    palette = _stored(encoded, images.sniff(encoded))[1]
    return palette[:0] if (palette == palette[:, :1]).all() else palette


def colour_map(classes: int) -> tuple[tuple[int, int, int], ...]:
    """Colours for classes that have none; index 0 is black.

    Bits 0, 3 and 6 of the index become the highest, second and third bit of red, bits 1, 4, 7 of green and 2, 5 of
    blue: the colour map of the PASCAL VOC segmentations (VOCdevkit, VOClabelcolormap.m).

    Returns:
        (red, green, blue), 0 to 255, for each of the `classes` indices.
    """
    return tuple((_spread(index), _spread(index >> 1), _spread(index >> 2)) for index in range(classes))


def _spread(index: int) -> int:
    """Every third bit of `index` from the lowest, as the bits of a byte from the highest."""
    return sum((index >> 3 * bit & 1) << 7 - bit for bit in range(3))
