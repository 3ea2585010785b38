"""A multi-layer perceptron: hidden layers of units between the inputs and the outputs, with the theory's choices.

Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors. By default the hidden units
are rectifiers (Glorot, Bordes and Bengio 2011, section 3) with the initialisation of He et al. 2015 (eq. 10) and
dropout (Srivastava et al. 2014, section 4). Batch normalisation stands between the weighted sum and the nonlinearity
(Ioffe and Szegedy 2015, section 3.2), and `gamma` is the prior of the weights as in MacKay 1992 (A Practical Bayesian
Framework for Backpropagation Networks), gamma = sigma^2 / sigma_w^2.

Run it with `ann run mlp`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import keras

from ann_keras.initializers.xavier import Xavier
from ann_keras.layers.monte_carlo_dropout import MonteCarloDropout
from ann_keras.models.feed_forward import vector
from ann_keras.settings import Range, Training, setting
from ann_keras.task import Feature

TASKS = ("image_classification", "classification", "regression")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "tanh", "sigmoid")
LEAK = 0.01
"""Slope of the leaky rectifier below 0 (Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network
Acoustic Models, eq. 3)."""
INITIALIZERS = {
    "he": keras.initializers.HeNormal,
    "glorot": keras.initializers.GlorotNormal,
    "xavier": Xavier,
    "small": functools.partial(keras.initializers.RandomNormal, stddev=0.01),
    "large": functools.partial(keras.initializers.RandomNormal, stddev=1.0),
    "zeros": keras.initializers.Zeros,
}


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    units: int = setting(256, "units of each hidden layer", low=1, high=65536, search=(64, 128, 256, 512))
    depth: int = setting(2, "hidden layers", low=1, high=64, search=(1, 2, 3))
    activation: str = setting("relu", "nonlinearity of the hidden units", choices=ACTIVATIONS)
    initializer: str = setting(
        "he",
        "variance of the first weights: he 2 / n_in, glorot 2 / (n_in + n_out), xavier 1 / n_in, small 0.0001, large 1",
        choices=tuple(INITIALIZERS),
    )
    normalisation: str = setting("none", "of each weighted sum before its nonlinearity", choices=("none", "batch"))
    dropout: float = setting(
        0.1, "share of hidden units left out in training", low=0, high=0.95, search=Range(0.0, 0.5)
    )
    gamma: float = setting(
        0.0,
        "weight prior sigma^2 / sigma_w^2: factor of the squared weights beside the sum over the examples",
        low=0,
        search=Range(1e-4, 1e2, log=True),
    )
    lasso: float = setting(0.0, "factor of the absolute weights beside the sum over the examples", low=0)


TINY = Config(units=32, depth=1, dropout=0.0)
TRAINING = Training(epochs=60, batch_size=128, learning_rate=1e-3, decay="cosine")


def build(config: Config, inputs: dict[str, Any], outputs: Feature, examples: int = 1) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: tensors of any shape by name, float32 [batch, ...].
        outputs: logits, float32 [batch, 1 or classes], or the standardised mean (and log-variance) of a number.
        examples: of the training split, which the prior is weighed against.
    """
    prior = vector.prior(outputs, examples, config.gamma, config.lasso)
    dense = functools.partial(keras.layers.Dense, kernel_regularizer=prior if config.gamma or config.lasso else None)
    initializer = INITIALIZERS[config.initializer]
    x = vector.flatten(inputs)
    for number in range(1, config.depth + 1):
        x = dense(config.units, kernel_initializer=initializer(), name=f"hidden{number}")(x)
        if config.normalisation == "batch":
            x = keras.layers.BatchNormalization(name=f"normalisation{number}")(x)
        x = _nonlinearity(config.activation, f"activation{number}")(x)
        x = MonteCarloDropout(config.dropout, name=f"dropout{number}")(x)
    answers = dense(outputs.shape[0], name="scores")(x)
    return keras.Model(inputs, answers, name="mlp")


def _nonlinearity(name: str, layer_name: str) -> keras.layers.Layer:
    if name == "leaky_relu":
        return keras.layers.LeakyReLU(LEAK, name=layer_name)
    return keras.layers.Activation(name, name=layer_name)
