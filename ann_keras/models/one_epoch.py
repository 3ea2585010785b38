"""Models that learn by one look at the data, or by their own way through it, behind the face of `keras.Model.fit`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras

Batches = Callable[[], Iterator[tuple[Any, ...]]]
"""A pass over the training data: (inputs by name, labels) or (inputs by name, labels, weights)."""


@keras.saving.register_keras_serializable("ann_keras")
class OneEpoch(keras.Model):
    """A functional model whose `fit` is `learn`, told to callbacks as one epoch of one step."""

    def learn(self, batches: Batches) -> None:
        """Sets the weights; `batches` may be passed over as often as it takes."""
        raise NotImplementedError

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        steps_per_epoch: int | None = None,
        validation_data: Any = None,
        callbacks: Iterable[keras.callbacks.Callback] | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Learns and measures the validation data; takes the arguments of `keras.Model.fit`.

        Args:
            x: batches of (inputs, labels) or (inputs, labels, weights), or the inputs as arrays with the labels in `y`.
            y: where `x` holds arrays.
            steps_per_epoch: batches that hold every example once; all of them where it is None.
            validation_data: batches, or arrays (inputs, labels), that are measured afterwards.
            callbacks: are told of the one epoch.
            **kwargs: the other arguments, which say nothing here.
        """
        source = [(x, y)] if y is not None else x
        history = keras.callbacks.History()
        told = keras.callbacks.CallbackList([*(callbacks or ()), history], model=self, epochs=1, steps=1)
        told.on_train_begin()
        told.on_epoch_begin(0)
        told.on_train_batch_begin(0)
        self.learn(lambda: itertools.islice(source, steps_per_epoch))
        told.on_train_batch_end(0)
        logs = {}
        if validation_data is not None:
            inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(validation_data)
            found = self.evaluate(inputs, labels, sample_weight=weights, verbose=0, return_dict=True)
            logs = {f"val_{name}": value for name, value in found.items()}
        told.on_epoch_end(0, logs)
        told.on_train_end(logs)
        return history
