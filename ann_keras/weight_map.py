"""A weight for every pixel that makes a net learn the narrow background between touching cells.

w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2)), with d1 and d2 the distances to the nearest and to the second
nearest cell (Ronneberger, Fischer and Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
section 3, eq. 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ann_keras.task import VOID

NEGLIGIBLE = 1e-7
"""Share of w0 below which the second term may be left out."""


def weight_map(
    mask: np.ndarray,
    class_weights: np.ndarray,
    foreground: Sequence[int] = (1,),
    *,
    instances: np.ndarray | None = None,
    w0: float = 10.0,
    sigma: float = 5.0,
) -> np.ndarray:
    """Returns w(x) of one picture.

    The second term stands at the background alone: 0 inside the cells. A distance is the Euclidean one to the nearest
    pixel of a cell, so it is 1 beside it. What a term below `NEGLIGIBLE` w0 is worth may be left out.

    Args:
        mask: uint8 [height, width], class indices, `VOID` where a pixel counts nowhere: its weight is 0.
        class_weights: w_c, float32 [classes] or, by pixel, [height, width]; >= 0.
        foreground: the classes that form cells.
        instances: int [height, width], the number of each pixel's cell, 0 for none; None: see `cells`.
        w0: height of the second term, >= 0.
        sigma: its width, in pixels, > 0.

    Returns:
        float32 [height, width].

    Raises:
        ValueError: for a w0 or sigma out of range, instances of another shape than the mask, or a class without a
            weight.
    """
    if w0 < 0 or sigma <= 0:
        raise ValueError(f"w0={w0}, sigma={sigma}: expected w0 >= 0 and sigma > 0")
    weights = np.where(mask == VOID, 0, _of_pixels(mask, np.asarray(class_weights, np.float32)))
    if instances is None:
        instances = cells(mask, foreground)
    elif instances.shape != mask.shape:
        raise ValueError(f"instances of shape {instances.shape}: expected the mask's, {mask.shape}")
    nearest, second = two_nearest(instances, reach=sigma * math.sqrt(-2 * math.log(NEGLIGIBLE)))
    between = np.isfinite(second) & (instances == 0) & (mask != VOID)
    weights[between] += w0 * np.exp(-((nearest[between] + second[between]) ** 2) / (2 * sigma**2))
    return weights


def cells(mask: np.ndarray, foreground: Sequence[int]) -> np.ndarray:
    """Numbers the connected components of each class.

    Pixels are neighbours along rows and columns alone: a line of background one pixel wide parts cells even where it
    runs diagonally.

    Args:
        mask: uint8 [height, width], class indices.
        foreground: the classes that form cells.

    Returns:
        int32 [height, width]: 1, 2, ... by cell, 0 elsewhere.
    """
    numbers = np.zeros(mask.shape, np.int32)
    total = 0
    for label in foreground:
        found, count = ndimage.label(mask == label)
        numbers[found > 0] = found[found > 0] + total
        total += count
    return numbers


def two_nearest(instances: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest and to the second nearest cell, exact up to `reach`.

    Each cell is measured in its bounding box grown by `reach`, which makes the time grow with the area near cells and
    not with the picture's times their number.

    Args:
        instances: int [height, width], the number of each pixel's cell, 0 for none.
        reach: in pixels. A distance beyond it may come out too large, or infinite.

    Returns:
        float32 [height, width] each, in pixels; infinite where there is no such cell.
    """
    nearest, second = (np.full(instances.shape, np.inf, np.float32) for _ in range(2))
    margin = math.ceil(reach)
    for number, box in enumerate(ndimage.find_objects(instances), start=1):
        if box is None:
            continue
        around = tuple(slice(max(side.start - margin, 0), side.stop + margin) for side in box)
        distance = ndimage.distance_transform_edt(instances[around] != number).astype(np.float32)
        second[around] = np.minimum(second[around], np.maximum(nearest[around], distance))
        nearest[around] = np.minimum(nearest[around], distance)
    return nearest, second


def _of_pixels(mask: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
    if class_weights.ndim == mask.ndim:
        if class_weights.shape != mask.shape:
            raise ValueError(f"class_weights of shape {class_weights.shape}: expected the mask's, {mask.shape}")
        return class_weights
    highest = int(mask.max(where=mask != VOID, initial=0))
    if highest >= len(class_weights):
        raise ValueError(f"class {highest} of the mask has no weight: class_weights has {len(class_weights)}")
    return class_weights[np.where(mask == VOID, 0, mask)]
