"""What models without a spatial structure share: one vector made of all inputs, and which likelihood their outputs
stand for.
"""

from __future__ import annotations

from typing import Any

import keras

from ann_keras.regularizers.weight_prior import l2_factor
from ann_keras.task import Feature


def flatten(inputs: dict[str, Any]) -> Any:
    """All inputs, float32 [batch, ...], flattened and put one after another: float32 [batch, units]."""
    flat = [keras.layers.Flatten(name=f"flatten_{name}")(tensor) for name, tensor in inputs.items()]
    return keras.layers.Concatenate(name="concatenate")(flat) if len(flat) > 1 else flat[0]


def likelihood(outputs: Feature) -> str:
    """What the task's loss is a likelihood of: "squares" (Gaussian, sigma fixed), "gaussian" (sigma an output too),
    "bernoulli" (one logit) or "softmax".
    """
    units = outputs.shape[0]
    if outputs.name == "normal":
        return "squares" if units == 1 else "gaussian"
    return "bernoulli" if units == 1 else "softmax"


def prior(outputs: Feature, examples: int, gamma: float, lasso: float) -> keras.regularizers.Regularizer:
    """The penalty of a kernel beside the mean loss over N examples: gamma w^2 / N, half of it beside logarithms, and
    lasso |w| / N.
    """
    loss = "squares" if likelihood(outputs) == "squares" else "negative_log_likelihood"
    return keras.regularizers.L1L2(lasso / examples, l2_factor(gamma, examples, loss))
