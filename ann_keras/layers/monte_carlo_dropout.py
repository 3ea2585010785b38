"""Dropout whose masks can also be drawn at test time, for an ensemble of thinned networks.

In training every hidden unit of every example is left out with its own draw (Srivastava et al. 2014, Dropout: a simple
way to prevent neural networks from overfitting, section 4). At test time the default is weight scaling: no unit is left
out. Deviation: the kept units are divided by their probability in training (the paper's section 10) rather than the
weights multiplied by it at test time, so that a trained network is exported as it is. `monte_carlo` averages the
answers of thinned networks instead (their section 7.5; Gal and Ghahramani 2016, Dropout as a Bayesian approximation,
section 4).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass
class _Masks:
    """Where the masks of an ensemble are drawn from, and whether a layer asked for them."""

    generator: keras.random.SeedGenerator
    drawn: bool = False


_MASKS: contextvars.ContextVar[_Masks | None] = contextvars.ContextVar("masks", default=None)
"""None outside `monte_carlo`. A switch apart from `training`, which would also switch batch normalisation."""


@keras.saving.register_keras_serializable("ann_keras")
class MonteCarloDropout(keras.layers.Dropout):
    """Sets each unit to zero with probability `rate` and divides the others by 1 - rate.

    It does so in training and under `monte_carlo`. Otherwise it passes its input on, and an exported graph draws
    nothing.

    Args:
        rate: probability that a unit is left out, 0 <= rate < 1.
        **kwargs: further arguments of `keras.layers.Dropout`: seed, name.

    Raises:
        ValueError: for a rate out of range.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate={rate}: expected 0 <= rate < 1")
        super().__init__(rate, **kwargs)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """float [batch, ...] -> the same shape."""
        masks = _MASKS.get()
        if masks is None:
            return super().call(inputs, training=training)
        masks.drawn = True
        return keras.random.dropout(inputs, self.rate, noise_shape=self.noise_shape, seed=masks.generator)


def monte_carlo(
    model: keras.Model,
    inputs: Any,
    samples: int = 100,
    seed: int = 0,
    answer: Callable[[Any], Any] = lambda outputs: outputs,
    rows: int = 4096,
) -> tuple[Any, Any]:
    """The answers of an ensemble of thinned networks: their mean and their spread, for every example.

    All other layers stay as at test time. Every member's answer is held until the end.

    Args:
        model: with at least one MonteCarloDropout, at any depth.
        inputs: one batch of what the model takes: a tensor or a structure of tensors [batch, ...].
        samples: members of the ensemble, each with its own masks for every example.
        seed: of the masks; the same seed gives the same answer, and the model's own state is left alone.
        answer: what is averaged, from the model's outputs, such as `keras.ops.softmax` of logits: the members' answers
            are probabilities, and the mean of logits is another ensemble.
        rows: examples times samples in one call of the model, at most, but never less than a batch.

    Returns:
        Mean and standard deviation (divided by `samples`), each with the structure and shape of `answer`. The deviation
        is what the masks alone leave open, without the noise of the targets.

    Raises:
        ValueError: for less than one sample, or a model without MonteCarloDropout.
    """
    if samples < 1:
        raise ValueError(f"samples={samples}: expected at least 1")
    batch = ops.shape(keras.tree.flatten(inputs)[0])[0]
    at_once = min(samples, max(1, rows // max(1, batch)))
    sizes = [at_once] * (samples // at_once) + [samples % at_once] * (samples % at_once > 0)
    chunks = []
    with _drawing(seed) as masks:
        for size in sizes:
            outputs = answer(model(_repeated(inputs, size), training=False))
            chunks.append(keras.tree.map_structure(lambda x, size=size: _unfolded(x, size), outputs))
            if not masks.drawn:
                raise ValueError(f"{model.name} has no MonteCarloDropout layer, so there are no masks to draw")
    members = keras.tree.map_structure(lambda *parts: ops.concatenate(parts, axis=1), *chunks)
    means = keras.tree.map_structure(lambda x: ops.mean(x, axis=1), members)
    deviations = keras.tree.map_structure(lambda x: ops.std(x, axis=1), members)
    return means, deviations


@contextmanager
def _drawing(seed: int) -> Iterator[_Masks]:
    masks = _Masks(keras.random.SeedGenerator(seed))
    token = _MASKS.set(masks)
    try:
        yield masks
    finally:
        _MASKS.reset(token)


def _repeated(inputs: Any, times: int) -> Any:
    """[batch, ...] -> [batch * times, ...]: masks are per example, so every copy is another thinned network's."""
    return keras.tree.map_structure(lambda x: ops.repeat(ops.convert_to_tensor(x), times, axis=0), inputs)


def _unfolded(outputs: Any, times: int) -> Any:
    """[batch * times, ...] -> [batch, times, ...], cut off from gradients."""
    return ops.stop_gradient(ops.reshape(outputs, (-1, times, *outputs.shape[1:])))
