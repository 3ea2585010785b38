"""RunInference's model handler for a pushed SavedModel: it answers a batch, and halves one that fails until it knows
which example made it fail.
"""

from __future__ import annotations

import atexit
import gc
import re
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler

from ann_keras.task import Feature
from pipelines.bulk.inputs import Example, Problem
from pipelines.exits import essence
from serving import loading
from serving.decoding import trimmed

Outcome = Mapping[str, Any] | Problem
"""The outputs for one example by name, numpy values or bytes; or why there are none."""
_BEFORE_NODE = re.compile(r"([^\n]+)\n\s*\[\[\{\{node ")
"""TensorFlow says what is wrong in the line before the node that found it."""


class Loaded:
    """A SavedModel's signature.

    Args:
        path: the SavedModel.
        signature: its name.
        features: that it takes by name; none for serialized tf.Examples.
    """

    def __init__(self, path: str, signature: str, features: Sequence[Feature]) -> None:
        import tensorflow as tf

        self._model = loading.load(path)  # which owns the variables
        self._run = self._model.signatures[signature]
        self._features = {feature.name: feature for feature in features}
        self._errors = (tf.errors.OpError, ValueError, TypeError)

    def answer(self, examples: Sequence[Any]) -> list[Outcome]:
        """Returns an outcome for each example; one that cannot be answered does not touch the others."""
        try:
            return self._answer(examples)
        except self._errors as error:
            if len(examples) == 1:
                return [Problem(self._reason(error, examples[0]))]
        middle = len(examples) // 2
        return self.answer(examples[:middle]) + self.answer(examples[middle:])

    def _answer(self, examples: Sequence[Any]) -> list[Outcome]:
        outputs = {name: tensor.numpy() for name, tensor in self._run(**self._inputs(examples)).items()}
        for name, values in outputs.items():
            if values.shape[:1] != (len(examples),):
                raise ValueError(f"output {name!r} of shape {list(values.shape)} has no row for each example")
        return [trimmed({name: values[row] for name, values in outputs.items()}) for row in range(len(examples))]

    def _inputs(self, examples: Sequence[Any]) -> dict[str, Any]:
        import tensorflow as tf

        if not self._features:
            (name,) = self._run.structured_input_signature[1]
            return {name: tf.constant(examples, tf.string)}
        columns = {name: [one[name] for one in examples] for name in self._features}
        return {
            name: tf.constant(values if self._features[name].wire_dtype == "string" else np.stack(values))
            for name, values in columns.items()
        }

    def _reason(self, error: Exception, example: Any) -> str:
        from google.protobuf.message import DecodeError

        from ann_keras.datasets import images
        from serving import protos

        if isinstance(example, bytes):
            try:
                protos.example_pb2.Example.FromString(example)
            except DecodeError:
                return "no serialized tf.Example"
        for name, feature in self._features.items():
            problem = images.checked(example[name])[1] if feature.kind == "image" else ""
            if problem:
                return problem
        found = _BEFORE_NODE.search(str(error))
        return found[1].strip() if found else essence(error)


class SavedModelHandler(ModelHandler[Example, Outcome, Loaded]):
    """Loads the model once a worker process.

    Args:
        path, signature, features: as `Loaded` takes them.
        batch_size: examples that are answered at once.
    """

    def __init__(self, path: str, signature: str, features: Sequence[Feature], batch_size: int) -> None:
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._arguments = path, signature, tuple(features)

    def load_model(self) -> Loaded:
        """Loads the SavedModel."""
        loaded = Loaded(*self._arguments)
        atexit.register(_close, weakref.ref(loaded))
        return loaded

    def run_inference(
        self, batch: Sequence[Example], model: Loaded, inference_args: dict[str, Any] | None = None
    ) -> list[Outcome]:
        """Answers the examples, and hands on the problems of those that could not be read."""
        read = [one for one in batch if not isinstance(one, Problem)]
        answers = iter(model.answer(read) if read else ())
        return [one if isinstance(one, Problem) else next(answers) for one in batch]

    def get_num_bytes(self, batch: Sequence[Example]) -> int:
        """The bytes of a batch, for Beam's metrics; the default pickles it for that."""
        return sum(_size(one) for one in batch)


def _close(loaded: weakref.ref[Loaded]) -> None:
    """Lets a model go before the process ends: TensorFlow complains of functions that outlive its modules."""
    if model := loaded():
        vars(model).clear()
        gc.collect()


def _size(example: Example) -> int:
    if isinstance(example, Mapping):
        return sum(len(value) if isinstance(value, bytes) else np.asarray(value).nbytes for value in example.values())
    return len(example) if isinstance(example, bytes) else 0
