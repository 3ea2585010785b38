"""Reading the pixels of a batch of pictures, of their masks and of their weights at other places, all alike.

"image": float32 [batch, height, width, channels]; "mask": uint8 and "weight": float32 [batch, height, width]. What lies
outside of a picture is mirrored at its border, which is not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ann_keras.task import Tensors

PIXELS = ("image", "mask", "weight")
"""The entries that move together."""


def sizes_of(image: Any) -> tuple[Any, Any, Any]:
    """Batch, height and width of an image tensor: numbers where they are known, else scalars."""
    known, found = image.shape, tf.shape(image)
    batch, height, width = (found[axis] if known[axis] is None else known[axis] for axis in range(3))
    return batch, height, width


def mirror(at: Any, length: Any) -> Any:
    """Positions of any value, float32, mirrored about 0 and length - 1 into [0, length - 1]."""
    last = tf.cast(length - 1, tf.float32)
    period = tf.maximum(2 * last, 1)
    return tf.minimum(tf.abs(at - period * tf.round(at / period)), last)


def gather(tensors: Tensors, pixels: Any) -> Tensors:
    """The entries that move, read at int32 [...] indices into the batch's pixels; the others as they came."""
    moved = dict(tensors)
    for name in PIXELS:
        if name in tensors:
            value = tensors[name]
            moved[name] = tf.gather(tf.reshape(value, [-1, *value.shape[3:]]), pixels)
    return moved


def warp(tensors: Tensors, rows: Any, columns: Any) -> Tensors:
    """Reads every picture between its pixels: the image bilinearly, mask and weight at the nearest pixel.

    Args:
        tensors: the batch.
        rows, columns: float32 [batch, new height, new width], inside the picture, in pixels.
    """
    batch, height, width = sizes_of(tensors["image"])
    first = (tf.range(batch) * (height * width))[:, None, None]
    nearest = first + tf.cast(rows + 0.5, tf.int32) * width + tf.cast(columns + 0.5, tf.int32)
    top, left = tf.floor(rows), tf.floor(columns)
    corner = first + tf.cast(top, tf.int32) * width + tf.cast(left, tf.int32)
    down, right = (rows - top)[..., None], (columns - left)[..., None]
    # On the last row or column, where the neighbour is outside, the fraction is 0 and it counts nothing.
    last = batch * height * width - 1
    image = tf.reshape(tensors["image"], [-1, tensors["image"].shape[-1]])

    def read(step: Any) -> Any:
        return tf.gather(image, tf.minimum(corner + step, last))

    upper = read(0) * (1 - right) + read(1) * right
    lower = read(width) * (1 - right) + read(width + 1) * right
    return {**gather(tensors, nearest), "image": upper * (1 - down) + lower * down}


def window(picture: Any, top: Any, left: Any, sizes: Sequence[Any], size: int) -> Any:
    """The pixels of square windows, mirrored where they reach beyond their picture.

    Args:
        picture, top, left: int32 [windows]: the index of the picture in its batch, and the window's first row and
            column, of any value.
        sizes: the batch's, see `sizes_of`.
        size: of a window, in pixels.

    Returns:
        int32 [windows, size, size], indices for `gather`.
    """
    _, height, width = sizes
    steps = tf.range(size)
    rows, columns = (
        tf.cast(mirror(tf.cast(first[:, None] + steps, tf.float32), length), tf.int32)
        for first, length in ((top, height), (left, width))
    )
    return ((picture * height)[:, None] + rows)[:, :, None] * width + columns[:, None, :]


def index(drawn: Any, below: Any) -> Any:
    """int32 in [0, below) for a uniform float64 in [0, 1)."""
    return tf.cast(drawn * tf.cast(below, tf.float64), tf.int32)


def random_window(seed: Any, sizes: Sequence[Any], size: int) -> Any:
    """int32 [batch, size, size]: the pixels of a random window of each picture; a smaller one is mirrored up to it."""
    batch, height, width = sizes
    drawn = tf.random.stateless_uniform([2, batch], seed, dtype=tf.float64)
    top, left = (
        tf.minimum(length - size, 0) + index(drawn[axis], tf.abs(length - size) + 1)
        for axis, length in enumerate((height, width))
    )
    return window(tf.range(batch), top, left, sizes, size)
