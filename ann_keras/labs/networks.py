"""Many small networks trained at once, for experiments that need one for each width and repetition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


def build(widths: Sequence[int], copies: int, steepest: float) -> keras.Model:
    """Networks from one number to one number with a hidden layer of tanh units, none connected to another.

    Args:
        widths: hidden units; each has `copies` networks.
        copies: number of networks of each width.
        steepest: slopes and biases of the hidden units begin uniform in [-steepest, steepest].

    Returns:
        A model of float32 [batch, copies], an input for each copy, with answers [batch, widths, copies].
    """
    inputs = keras.Input((copies,))
    outputs = []
    for width in widths:
        # An initializer answers every call with the same numbers: one for both would put all units' zeros at -1.
        slopes, biases = (keras.initializers.RandomUniform(-steepest, steepest) for _ in range(2))
        hidden = keras.layers.EinsumDense(
            "bc,cw->bcw",
            (copies, width),
            activation="tanh",
            bias_axes="cw",
            kernel_initializer=slopes,
            bias_initializer=biases,
        )(inputs)
        weights = keras.initializers.RandomNormal(stddev=width**-0.5)
        outputs.append(
            keras.layers.EinsumDense("bcw,cw->bc", (copies,), bias_axes="c", kernel_initializer=weights)(hidden)
        )
    return keras.Model(inputs, ops.stack(outputs, axis=1))


def train(model: keras.Model, x: np.ndarray, t: np.ndarray, steps: int, rate: float) -> None:
    """Fits all networks by squares: Adam on all rows, its rate falling to 0 by a cosine.

    Args:
        model: of `build`.
        x, t: [rows, copies], the inputs and targets of each copy.
        steps: number of steps.
        rate: the first rate.
    """
    decaying = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(keras.optimizers.Adam(decaying), _squares, steps_per_execution=steps // 10, jit_compile=False)
    repeated = np.tile(x, (steps, 1)), np.tile(t, (steps, 1))
    model.fit(*repeated, batch_size=len(x), shuffle=False, verbose=0)


def _squares(t: Any, outputs: Any) -> Any:
    """Summed over the networks, so that each has the gradient that it would have alone."""
    return ops.sum(ops.square(t[:, None] - outputs), axis=(1, 2))
