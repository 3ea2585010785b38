"""The colours that a person sees a mask in; its values stay the indices of classes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from ann_keras.datasets.masks import colour_map
from ann_keras.task import VOID

VOID_COLOUR = (120, 120, 120)


def colours_of(palette: Sequence[Sequence[int]], count: int) -> np.ndarray:
    """The colours of `count` classes: those of a palette, and of `masks.colour_map` where it has none.

    Args:
        palette: (red, green, blue), 0 to 255, by class, as of a `Feature`; may be shorter, or longer.
        count: the number of classes.

    Returns:
        uint8 [count, 3].
    """
    given = [tuple(colour) for colour in palette[:count]]
    return np.array([*given, *colour_map(count)[len(given) :]], np.uint8).reshape(count, 3)


def coloured_png(mask: np.ndarray, colours: np.ndarray) -> bytes:
    """Encodes a mask as a PNG with a palette: whatever shows pictures shows colours, whatever reads values the indices.

    Args:
        mask: uint8 [height, width], class indices and `VOID`, which is drawn in `VOID_COLOUR`.
        colours: uint8 [classes, 3].
    """
    from PIL import Image

    table = np.full((VOID + 1, 3), VOID_COLOUR, np.uint8)
    table[: len(colours)] = colours
    image = Image.fromarray(np.ascontiguousarray(mask, np.uint8))
    image.putpalette(table.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
