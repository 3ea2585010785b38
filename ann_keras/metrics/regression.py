"""Metrics of a regression in the target's own unit.

All take targets beside their scale, float32 [batch, 3] (target, mean, deviation), and standardised outputs, float32
[batch, 1 or 2] (mean, and log-variance where the model gives it).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.normal import deviation_of

_registered = keras.saving.register_keras_serializable(package="ann_keras")


def error(y_true: Any, y_pred: Any) -> Any:
    """Target minus answer in the target's own unit, float32 [batch]."""
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    return y_true[:, 0] - (y_pred[:, 0] * y_true[:, 2] + y_true[:, 1])


@_registered
class MeanAbsoluteError(keras.metrics.Mean):
    """mean |t - g|."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch."""
        super().update_state(ops.abs(error(y_true, y_pred)), sample_weight)


@_registered
class RootMeanSquaredError(keras.metrics.Mean):
    """sqrt(mean (t - g)^2)."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch."""
        super().update_state(ops.square(error(y_true, y_pred)), sample_weight)

    def result(self) -> Any:
        """In the target's own unit."""
        return ops.sqrt(super().result())


@_registered
class R2(keras.metrics.Metric):
    """1 - sum (t - g)^2 / sum (t - mean t)^2: the share of the variance that is explained; 0 where there is none.

    Variances of batches are merged as by Chan, Golub and LeVeque 1983 (Algorithms for computing the sample variance,
    eq. 2.1): a sum of squares of targets that are far from 0 would have no digits left in 32 bits.
    """

    def __init__(self, name: str = "r2", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        names = ("count", "mean", "scatter", "residual")
        self.sums = {one: self.add_weight(shape=(), initializer="zeros", name=one) for one in names}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch; every example counts alike."""
        target = ops.cast(y_true, "float32")[:, 0]
        rows = ops.cast(ops.shape(target)[0], "float32")
        mean = ops.mean(target)
        before, total = self.sums["count"] + 0.0, self.sums["count"] + rows
        distance = mean - self.sums["mean"]
        self.sums["scatter"].assign_add(ops.sum(ops.square(target - mean)) + distance**2 * before * rows / total)
        self.sums["mean"].assign_add(distance * rows / total)
        self.sums["residual"].assign_add(ops.sum(ops.square(error(y_true, y_pred))))
        self.sums["count"].assign(total)

    def result(self) -> Any:
        """At most 1; negative where the mean would have been a better answer."""
        scatter = self.sums["scatter"] + 0.0
        safe = ops.where(scatter > 0, scatter, ops.ones_like(scatter))
        return ops.where(scatter > 0, 1 - self.sums["residual"] / safe, ops.zeros_like(scatter))


class _Interval(keras.metrics.Mean):
    """A mean of something about intervals of `width` deviations on each side of the answer."""

    def __init__(self, width: float, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.width = width

    def half(self, y_true: Any, y_pred: Any) -> Any:
        """Half the interval in the target's own unit, float32 [batch]."""
        return self.width * deviation_of(ops.cast(y_pred, "float32")) * ops.cast(y_true, "float32")[:, 2]

    def get_config(self) -> dict[str, Any]:
        """With the width."""
        return {**super().get_config(), "width": self.width}


@_registered
class Coverage(_Interval):
    """Share of the targets inside their interval."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch."""
        inside = ops.abs(error(y_true, y_pred)) <= self.half(y_true, y_pred)
        super().update_state(ops.cast(inside, "float32"), sample_weight)


@_registered
class IntervalWidth(_Interval):
    """Mean length of the intervals in the target's own unit."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch."""
        super().update_state(2 * self.half(y_true, y_pred), sample_weight)
