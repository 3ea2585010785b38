"""The k nearest neighbours: an image gets the label that most of the k closest training images have.

Cover and Hart 1967, Nearest neighbor pattern classification; the distance is the Euclidean one between the pixels.
Fitting is storing. The search is exact: the candidates come from one matrix product, |x - m|^2 = |x|^2 - 2 x.m +
|m|^2, and are ranked again by their distances taken directly in 64 bits, so that cancellation does not change an
answer. A tie of votes goes to the class with the lowest index.

Run it with `ann run knn`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from ann_keras.models.one_epoch import Batches, OneEpoch
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


TINY = Config(k=1)
TRAINING = Training(epochs=1, batch_size=1024)


@keras.saving.register_keras_serializable("ann_keras")
class Neighbours(keras.layers.Layer):
    """Holds examples and answers with the votes of the nearest.

    Args:
        classes: number of classes.
        k: neighbours that vote; all of them where fewer are stored.
        block_mb: bound in MiB on the memory of a block of queries: distances, candidates and their pixels.
        stored: number of examples.
    """

    def __init__(self, classes: int, k: int, block_mb: int, stored: int = 1, **kwargs: Any) -> None:
        # Distances in 16 bits, as mixed precision would have them, would not be exact.
        super().__init__(**{**kwargs, "trainable": False, "dtype": "float32"})
        self.classes, self.k, self.block_mb, self.stored = classes, k, block_mb, stored

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the memory: examples, float32 [stored, units], and labels, int32 [stored]."""
        self.units = input_shape[-1]
        weight = functools.partial(self.add_weight, initializer="zeros", trainable=False)
        self.examples = weight(shape=(self.stored, self.units), name="examples")
        self.labels = weight(shape=(self.stored,), dtype="int32", name="labels")

    def call(self, inputs: Any) -> Any:
        """float32 [batch, units] -> float32 [batch, classes], each class's share of the votes."""
        batch, most = ops.shape(inputs)[0], self._block_rows()
        blocks = ops.maximum((batch + most - 1) // most, 1)
        block = ops.maximum((batch + blocks - 1) // blocks, 1)  # an empty batch is one row of padding
        padded = ops.pad(inputs, [(0, blocks * block - batch), (0, 0)])
        squares = ops.sum(ops.square(self.examples), axis=1)
        votes = ops.map(lambda one: self._votes(one, squares), ops.reshape(padded, (blocks, block, self.units)))
        return ops.reshape(votes, (-1, self.classes))[:batch]

    def _block_rows(self) -> int:
        rows = self.examples.shape[0]
        candidates = min(self.k + MARGIN, rows)
        # A query: one 32-bit distance an example, and each candidate's pixels in 32 and, with the difference, in 64
        # bits.
        per_query = 4 * rows + candidates * self.units * (4 + 8 + 8)
        return max(1, self.block_mb * 2**20 // per_query)

    def _votes(self, queries: Any, squares: Any) -> Any:
        """float32 [rows, units], and the examples' |m|^2, float32 [stored] -> float32 [rows, classes]."""
        examples, rows = ops.convert_to_tensor(self.examples), self.examples.shape[0]
        # |x|^2 is the same for all examples of a query, so the order needs the other two terms alone.
        closeness = 2 * ops.einsum("qu,eu->qe", queries, examples) - squares
        candidates = ops.top_k(closeness, min(self.k + MARGIN, rows))[1]
        candidates = ops.sort(candidates, axis=1)  # equal distances: the earlier example first
        difference = ops.cast(ops.take(examples, candidates, axis=0), "float64") - ops.cast(queries, "float64")[:, None]
        distances = ops.sum(difference * difference, axis=2)
        order = ops.argsort(distances, axis=1)[:, : min(self.k, rows)]
        nearest = ops.take_along_axis(candidates, order, axis=1)
        votes = ops.one_hot(ops.take(self.labels, nearest, axis=0), self.classes, dtype="float32")
        return ops.mean(votes, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        own = {"classes": self.classes, "k": self.k, "block_mb": self.block_mb, "stored": self.stored}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("ann_keras")
class NearestNeighbours(OneEpoch):
    """A functional model whose `fit` stores its examples."""

    def learn(self, batches: Batches) -> None:
        """Stores one pass."""
        flat = keras.Model(self.input, self.get_layer("flatten").output)
        stored = [
            (ops.convert_to_numpy(flat(inputs)), ops.convert_to_numpy(labels).reshape(-1))
            for inputs, labels, *_ in batches()
        ]
        self.store(*(np.concatenate(column) for column in zip(*stored, strict=True)))

    def store(self, examples: np.ndarray, labels: np.ndarray) -> None:
        """Replaces what is stored by float32 [rows, units] and int [rows]."""
        memory = self.get_layer("neighbours")
        config = memory.pop().get_config()
        memory.add(Neighbours.from_config({**config, "stored": len(examples)}))
        memory.layers[-1].set_weights([examples, labels])
        self.make_predict_function(force=True)
        self.make_test_function(force=True)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels].
        outputs: logits, float32 [batch, classes]: the logarithm of each class's share of the votes.
    """
    x = keras.layers.Flatten(dtype="float32", name="flatten")(inputs["image"])
    search = Neighbours(outputs.shape[0] or 0, config.k, config.block_mb, name="search")
    # Keras fixes the sizes of a layer's weights once it is built; a Sequential lets `store` put in one of another size.
    share = keras.Sequential([search], name="neighbours")(x)
    logits = ops.log(ops.maximum(share, 1e-7))
    return NearestNeighbours(inputs, logits, name="knn")
