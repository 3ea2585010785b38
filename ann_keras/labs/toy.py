"""Data whose law is known, for experiments that need the truth beside the estimate."""

from __future__ import annotations

import numpy as np


def two_clouds(
    rng: np.random.Generator, rows: int, distance: float, units: int = 2, margin: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Two spherical Gaussian clouds of unit variance, equally likely, apart along the first axis.

    The line x1 = 0 is the best boundary; it errs on a share Phi(-distance / 2) of the points (Bishop 2006, Pattern
    Recognition and Machine Learning, section 4.2.1).

    Args:
        rng: the source of randomness.
        rows: number of points.
        distance: between the means, in standard deviations; 0 makes the label independent of the features.
        units: number of features.
        margin: points of the wrong side, or closer than this to the boundary, are moved along the first axis to the
            right side of it: the classes are then separable with this margin. 0 leaves the clouds as they are.

    Returns:
        Features, float64 [rows, units], and labels, int64 [rows], 0 or 1.
    """
    labels = rng.integers(0, 2, rows)
    sign = 2 * labels - 1
    features = rng.normal(size=(rows, units))
    features[:, 0] += sign * distance / 2
    if margin > 0:
        features[:, 0] = sign * np.maximum(sign * features[:, 0], margin)
    return features, labels


def sine(rng: np.random.Generator, rows: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """One period of a sine under Gaussian noise: t = sin(pi x) + noise e, x uniform in [-1, 1], e of N(0, 1).

    Returns:
        x, float64 [rows, 1], and t, float64 [rows, 1].
    """
    x = rng.uniform(-1, 1, (rows, 1))
    return x, np.sin(np.pi * x) + noise * rng.normal(size=(rows, 1))
