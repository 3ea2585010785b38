"""Xavier's initialisation with the variance 1 / n_in, beside Glorot's and He's."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("ann_keras")
class Xavier(keras.initializers.VarianceScaling):
    """Weights from N(0, 1 / n_in), which keep the variance of a linear unit's inputs.

    A unit with n_in inputs, all independent and of mean 0, has Var(h) = n_in Var(w) Var(x). The three choices:

    | name   | Var(w)             | keeps                                                | in Keras        |
    |--------|--------------------|------------------------------------------------------|-----------------|
    | Xavier | 1 / n_in           | the variance of activations                          | `Xavier` here   |
    | Glorot | 2 / (n_in + n_out) | between that and the gradients', which needs 1/n_out | `glorot_normal` |
    | He     | 2 / n_in           | the mean square of rectified activations             | `he_normal`     |

    Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, equations 10
    (1 / n_in), 11 (1 / n_out) and 12 (their harmonic mean); He, Zhang, Ren and Sun 2015, Delving deep into rectifiers,
    equation 10. With n_in = n_out the first two are one. Keras's `lecun_normal` has the variance of `Xavier` too, but
    cuts the normal distribution off at two standard deviations, as `glorot_normal` and `he_normal` do.

    Args:
        seed: an integer or a keras.random.SeedGenerator; None draws one.
    """

    def __init__(self, seed: Any = None) -> None:
        super().__init__(scale=1.0, mode="fan_in", distribution="untruncated_normal", seed=seed)

    def get_config(self) -> dict[str, Any]:
        """The seed."""
        return {"seed": super().get_config()["seed"]}
