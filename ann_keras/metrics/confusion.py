"""What follows from a confusion matrix of pixels, for numpy arrays as well as for tensors of Keras.

With n_ij the pixels of class i that are answered j and t_i = sum_j n_ij (Long, Shelhamer and Darrell 2015, Fully
convolutional networks for semantic segmentation, section 5): classes that neither occur nor are answered take no part
in a mean.
"""

from __future__ import annotations

from typing import Any


def pixel_accuracy(n: Any, xp: Any) -> Any:
    """sum_i n_ii / sum_i t_i.

    Args:
        n: float [classes, classes], the true class in rows.
        xp: `numpy` or `keras.ops`.

    Returns:
        float [] in [0, 1]; 0 where there is no pixel.
    """
    return xp.trace(n) / xp.maximum(xp.sum(n), 1)


def mean_accuracy(n: Any, xp: Any) -> Any:
    """The mean of n_ii / t_i over the classes that occur, as `pixel_accuracy` takes and gives it."""
    total = xp.sum(n, axis=1)
    return _mean(xp.diagonal(n) / xp.maximum(total, 1), total > 0, xp)


def class_iou(n: Any, xp: Any) -> Any:
    """Intersection over union, n_ii / (t_i + sum_j n_ji - n_ii), float [classes]; 0 where the union is empty."""
    return xp.diagonal(n) / xp.maximum(_union(n, xp), 1)


def mean_iou(n: Any, xp: Any) -> Any:
    """The mean of `class_iou` over the classes that occur or are answered."""
    return _mean(class_iou(n, xp), _union(n, xp) > 0, xp)


def frequency_weighted_iou(n: Any, xp: Any) -> Any:
    """sum_i t_i iou_i / sum_i t_i."""
    total = xp.sum(n, axis=1)
    return xp.sum(total * class_iou(n, xp)) / xp.maximum(xp.sum(total), 1)


def _union(n: Any, xp: Any) -> Any:
    return xp.sum(n, axis=1) + xp.sum(n, axis=0) - xp.diagonal(n)


def _mean(values: Any, counts: Any, xp: Any) -> Any:
    taken = xp.where(counts, values, xp.zeros_like(values))
    number = xp.sum(xp.where(counts, xp.ones_like(values), xp.zeros_like(values)))
    return xp.sum(taken) / xp.maximum(number, 1)
