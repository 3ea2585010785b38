"""The perceptron: one threshold unit whose weights change on the examples that it gets wrong, and on no others.

Rosenblatt 1958, The perceptron: a probabilistic model for information storage and organization in the brain; the rule
is his error correction (1962, Principles of Neurodynamics). A misclassified example adds rate * t_i * (x_i, 1) to the
weights and the bias, t_i = -1 or +1: Hebb's rule, input times wanted output. That is stochastic gradient descent on

    D(w, w0) = - sum over the misclassified i of t_i (w.x_i + w0),

|w| times the distances of those points from the boundary (Hastie, Tibshirani and Friedman 2009, The Elements of
Statistical Learning, section 4.5.1). Where a hyperplane separates the classes with margin gamma, and all
|(x_i, 1)| <= R, it makes at most (R / gamma)^2 mistakes from zero weights (Novikoff 1962, On convergence proofs on
perceptrons); where none does, it never comes to rest. Of more than two classes each has a unit: a mistake raises the
weights of the right class and lowers those of the wrong one with the highest score (Crammer and Singer 2003,
Ultraconservative online algorithms for multiclass problems).

The loss is the mean of D over a batch, whatever loss the task names: `batch_size` 1 is the rule itself, and a larger
batch averages its updates. D says nothing about probabilities: those that a task reads from the scores are not
calibrated. Early stopping on the D of held-out data keeps the weights of its best epoch, as the pocket algorithm does
with the training data (Gallant 1990, Perceptron-based learning algorithms). Since D grows with |w|, and |w| with every
mistake, it favours early epochs, and a fit may end before the training data are separated.

Run it with `ann run perceptron`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from ann_keras.models.feed_forward import vector
from ann_keras.settings import Training
from ann_keras.task import Feature

TASKS = ("image_classification", "classification")


@dataclass(frozen=True)
class Config:
    """The perceptron has no settings of its own."""


TINY = Config()
TRAINING = Training(epochs=100, batch_size=16, optimizer="plain_sgd", learning_rate=1.0, patience=25)


def margins(labels: Any, logits: Any) -> Any:
    """By how much each example is right.

    Args:
        labels: int [batch], class indices.
        logits: float [batch, 1] for two classes, else [batch, classes].

    Returns:
        float32 [batch]: t (w.x + w0) for two classes, with t = -1 for class 0 and +1 for class 1; for more, the score
        of the right class less the highest wrong one. Misclassified is what is not above 0.
    """
    labels, logits = ops.cast(ops.reshape(labels, (-1,)), "int32"), ops.cast(logits, "float32")
    if logits.shape[-1] == 1:
        return ops.cast(2 * labels - 1, "float32") * logits[:, 0]
    right = ops.one_hot(labels, logits.shape[-1], dtype="float32")
    winner = ops.argmax(ops.where(right > 0, -float("inf"), logits), axis=-1)
    wrong = ops.one_hot(winner, logits.shape[-1], dtype="float32")
    return ops.sum((right - wrong) * logits, axis=-1)


def criterion(labels: Any, logits: Any) -> Any:
    """Each example's part of D: 0 where it is classified rightly, else minus its margin.

    Args:
        labels: int [batch], class indices.
        logits: float [batch, 1] for two classes, else [batch, classes].

    Returns:
        float32 [batch], at least 0. A point on the boundary costs nothing but has the gradient of a misclassified one.
    """
    margin = margins(labels, logits)
    return ops.where(margin > 0, 0.0, -margin)


@keras.saving.register_keras_serializable("ann_keras")
class Perceptron(keras.Model):
    """A functional model that is trained on the perceptron criterion, whatever loss it is compiled with."""

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The mean of the criterion over a batch.

        Args:
            x: the inputs, not used.
            y: int [batch], class indices.
            y_pred: float [batch, 1] or [batch, classes], logits.
            sample_weight: float [batch], factors of the examples' criteria; None for ones.
            training: not used.
        """
        found = criterion(y, y_pred)
        if sample_weight is not None:
            found = found * ops.cast(ops.reshape(sample_weight, (-1,)), found.dtype)
        return ops.mean(found)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: tensors of any shape by name, float32 [batch, ...]; flattened and put one after another.
        outputs: logits, float32 [batch, 1] for two classes, positive where the answer is class 1, else
            [batch, classes].
    """
    logits = keras.layers.Dense(outputs.shape[0], name="scores")(vector.flatten(inputs))
    return Perceptron(inputs, logits, name="perceptron")


def remarks(history: Mapping[str, Sequence[float]]) -> list[str]:
    """One line on whether the training came to rest.

    Args:
        history: one value per epoch by name: "loss", and "accuracy" where the task measures it. Each example of an
            epoch is judged before it changes the weights, so that a loss of 0 means an epoch without a mistake.
    """
    losses = history["loss"]
    if 0 in losses:
        return [f"converged: epoch {losses.index(0) + 1} classified every training example without a mistake"]
    fewest = ""
    if "accuracy" in history:
        best = max(history["accuracy"])
        epoch = list(history["accuracy"]).index(best) + 1
        fewest = f"; the fewest mistakes were {1 - best:.1%} of the examples, in epoch {epoch}"
    return [
        f"did not converge: each of {len(losses)} epochs made mistakes{fewest}. Where no hyperplane separates the "
        "classes it never does (the weights wander for ever); where one does, more epochs or more patience end it"
    ]
