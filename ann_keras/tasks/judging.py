"""What a mask is judged by, counted in the graph of the exported model so that no mask leaves it twice."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ann_keras.datasets.images import pixels_of
from ann_keras.task import VOID

BOUNDARY_COUNTS = ("answered", "answered near a true one", "true", "true near an answered one")
"""Pixels of boundaries that are counted for every class, in this order."""


def count(truth: Any, answer: Any, classes: int, tolerance: float) -> tuple[Any, Any]:
    """Counts the pixels of one image.

    Args:
        truth, answer: string [], masks as PNGs of one size.
        classes: their number.
        tolerance: how far apart boundaries may lie, as a share of the image's diagonal.

    Returns:
        int64 [classes, classes], pixels by true class (rows) and answer, void ones left out; and float32 [classes, 4],
        `BOUNDARY_COUNTS` of each class (Csurka, Larlus and Perronnin 2013, What is a good evaluation measure for
        semantic segmentation?, section 3.1), with distances measured along the longer axis.
    """
    true, found = (pixels_of(mask)[:, :, 0] for mask in (truth, answer))
    return _confusion(true, found, classes), _boundaries(true, found, classes, tolerance)


def _confusion(true: Any, found: Any, classes: int) -> Any:
    counted = tf.not_equal(true, VOID)
    rows, columns = (tf.cast(tf.boolean_mask(mask, counted), tf.int32) for mask in (true, found))
    cells = tf.math.bincount(rows * classes + columns, minlength=classes**2, maxlength=classes**2, dtype=tf.int64)
    return tf.reshape(cells, [classes, classes])


def _boundaries(true: Any, found: Any, classes: int, tolerance: float) -> Any:
    size = tf.cast(tf.shape(true), tf.float32)
    reach = tf.cast(tf.math.ceil(tolerance * tf.norm(size)), tf.int32)
    there = tf.not_equal(true, VOID)

    def counted(label: Any) -> Any:
        true_edge, found_edge = (_edges(tf.equal(mask, label), there) for mask in (true, found))
        pairs = (found_edge, found_edge * _spread(true_edge, reach), true_edge, true_edge * _spread(found_edge, reach))
        return tf.stack([tf.reduce_sum(pixels) for pixels in pairs])

    # One after the other, so that memory holds a few images and not a few for each class.
    labels, kind = tf.range(classes), tf.TensorSpec([len(BOUNDARY_COUNTS)], tf.float32)
    return tf.map_fn(
        lambda label: counted(tf.cast(label, tf.uint8)), labels, parallel_iterations=1, fn_output_signature=kind
    )


def _edges(inside: Any, there: Any) -> Any:
    """Pixels of a region with another one beside, above or below them, float32 [height, width].

    Nothing is said of what is not `there`: void is no other region, or the masks of data whose void surrounds each
    object would have boundaries that no answer has.
    """
    same = tf.pad(tf.logical_or(inside, tf.logical_not(there)), [[1, 1], [1, 1]], "SYMMETRIC")
    around = same[:-2, 1:-1] & same[2:, 1:-1] & same[1:-1, :-2] & same[1:-1, 2:]
    return tf.cast(inside & there & tf.logical_not(around), tf.float32)


def _spread(edges: Any, reach: Any) -> Any:
    """1 within `reach` pixels of an edge along either axis, float32 [height, width]."""
    for axis in (0, 1):
        sums = tf.pad(tf.cumsum(edges, axis=axis), [[1, 0] if one == axis else [0, 0] for one in (0, 1)])
        size = tf.shape(edges)[axis]
        place = tf.range(size)
        beyond = tf.gather(sums, tf.minimum(place + reach + 1, size), axis=axis)
        edges = tf.cast(beyond - tf.gather(sums, tf.maximum(place - reach, 0), axis=axis) > 0, tf.float32)
    return edges
