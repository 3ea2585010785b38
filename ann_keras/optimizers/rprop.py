"""Rprop: each weight has a step size of its own, which only the signs of its gradients change.

Riedmiller and Braun 1993, A direct adaptive method for faster backpropagation learning: the RPROP algorithm.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.optimizers.gradients import dense


@keras.saving.register_keras_serializable("ann_keras")
class Rprop(keras.optimizers.Optimizer):
    """Resilient propagation, for gradients of the full batch.

    With g the gradient of one weight w and d its step size:

        d <- min(d * increase, largest)     where g has the sign of the last gradient
        d <- max(d * decrease, smallest)    where it has the other sign
        w <- w - d * sign(g)

    After a change of sign the weight rests for one step, and the gradient is remembered as 0, so that the step after
    it leaves d as it is. That is the trajectory of `torch.optim.Rprop`, which Igel and Hüsken 2000, Improving the Rprop
    learning algorithm, call iRprop-. The paper of 1993 goes back instead: after a change of sign it undoes the weight's
    last step ("weight backtracking"). Both remember a gradient of 0.

    The sign of a mini-batch's gradient changes with the draw, which shrinks every step size although no minimum was
    passed: use it with a batch size of the whole training split.

    Args:
        learning_rate: the first step size of every weight, > 0. 0.01 as in PyTorch; the paper has 0.1. It is read when
            the optimizer is built; a later change is without effect.
        increase: what a step size is multiplied with while the sign stays, > 1; 1.2 in the paper.
        decrease: what it is multiplied with when the sign changes, in (0, 1); 0.5 in the paper.
        smallest, largest: bounds of the step sizes, 0 < smallest <= largest; 1e-6 and 50 in the paper.
        name: of the optimizer.
        **kwargs: further ones of keras.optimizers.Optimizer.

    Raises:
        ValueError: for a value out of these ranges, and for a schedule as `learning_rate`.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        increase: float = 1.2,
        decrease: float = 0.5,
        smallest: float = 1e-6,
        largest: float = 50.0,
        name: str = "rprop",
        **kwargs: Any,
    ) -> None:
        if not isinstance(learning_rate, int | float) or not 0 < learning_rate < float("inf"):
            raise ValueError(
                f"learning_rate={learning_rate!r}: expected a number above 0 and no schedule: Rprop adapts its steps"
            )
        if not increase > 1:
            raise ValueError(f"increase={increase!r}: expected more than 1")
        if not 0 < decrease < 1:
            raise ValueError(f"decrease={decrease!r}: expected a number between 0 and 1")
        if not 0 < smallest <= largest:
            raise ValueError(f"smallest={smallest!r}, largest={largest!r}: expected 0 < smallest <= largest")
        super().__init__(learning_rate=float(learning_rate), name=name, **kwargs)
        self.increase, self.decrease = increase, decrease
        self.smallest, self.largest = smallest, largest
        self._first_step = float(learning_rate)

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the step sizes and the remembered gradients of `variables`."""
        if self.built:
            return
        super().build(variables)
        first = keras.initializers.Constant(self._first_step)
        self.step_sizes = self.add_optimizer_variables(variables, "step_size", first)
        self.last_gradients = self.add_optimizer_variables(variables, "last_gradient")

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """Moves `variable` against the signs of `gradient`, both of one shape."""
        index = self._get_variable_index(variable)
        step_size, last = self.step_sizes[index], self.last_gradients[index]
        gradient = dense(gradient, variable)
        # The product of the signs, not of the gradients, which underflows where both are small.
        agreement = ops.multiply(ops.sign(gradient), ops.sign(last))
        # A bare number would be rounded to 32 bits on some backends.
        increase, decrease, smallest, largest = (
            ops.convert_to_tensor(number, variable.dtype)
            for number in (self.increase, self.decrease, self.smallest, self.largest)
        )
        longer, shorter = ops.multiply(step_size, increase), ops.multiply(step_size, decrease)
        step = ops.where(agreement > 0, longer, ops.where(agreement < 0, shorter, step_size))
        step = ops.minimum(ops.maximum(step, smallest), largest)
        gradient = ops.where(agreement < 0, ops.zeros_like(gradient), gradient)
        self.assign(step_size, step)
        self.assign(last, gradient)
        self.assign_sub(variable, ops.multiply(step, ops.sign(gradient)))

    def get_config(self) -> dict[str, Any]:
        """The arguments of this optimizer."""
        bounds = {"smallest": self.smallest, "largest": self.largest}
        config: dict[str, Any] = super().get_config()
        return {**config, "increase": self.increase, "decrease": self.decrease, **bounds}
