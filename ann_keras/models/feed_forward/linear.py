"""Linear models: one weighted sum of the inputs for each output, as least squares, ridge, lasso, logistic or softmax.

Which one follows from the task: a number under Gaussian noise is least squares (Bishop 2006, Pattern Recognition and
Machine Learning, section 3.1.1), with `gamma` ridge regression (Hoerl and Kennard 1970) and with `lasso` the lasso
(Tibshirani 1996); two classes are logistic regression and more softmax regression (Bishop 2006, sections 4.3.2 and
4.3.4). On images a column of the weights is a template of its class, which the report draws.

On tables the weights are the exact minimum (see `exact`), unless `solver` says otherwise: the same as
scikit-learn's Ridge(alpha=gamma), Lasso(alpha=lasso / 2N) and LogisticRegression(C=1 / gamma) on the same units.

Run it with `ann run linear`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from ann_keras.models.feed_forward import exact, vector
from ann_keras.models.one_epoch import Batches, OneEpoch
from ann_keras.normal import standardised
from ann_keras.settings import Range, Training, setting
from ann_keras.task import Feature, Task

TASKS = ("image_classification", "classification", "regression")
MOST_EXACT = 3000
"""Weights that are solved for exactly; the Hessian has the square of that many numbers."""


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    gamma: float = setting(
        1.0,
        "weight prior sigma^2 / sigma_w^2: factor of the squared weights beside the sum over the examples",
        low=0,
        search=Range(1e-4, 1e2, log=True),
    )
    lasso: float = setting(0.0, "factor of the absolute weights beside the sum over the examples", low=0)
    solver: str = setting(
        "auto",
        "exact: Newton's method to convergence; gradient: the optimizer's steps; auto: exact on tables",
        choices=("auto", "exact", "gradient"),
    )


TINY = Config(gamma=1e-4)
TRAINING = Training(epochs=40, batch_size=32, learning_rate=2e-3, decay="cosine")
PICTURES_TITLE = "Templates of the classes"


def build(config: Config, inputs: dict[str, Any], outputs: Feature, examples: int = 1) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: tensors of any shape by name, float32 [batch, ...].
        outputs: logits, float32 [batch, 1 or classes], or the standardised mean (and log-variance) of a number.
        examples: of the training split, which the prior is weighed against.

    Raises:
        ValueError: where `solver` is "exact" and cannot be.
    """
    x = vector.flatten(inputs)
    kind = vector.likelihood(outputs)
    if config.solver != "gradient" and (found := _solved(config, inputs, x, outputs, kind)) is not None:
        return found
    regularizer = vector.prior(outputs, examples, config.gamma, config.lasso)
    scores = keras.layers.Dense(outputs.shape[0], kernel_regularizer=regularizer, name="scores")(x)
    return keras.Model(inputs, scores, name="linear")


def _solved(config: Config, inputs: dict[str, Any], x: Any, outputs: Feature, kind: str) -> keras.Model | None:
    """The model that is solved exactly; None where "auto" does not take it."""
    weights = (x.shape[-1] + 1) * outputs.shape[0]
    possible = kind != "gaussian" and weights <= MOST_EXACT
    if config.solver == "exact" and not possible:
        why = "a learned sigma" if kind == "gaussian" else f"{weights} weights, more than {MOST_EXACT},"
        raise ValueError(f"solver='exact': {why} cannot be solved exactly; expected gradient or auto")
    table = all(len(tensor.shape) == 2 for tensor in inputs.values())
    if not possible or (config.solver == "auto" and not table):
        return None
    scores = keras.layers.Dense(outputs.shape[0], kernel_initializer="zeros", name="scores")(x)
    model = Solved(inputs, scores, name="linear")
    model.objective = exact.Objective(kind, outputs.shape[0] or 0, config.gamma, config.lasso)
    return model


@keras.saving.register_keras_serializable("ann_keras")
class Solved(OneEpoch):
    """A functional model whose `fit` goes to the minimum of the penalised loss in one epoch."""

    objective: exact.Objective

    def learn(self, batches: Batches) -> None:
        """Solves for the weights, by as many passes as it takes."""
        layer = self.get_layer("scores")
        self.optimizer.build(self.trainable_variables)  # as every fitted model's is when it is saved
        layer.set_weights(exact.solve(lambda: map(self._plain, batches()), layer.kernel.shape[0], self.objective))

    def _plain(self, batch: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Units, targets and weights of a batch."""
        inputs, labels, *weights = batch
        parts = [ops.convert_to_numpy(inputs[tensor.name]) for tensor in self.inputs]
        units = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        if self.objective.kind == "squares":
            target = ops.convert_to_numpy(standardised(ops.convert_to_tensor(labels)))
        else:
            target = ops.convert_to_numpy(labels).reshape(-1).astype(np.int64)
        weight = ops.convert_to_numpy(weights[0]).reshape(-1) if weights else np.ones(len(units))
        return units, target, weight.astype(np.float64)


def pictures(model: keras.Model, task: Task) -> dict[str, np.ndarray]:
    """On images the template of every class, float32 [height, width, channels], positive where a bright pixel speaks
    for it; nothing on tables.
    """
    shape = tuple(size or 1 for size in task.inputs[0].shape)
    if len(shape) < 2:
        return {}
    kernel = np.asarray(model.get_layer("scores").kernel)
    return {name: kernel[:, index].reshape(shape) for index, name in enumerate(task.label.classes)}


def coefficients(model: keras.Model, task: Task) -> dict[str, np.ndarray]:
    """On tables what each unit adds, float32 [units] in the order of `task.inputs[0].classes`, by what it is added to:
    the log-odds of the second of two classes, the score of every class of more, the standardised "mean" of a number
    and its "log-variance" where that is learned; nothing on images.
    """
    if len(task.inputs[0].shape) != 1:
        return {}
    kernel = np.asarray(model.get_layer("scores").kernel)
    classes = task.label.classes
    names = ("mean", "log-variance") if not classes else classes[1:] if kernel.shape[1] == 1 else classes
    return {name: kernel[:, index] for index, name in enumerate(names[: kernel.shape[1]])}
