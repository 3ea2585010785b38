"""A class for every pixel of an image of any size, in bounded memory.

The overlap-tile strategy of Ronneberger, Fischer and Brox 2015 (U-Net, section 2, figure 2): a tile is answered from
an input that is larger by what its border pixels depend on, so that the tiles of an image are together what the network
answers to it whole. What lies outside the image is the network's affair: it mirrors or pads the same in both cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

STRIP = 64
"""Rows of an image that are enlarged at a time."""


def whole_steps(size: int, stride: int) -> int:
    """The least multiple of `stride` that is at least `size` pixels."""
    return -(-size // stride) * stride


def in_tiles(
    logits_of: Callable[[Any], Any], image: Any, prepare: Callable[[Any], Any], tile: int, margin: int, stride: int
) -> Any:
    """The most probable class of every pixel.

    Memory holds the image as bytes, the answer, and the network's activations for (tile + 2 margin)^2 pixels.

    Args:
        logits_of: float32 [1, rows, columns, channels] -> float32 [1, rows, columns, classes].
        image: uint8 [height, width, channels], as decoded.
        prepare: a part of `image` -> float32 [rows, columns, channels], as the network takes it.
        tile: side in pixels of what is answered at a time.
        margin: how far in pixels an answer depends on its surroundings.
        stride: shifts by so many pixels leave the network's answers the same.

    Returns:
        uint8 [height, width], indices of classes.
    """
    core, reach = whole_steps(tile, stride), whole_steps(margin, stride)
    size = tf.shape(image)[:2]
    rows, columns = tf.unstack(-(-size // core))

    def answered(number: Any) -> Any:
        first = tf.stack([number // columns, number % columns]) * core
        # Cut off at the border of the image, as it is for the network that sees it whole.
        start, stop = tf.maximum(first - reach, 0), tf.minimum(first + core + reach, size)
        part = prepare(image[start[0] : stop[0], start[1] : stop[1]])
        found = most_probable(logits_of(part[tf.newaxis])[0])
        inside = first - start
        kept = found[inside[0] : inside[0] + core, inside[1] : inside[1] + core]
        missing = core - tf.shape(kept)
        return tf.ensure_shape(tf.pad(kept, [[0, missing[0]], [0, missing[1]]]), [core, core])

    tiles = tf.map_fn(
        answered,
        tf.range(rows * columns),
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([core, core], tf.uint8),
    )
    grid = tf.transpose(tf.reshape(tiles, [rows, columns, core, core]), [0, 2, 1, 3])
    return tf.reshape(grid, [rows * core, columns * core])[: size[0], : size[1]]


def most_probable(logits: Any) -> Any:
    """float32 [rows, columns, classes] -> the index of the largest, uint8 [rows, columns]."""
    return tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32), tf.uint8)


def enlarged(logits: Any, height: Any, width: Any) -> Any:
    """The most probable class after bilinear interpolation to another size.

    Args:
        logits: float32 [rows, columns, classes].
        height, width: int32 [], wanted.

    Returns:
        uint8 [height, width]; the interpolated logits are never held for more than `STRIP` rows.
    """
    rows, columns = tf.unstack(tf.shape(logits)[:2])
    left, right, across = _neighbours(tf.range(width), width, columns)

    def strip(number: Any) -> Any:
        place = tf.minimum(number * STRIP + tf.range(STRIP), height - 1)
        above, below, down = _neighbours(place, height, rows)
        upper, lower = tf.gather(logits, above), tf.gather(logits, below)
        mixed = upper + (lower - upper) * down[:, tf.newaxis, tf.newaxis]
        first, second = tf.gather(mixed, left, axis=1), tf.gather(mixed, right, axis=1)
        return most_probable(first + (second - first) * across[tf.newaxis, :, tf.newaxis])

    strips = tf.map_fn(
        strip,
        tf.range(-(-height // STRIP)),
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([STRIP, None], tf.uint8),
    )
    return tf.reshape(strips, [-1, width])[:height]


def _neighbours(place: Any, wanted: Any, there: Any) -> tuple[Any, Any, Any]:
    """The two nearest of `there` pixels to each place among `wanted`, and the share of the second."""
    position = (tf.cast(place, tf.float32) + 0.5) * tf.cast(there, tf.float32) / tf.cast(wanted, tf.float32) - 0.5
    first = tf.floor(position)
    last = there - 1
    low = tf.clip_by_value(tf.cast(first, tf.int32), 0, last)
    return low, tf.clip_by_value(tf.cast(first, tf.int32) + 1, 0, last), position - first
