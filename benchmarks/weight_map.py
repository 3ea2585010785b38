"""U-Net's weight map against the naive way, a distance transform of the whole picture for each cell: the largest
difference of the two, and the time of both.

    python -m benchmarks.weight_map [--size 512] [--cells 100] [--repeats 5]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ann_keras.weight_map import cells, weight_map


def discs(size: int, count: int, seed: int = 0) -> np.ndarray:
    """A mask, uint8 [size, size], of about `count` discs on a grid, close to one another and none touching."""
    rng = np.random.default_rng(seed)
    side = math.isqrt(count - 1) + 1
    spacing = size / side
    rows, columns = np.mgrid[:size, :size]
    mask = np.zeros((size, size), np.uint8)
    for place in range(count):
        row, column = ((np.array(divmod(place, side)) + 0.5) * spacing).tolist()
        radius = rng.uniform(0.25, 0.48) * (spacing - 2)
        mask[(rows - row) ** 2 + (columns - column) ** 2 <= radius**2] = 1
    return mask


def naive(mask: np.ndarray, class_weights: np.ndarray, w0: float = 10.0, sigma: float = 5.0) -> np.ndarray:
    """The weight map of cells of class 1, from every cell's distance to every pixel."""
    numbers = cells(mask, (1,))
    distances = [ndimage.distance_transform_edt(numbers != number) for number in range(1, numbers.max() + 1)]
    weights = class_weights[mask]
    if len(distances) > 1:
        nearest, second = np.sort(distances, axis=0)[:2]
        weights = weights + w0 * np.exp(-((nearest + second) ** 2) / (2 * sigma**2)) * (numbers == 0)
    return weights


def fastest(function: Callable[[], np.ndarray], repeats: int) -> float:
    """The shortest of the times, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    mask = discs(given.size, given.cells)
    class_weights = np.array([1, 2], np.float32)
    difference = np.abs(weight_map(mask, class_weights) - naive(mask, class_weights)).max()
    print(f"{given.size} x {given.size}, {cells(mask, (1,)).max()} cells: largest difference {difference:.1e}")
    ours = fastest(lambda: weight_map(mask, class_weights), given.repeats)
    theirs = fastest(lambda: naive(mask, class_weights), given.repeats)
    print(f"weight map {ours * 1e3:.0f} ms, naive {theirs * 1e3:.0f} ms: ratio {theirs / ours:.1f} (at least 5)")


if __name__ == "__main__":
    main()
