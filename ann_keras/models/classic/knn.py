"""The k nearest neighbours: an image gets the label that most of the k closest training images have.

Cover and Hart 1967, Nearest neighbor pattern classification; the distance is the Euclidean one between the pixels. Fitting is storing. The search is
exact: the candidates come from one matrix product, |x - m|^2 = |x|^2 - 2 x.m + |m|^2, and are ranked again by their
distances taken directly in 64 bits, so that cancellation does not change an answer. A tie of votes goes to the class with the lowest index.

Run it with `ann run knn`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from ann_keras.settings import Training, setting
from ann_keras.task import Feature

TASKS = ("image_classification",)

MARGIN = 8
"""Candidates beyond k that the 32-bit search hands to the 64-bit ranking."""


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    k: int = setting(5, "neighbours that vote", low=1, high=1024, search=(1, 3, 5, 7, 9, 15))
    block_mb: int = setting(256, "memory in MiB that a block of queries may take in the search", low=1)


TINY = Config(k=3)
TRAINING = Training(epochs=1, batch_size=1024)


@keras.saving.register_keras_serializable("ann_keras")
class Neighbours(keras.layers.Layer):
    """Stores examples and answers with the votes of the nearest.

    Args:
        classes: number of classes.
        k: neighbours that vote; all of them where fewer are stored.
        block_mb: bound in MiB on the memory of a block of queries: distances, candidates and their pixels.
        stored: number of examples, 0 before `store`.
    """

    def __init__(self, classes: int, k: int, block_mb: int, stored: int = 0, **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self.classes, self.k, self.block_mb, self.stored = classes, k, block_mb, stored

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the memory for `stored` examples."""
        self.units = input_shape[-1]
        self._allocate(max(self.stored, 1))

    def _allocate(self, rows: int) -> None:
        self.examples = self.add_weight(shape=(rows, self.units), initializer="zeros", trainable=False, name="examples")
        self.labels = self.add_weight(
            shape=(rows,), dtype="int32", initializer="zeros", trainable=False, name="labels"
        )

    def call(self, inputs: Any) -> Any:
        """float32 [batch, units] -> float32 [batch, classes], each class's share of the votes."""
        batch, block = ops.shape(inputs)[0], self._block_rows()
        block = ops.maximum(ops.minimum(batch, block), 1)
        blocks = (batch + block - 1) // block
        padded = ops.pad(inputs, [(0, blocks * block - batch), (0, 0)])
        votes = ops.map(self._votes, ops.reshape(padded, (blocks, block, self.units)))
        return ops.reshape(votes, (-1, self.classes))[:batch]

    def _block_rows(self) -> int:
        rows = self.examples.shape[0]
        candidates = min(self.k + MARGIN, rows)
        # A query: one 32-bit distance an example, and each candidate's pixels in 32 and, with the difference, in 64 bits.
        per_query = 4 * rows + candidates * self.units * (4 + 8 + 8)
        return max(1, self.block_mb * 2**20 // per_query)

    def _votes(self, queries: Any) -> Any:
        examples, rows = ops.convert_to_tensor(self.examples), self.examples.shape[0]
        squares = ops.sum(examples * examples, axis=1)
        # |x|^2 is the same for all examples of a query, so the order needs the other two terms alone.
        closeness = 2 * ops.matmul(queries, ops.transpose(examples)) - squares
        candidates = ops.top_k(closeness, min(self.k + MARGIN, rows))[1]
        candidates = ops.sort(candidates, axis=1)  # equal distances: the earlier example first
        difference = ops.cast(ops.take(examples, candidates, axis=0), "float64") - ops.cast(queries, "float64")[:, None]
        distances = ops.sum(difference * difference, axis=2)
        order = ops.argsort(distances, axis=1)[:, : min(self.k, rows)]
        nearest = ops.take_along_axis(candidates, order, axis=1)
        votes = ops.one_hot(ops.take(self.labels, nearest, axis=0), self.classes, dtype="float32")
        return ops.mean(votes, axis=1)

    def store(self, examples: np.ndarray, labels: np.ndarray) -> None:
        """Replaces what is stored by float32 [rows, units] and int [rows]."""
        self._tracker.unlock()
        for weight in (self.examples, self.labels):
            self._non_trainable_variables.remove(weight)
        self.stored = len(examples)
        self._allocate(self.stored)
        self._tracker.lock()
        self.examples.assign(examples)
        self.labels.assign(labels)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"classes": self.classes, "k": self.k, "block_mb": self.block_mb, "stored": self.stored}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("ann_keras")
class NearestNeighbours(keras.Model):
    """A functional model whose `fit` stores its examples."""

    def fit(  # noqa: D417 - the arguments are those of keras.Model.fit
        self, x: Iterable[Any], y: Any = None, *, steps_per_epoch: int | None = None, validation_data: Any = None,
        callbacks: Iterable[keras.callbacks.Callback] = (), **kwargs: Any,
    ) -> keras.callbacks.History:  # fmt: skip
        """Stores one epoch of examples and measures the validation data.

        Args:
            x: batches of (inputs, labels), or the inputs as arrays with the labels in `y`.
            y: int [rows] where `x` holds arrays.
            steps_per_epoch: batches that make an epoch; all of them where it is None.
            validation_data: batches of (inputs, labels) that are measured afterwards.
            callbacks: are told of the one epoch.
        """
        batches = [(x, y)] if y is not None else x
        stored: list[tuple[np.ndarray, np.ndarray]] = []
        flat = keras.Model(self.inputs, self.get_layer("flatten").output)
        for inputs, labels in batches:
            stored.append((np.asarray(flat(inputs)), np.asarray(labels).reshape(-1)))
            if len(stored) == steps_per_epoch:
                break
        history = keras.callbacks.History()
        told = keras.callbacks.CallbackList([*callbacks, history], model=self, epochs=1, steps=len(stored))
        told.on_train_begin()
        told.on_epoch_begin(0)
        self.get_layer("neighbours").store(*(np.concatenate(column) for column in zip(*stored, strict=True)))
        self.make_predict_function(force=True)
        self.make_test_function(force=True)
        logs = {}
        if validation_data is not None:
            logs = {f"val_{name}": value for name, value in self.evaluate(validation_data, verbose=0, return_dict=True).items()}
        told.on_epoch_end(0, logs)
        told.on_train_end(logs)
        return history


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels].
        outputs: logits, float32 [batch, classes]: the logarithm of each class's share of the votes.
    """
    x = keras.layers.Flatten(name="flatten")(inputs["image"])
    share = Neighbours(outputs.shape[0], config.k, config.block_mb, name="neighbours")(x)
    logits = ops.log(ops.maximum(share, 1e-7))
    return NearestNeighbours(inputs, logits, name="knn")
