"""How a normal distribution over a target stands in tensors: a target beside its scale, and a model's two outputs."""

from __future__ import annotations

from typing import Any

from keras import ops

LOG_VARIANCE = (-10.0, 4.0)
"""Bounds of the predicted log-variance of a standardised target: a point that is hit exactly must not be worth
everything."""


def standardised(target: Any) -> Any:
    """(t - mean) / deviation, float32 [batch], of a target beside its scale, float32 [batch, 3]."""
    return (target[:, 0] - target[:, 1]) / target[:, 2]


def log_variance_of(outputs: Any) -> Any:
    """The bounded log-variance, [batch], of outputs [batch, 2]."""
    return ops.clip(outputs[:, 1], *LOG_VARIANCE)


def deviation_of(outputs: Any) -> Any:
    """The predicted deviation, [batch], of outputs [batch, 2]: mean and log-variance of the standardised target."""
    return ops.exp(0.5 * log_variance_of(outputs))
