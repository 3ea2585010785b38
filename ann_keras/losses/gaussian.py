"""The negative log-likelihood of a target under Gaussian noise, with a fixed or a predicted deviation."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from ann_keras.normal import log_variance_of, standardised


@keras.saving.register_keras_serializable(package="ann_keras")
class GaussianLikelihood(keras.losses.Loss):
    """Squares where sigma is fixed, and -log N(t; mean, sigma^2) where the model gives it.

    With t standardised and outputs [batch, 1] the loss is (t - g)^2 for each example (Bishop 2006, eq. 5.14, but for
    the factor 1/2). With outputs [batch, 2] it is (log sigma^2 + (t - g)^2 / sigma^2 + log 2 pi) / 2 (Nix and Weigend
    1994, eq. 5, with its constant).
    """

    def __init__(self, name: str = "gaussian_likelihood", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """float32 [batch] of targets beside their scale, [batch, 3], and outputs, [batch, 1 or 2]."""
        error = ops.square(standardised(ops.cast(y_true, y_pred.dtype)) - y_pred[:, 0])
        if y_pred.shape[-1] == 1:
            return error
        log_variance = log_variance_of(y_pred)
        return 0.5 * (log_variance + error * ops.exp(-log_variance) + math.log(2 * math.pi))
