"""The squared penalty of the weights as a Gaussian prior, in Keras's scale of the loss.

With a prior N(0, sigma_w^2) on every weight and Gaussian noise N(0, sigma^2) on the targets, the most probable weights
minimise sum_n (t_n - g(x_n | w))^2 + gamma sum_q w_q^2 with gamma = sigma^2 / sigma_w^2 (Bishop 2006, Pattern
Recognition and Machine Learning, eq. 1.67 and section 3.3.1). Keras's losses are means over the examples and its L2 is
not, so gamma enters divided by N: the more examples, the less the prior counts.
"""

from __future__ import annotations

import math

import keras

SHARE = {"squares": 1.0, "negative_log_likelihood": 0.5}
"""loss -> factor of gamma w^2 beside a sum of that loss over the examples."""


def l2_factor(gamma: float, examples: int, loss: str = "squares", outputs: int = 1) -> float:
    """The factor of `keras.regularizers.L2`: loss + l2 sum w^2 has its minimum at the most probable weights.

    With "squares", Keras's mean squared error, l2 = gamma / (N K), as that error is a mean over examples and outputs.
    gamma is sigma^2 / sigma_w^2 in the unit of the target that the loss sees. For a target divided by s it is
    (sigma / s)^2 / sigma_w^2, where sigma_w is that of the network which answers the divided target; a linear model's
    weights are divided by s as well, and its gamma stays what it was.

    With "negative_log_likelihood", the mean over the examples of -ln p(t_n | x_n, w), in nats: cross-entropies, and the
    Gaussian likelihood with its sigma inside; gamma = 1 / sigma_w^2 and l2 = gamma / (2 N) = 1 / (2 N sigma_w^2).

    Args:
        gamma: >= 0; 0 is a flat prior, that is maximum likelihood.
        examples: N, of the training split and not of a batch.
        loss: a key of SHARE.
        outputs: K, the numbers in one target of the mean squared error; 1 with "negative_log_likelihood", which is a
            sum over the outputs.

    Raises:
        ValueError: naming the bad value.
    """
    if not (math.isfinite(gamma) and gamma >= 0):
        raise ValueError(f"gamma={gamma}: expected a finite number of at least 0")
    if loss not in SHARE:
        raise ValueError(f"loss={loss!r}: expected one of {', '.join(SHARE)}")
    for name, number in (("examples", examples), ("outputs", outputs)):
        if number < 1:
            raise ValueError(f"{name}={number}: expected at least 1")
    if loss != "squares" and outputs != 1:
        raise ValueError(f"outputs={outputs}: {loss} is a sum over the outputs, expected 1")
    # Keras multiplies it with float32 weights, which a float64 of numpy's refuses.
    return float(SHARE[loss] * gamma / (examples * outputs))


def gaussian_prior(
    gamma: float, examples: int, loss: str = "squares", outputs: int = 1
) -> keras.regularizers.Regularizer:
    """The prior N(0, sigma_w^2) of a layer's weights, as a kernel or bias regularizer.

    The course's sum runs over all weights; ridge regression leaves the bias out, whose prior is then flat.

    Args:
        gamma, examples, loss, outputs: see `l2_factor`.
    """
    return keras.regularizers.L2(l2_factor(gamma, examples, loss, outputs))
