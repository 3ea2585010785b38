"""What can be counted about the answers of a regression: pure functions of arrays."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

NORMAL = statistics.NormalDist()
LEVELS = (*np.arange(50, 100, 5).tolist(), 99)
"""Nominal coverages in per cent."""


def learned_sigma(low: np.ndarray, high: np.ndarray, interval: float) -> np.ndarray:
    """The deviation of the normal distribution whose middle share `interval` lies from `low` to `high`.

    Args:
        low, high: float [examples], in the target's unit.
        interval: in (0, 1).

    Returns:
        float64 [examples], (high - low) / (2 z) with z the quantile of (1 + interval) / 2.
    """
    return (np.asarray(high, np.float64) - np.asarray(low, np.float64)) / (2 * half_width(interval))


def half_width(share: float) -> float:
    """How many deviations on each side of the mean hold `share` of a normal distribution."""
    return NORMAL.inv_cdf((1 + share) / 2)


def coverage(errors: np.ndarray, sigma: np.ndarray, levels: Sequence[float] = LEVELS) -> np.ndarray:
    """The share of targets inside the central interval of each nominal level.

    Args:
        errors: float [examples], target minus answer.
        sigma: float [examples], the deviation that the model gives each.
        levels: nominal coverages in per cent.

    Returns:
        float64 [levels] in [0, 1].
    """
    distance = np.abs(np.asarray(errors, np.float64))
    return np.array([np.mean(distance <= half_width(level / 100) * sigma) for level in levels])


def probability_transform(errors: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """The model's distribution function at each target, which is uniform over [0, 1] where the distribution is right
    (Dawid 1984, Statistical Theory: The Prequential Approach; Gneiting, Balabdaoui and Raftery 2007, Probabilistic
    Forecasts, Calibration and Sharpness, section 3.1).

    Args:
        errors: float [examples], target minus answer.
        sigma: float [examples], the deviation that the model gives each; 0 is a point at the answer.

    Returns:
        float64 [examples] in [0, 1].
    """
    errors, sigma = np.asarray(errors, np.float64), np.asarray(sigma, np.float64)
    point = np.where(errors == 0, 0.0, np.copysign(np.inf, errors))
    scores = np.divide(errors, sigma, out=point, where=sigma > 0)
    return np.array([NORMAL.cdf(score) for score in scores])


def root_mean_square(errors: np.ndarray) -> float:
    """sqrt(mean e^2), in the unit of `errors`; NaN without any."""
    return float(np.sqrt(np.mean(np.square(errors, dtype=np.float64)))) if len(errors) else float("nan")
