"""Courses of the step size that Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="ann_keras")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 over the first steps, and then falls with a power of the number of steps, or stays.

    Vaswani et al. 2017, Attention is all you need, eq. 3, with `peak` in place of its constant and `power` 0.5.

    Args:
        peak: the step size at the end of the rise, above 0.
        steps: those of the rise, from 0.
        power: by which it falls; 0 to stay at `peak`.
    """

    def __init__(self, peak: float, steps: int, power: float = 0.5) -> None:
        self.peak, self.steps, self.power = peak, steps, power

    def __call__(self, step: Any) -> Any:
        """The step size, float32 [], of step number `step`, from 0."""
        number = ops.cast(step, "float32") + 1.0
        first = float(max(self.steps, 1))
        return self.peak * ops.minimum(number / first, (first / ops.maximum(number, first)) ** self.power)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"peak": self.peak, "steps": self.steps, "power": self.power}
