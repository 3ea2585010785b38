"""Momentum and Nesterov's gradient as the course writes them: with the last gradient in place of a velocity.

The velocity is Polyak 1964, Some methods of speeding up the convergence of iteration methods; the look-ahead is
Nesterov 1983, in the form for networks of Sutskever, Martens, Dahl and Hinton 2013, On the importance of initialization
and momentum in deep learning, section 2. That the variables may hold the look-ahead point, so that one gradient a step
is enough, is Bengio, Boulanger-Lewandowski and Pascanu 2013, Advances in optimizing recurrent networks, section 3.5.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ann_keras.optimizers.gradients import dense


@keras.saving.register_keras_serializable("ann_keras")
class CourseMomentum(keras.optimizers.Optimizer):
    """Gradient descent that adds a share of the last step's gradient.

    With g_k the gradient at w_k, eta the learning rate and alpha = eta * momentum:

        w_{k+1} = w_k - eta g_k - alpha g_{k-1}

    `keras.optimizers.SGD(eta, momentum=m)` accumulates instead, v_{k+1} = m v_k - eta g_k and w_{k+1} = w_k + v_{k+1}:

        w_{k+1} = w_k - eta (g_k + m g_{k-1} + m^2 g_{k-2} + m^3 g_{k-3} + ...)

    The course's form is that sum cut after two terms. The first two steps from rest are the same; from the third step
    on the memory is missing. Where the gradient stays as it is, the velocity multiplies the step by 1 / (1 - m), ten
    times for m = 0.9, and this form by 1 + m. Along the slow direction of a valley it is therefore a constant factor
    faster than gradient descent, and not by the square root of the condition number, as the velocity is.

    Args:
        learning_rate: eta: a number above 0, or a schedule; each gradient keeps the rate of its own step.
        momentum: alpha / eta, at least 0.
        name: of the optimizer.
        **kwargs: further ones of keras.optimizers.Optimizer.

    Raises:
        ValueError: for a momentum that is no number of at least 0.
    """

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.9, name: str = "course_momentum", **kwargs: Any
    ) -> None:
        if not isinstance(momentum, int | float) or not 0 <= momentum < float("inf"):
            raise ValueError(f"momentum={momentum!r}: expected a number of at least 0")
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = float(momentum)

    def build(self, variables: list[keras.Variable]) -> None:
        """Creates the remembered steps, eta g, of `variables`."""
        if self.built:
            return
        super().build(variables)
        self.last_steps = self.add_optimizer_variables(variables, "last_step")

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """Moves `variable` by `gradient`, of the same shape, and the one before it."""
        last = self.last_steps[self._get_variable_index(variable)]
        step = ops.multiply(dense(gradient, variable), ops.cast(learning_rate, variable.dtype))
        self.assign_sub(variable, self.combine(step, last))
        self.assign(last, step)

    def combine(self, step: Any, last: Any) -> Any:
        """What is taken off the variables: of eta g_k and eta g_{k-1}."""
        return ops.add(step, ops.multiply(last, self.momentum))

    def get_config(self) -> dict[str, Any]:
        """The arguments of this optimizer."""
        config: dict[str, Any] = super().get_config()
        return {**config, "momentum": self.momentum}


@keras.saving.register_keras_serializable("ann_keras")
class CourseNesterov(CourseMomentum):
    """Gradient descent by the gradient at the point where the last gradient would lead.

    The course jumps, takes the gradient there, and steps from where it was before the jump:

        w_{k+1/2} = w_k - alpha g(w_{k-1})
        w_{k+1}   = w_k - eta g(w_{k+1/2})

    Keras hands an optimizer one gradient a step, taken where the variables are. So they hold the look-ahead point
    y_k = w_{k+1/2}, and the jump uses the gradient at the look-ahead before, g(y_{k-1}), in place of g(w_{k-1}), which
    would cost a second gradient. With w_k = y_k + alpha g(y_{k-1}) the two lines become

        y_{k+1} = y_k - (eta + alpha) g(y_k) + alpha g(y_{k-1})

    This is Popov 1980, A modification of the Arrow-Hurwicz method for search of saddle points, where alpha = eta. The
    iterate itself is y_k + alpha g(y_{k-1}); at a minimum the two are one point.

    `keras.optimizers.SGD(eta, momentum=m, nesterov=True)` holds the look-ahead too, but steps from it, so that the jump
    stays in the sum: v_{k+1} = m v_k - eta g(y_k) and y_{k+1} = y_k + m v_{k+1} - eta g(y_k), that is

        y_{k+1} = y_k - eta ((1 + m) g(y_k) + m^2 g(y_{k-1}) + m^3 g(y_{k-2}) + ...)

    The first step is the same, (1 + m) eta g. After it the course's form takes the last jump back where Keras adds to
    it: where the gradient stays as it is, it goes as fast as gradient descent with eta, and Keras 1 / (1 - m) times as
    fast. It dampens; it does not accelerate.

    Args:
        learning_rate: eta: a number above 0, or a schedule; each gradient keeps the rate of its own step.
        momentum: alpha / eta, at least 0.
        name: of the optimizer.
        **kwargs: further ones of keras.optimizers.Optimizer.

    Raises:
        ValueError: for a momentum that is no number of at least 0.
    """

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.9, name: str = "course_nesterov", **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, momentum, name, **kwargs)

    def combine(self, step: Any, last: Any) -> Any:
        """What is taken off the look-ahead point: of eta g(y_k) and eta g(y_{k-1})."""
        return ops.subtract(ops.multiply(step, 1 + self.momentum), ops.multiply(last, self.momentum))
