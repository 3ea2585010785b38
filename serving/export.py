"""From a Keras model and the graph that prepares its inputs to a SavedModel with all its signatures.

Signatures:
    serving_default: the task's raw features by name -> the task's named answers.
    examples: serialized tf.Examples -> the same answers, for the Evaluator and for bulk inference.
    transform_features: serialized tf.Examples -> the inputs of the model.
    classify: serialized tf.Examples -> "classes" and "scores", for TF Serving's Classify; where the label has classes.
    regress: serialized tf.Examples -> "outputs", for TF Serving's Regress; where the label is a number.
    evaluate, slices: serialized tf.Examples with their label -> what the metrics add up, and what they are sliced by,
        for the Evaluator; where the task has a judge.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import settings
from ann_keras.registry import Triple
from ann_keras.task import Feature, Tensors
from serving import protos, tensors
from serving.model_config import DESCRIPTION

WARMUP = "assets.extra/tf_serving_warmup_requests"
"""Requests that TF Serving answers before it lets a version serve, so that the first client need not wait."""
WARMUP_ROWS = 8
"""Examples that are enough for them; they are sent by 1, 2, 4 and 8, the sizes that batching makes at first."""


METHODS = {
    "classify": tf.compat.v1.saved_model.CLASSIFY_METHOD_NAME,
    "regress": tf.compat.v1.saved_model.REGRESS_METHOD_NAME,
}
"""signature -> its method in TF Serving, where that is not Predict."""


def parsing_spec(features: Iterable[Feature]) -> dict[str, tf.io.FixedLenFeature]:
    """How tf.Examples that hold `features` are parsed; an optional one that is left out is NaN or empty."""
    return {
        feature.name: tf.io.FixedLenFeature(
            [size or 1 for size in feature.wire_shape], tf.as_dtype(feature.wire_dtype), _missing(feature)
        )
        for feature in features
    }


def _missing(feature: Feature) -> Any:
    if not feature.optional:
        return None
    empty = "" if feature.wire_dtype == "string" else float("nan")
    return np.full([size or 1 for size in feature.wire_shape], empty).tolist()


def request_spec(features: Iterable[Feature]) -> dict[str, tf.TensorSpec]:
    """The tensors of a request that holds `features`, with the batch first."""
    return {
        feature.name: tf.TensorSpec([None, *feature.wire_shape], feature.wire_dtype, name=feature.name)
        for feature in features
    }


def export(
    triple: Triple,
    model: keras.Model,
    transform: Callable[[Tensors], Tensors],
    path: str | Path,
    resources: Iterable[Any] = (),
    warmup: Mapping[str, Any] | None = None,
) -> None:
    """Writes the SavedModel; what was at `path` is replaced once the new one is whole.

    Args:
        triple: whose task gives the features and the answers.
        model: fitted.
        transform: raw features of a batch -> the model's inputs, in graph mode.
        path: the directory.
        resources: TensorFlow objects that `transform` reads, such as a loaded transform graph.
        warmup: raw features of a few real examples, [examples, ...] by name, for the warm-up requests; None writes
            none.
    """
    task = triple.task
    spec, labelled = parsing_spec(task.features), parsing_spec((*task.features, task.label))

    # Traced once, and shared by the signatures.
    @functools.partial(tf.function, autograph=False)
    def answer(raw: Tensors) -> Tensors:
        return task.answer(model, transform(raw))

    def serve(**raw: Any) -> Tensors:
        return answer(raw)

    def examples(examples: Any) -> Tensors:
        return answer(tf.io.parse_example(examples, spec))

    def transform_features(examples: Any) -> Tensors:
        return transform(tf.io.parse_example(examples, spec))

    def classify(inputs: Any) -> Tensors:
        found = answer(tf.io.parse_example(inputs, spec))
        return {"classes": found["classes"], "scores": found["probabilities"]}

    def regress(inputs: Any) -> Tensors:
        return {"outputs": answer(tf.io.parse_example(inputs, spec))[task.evaluation.prediction]}

    def evaluate(examples: Any) -> Tensors:
        prepared = transform(tf.io.parse_example(examples, labelled))
        assert task.evaluation.judge is not None
        return task.evaluation.judge(task.answer(model, prepared), prepared)

    def slices(examples: Any) -> Tensors:
        prepared = transform(tf.io.parse_example(examples, labelled))
        return {name: prepared[name] for name in task.evaluation.slices}

    def serialized(name: str) -> dict[str, tf.TensorSpec]:
        return {name: tf.TensorSpec([None], tf.string, name=name)}

    archive = keras.export.ExportArchive()
    archive.track(model)
    for resource in resources:
        archive.track(resource)
    endpoints = {
        "serving_default": (serve, request_spec(task.features)),
        "examples": (examples, serialized("examples")),
        "transform_features": (transform_features, serialized("examples")),
    }
    if task.label.kind == "label":
        endpoints["classify"] = (classify, serialized("inputs"))
    if task.label.kind == "number":
        endpoints["regress"] = (regress, serialized("inputs"))
    if task.evaluation.judge is not None:
        endpoints["evaluate"] = (evaluate, serialized("examples"))
        endpoints["slices"] = (slices, serialized("examples"))
    for name, (function, arguments) in endpoints.items():
        traced = tf.function(function, autograph=False)
        traced.get_concrete_function(**arguments)
        archive.add_endpoint(name, traced)
    partial = f"{path}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    archive.write_out(partial, verbose=False)
    _describe(triple, Path(partial))
    if warmup is not None:
        _write_warmup({feature.name: warmup[feature.name] for feature in task.features}, Path(partial))
    for name in METHODS.keys() & endpoints.keys():
        _set_method(partial, name, METHODS[name])
    _replace(partial, path)


def _replace(new: str, path: str | Path) -> None:
    """Moves a folder to `path`; what is there is moved aside first, and deleted last."""
    old = f"{path}.old"
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def _set_method(path: str, signature: str, method: str) -> None:
    """TensorFlow 2 marks every signature as Predict; TF Serving's Classify wants its own method name."""
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(path)
    updater.replace_method_name(signature_key=signature, method_name=method, tags="serve")
    updater.save()


def _write_warmup(raw: Mapping[str, Any], path: Path) -> None:
    """Writes requests for serving_default as the log that TF Serving replays."""
    rows = {name: np.asarray(values)[:WARMUP_ROWS] for name, values in raw.items()}
    available = min(len(values) for values in rows.values())
    target = path / WARMUP
    target.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(target)) as writer:
        for size in (1, 2, 4, 8):
            if size > available:
                break
            log = protos.prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.signature_name = "serving_default"
            for name, values in rows.items():
                tensors.write_proto(request.inputs[name], values[:size])
            writer.write(log.SerializeToString(deterministic=True))


def _describe(triple: Triple, path: Path) -> None:
    features = [
        {
            "name": feature.name,
            "kind": feature.kind,
            "shape": list(feature.shape),
            "dtype": feature.dtype,
            "description": feature.description,
            "optional": feature.optional,
        }
        for feature in triple.task.features
    ]
    description = {
        "model": triple.model_name,
        "dataset": triple.dataset_name,
        "task": triple.task.name,
        "features": features,
        "classes": list(triple.task.label.classes),
        "palette": [list(colour) for colour in triple.task.label.palette],
        "settings": settings.as_dict(triple.config, triple.task_config, triple.training, until="training"),
    }
    target = path / DESCRIPTION
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(description, indent=2))
