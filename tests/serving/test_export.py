"""The SavedModel: what it says of itself, how it replaces another, and its answers through the model server."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import data, registry, training
from ann_keras.task import Feature
from serving import export as module
from serving import protos
from serving.export import WARMUP, export, parsing_spec, request_spec
from serving.model_config import DESCRIPTION
from serving.process import ModelServer
from serving.server import tfrecord
from serving.server.servable import Servable
from serving.server.warmup import warm_up
from tests.ann_keras.examples import example

FEATURES = (
    Feature("image", "image", (8, 8, 1), "uint8"),
    Feature("label", "label", (), "int64", ("a", "b")),
    Feature("speed", "number"),
    Feature("position", "tensor", (2, 3)),
)


@dataclasses.dataclass(frozen=True)
class Fitted:
    triple: registry.Triple
    data: data.Data
    model: keras.Model


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """A small mlp on the digits that has seen a few of them."""
    triple = registry.resolve("mlp", overrides={"units": 16, "depth": 1})
    loaded = data.load(triple)
    keras.utils.set_random_seed(0)
    model = training.build(triple)
    model.compile("adam", **triple.task.compile_args())
    model.fit(loaded.train.batches(64), epochs=3, shuffle=False, verbose=0)
    return Fitted(triple, loaded, model)


@pytest.fixture(scope="module")
def exported(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base path of the model, with one version."""
    base = tmp_path_factory.mktemp("serving") / "digits"
    export(fitted.triple, fitted.model, fitted.data.transform, base / "1")
    return base


def test_specs_follow_from_the_features() -> None:
    spec = parsing_spec(FEATURES)
    assert {name: (tuple(entry.shape), entry.dtype) for name, entry in spec.items()} == {
        "image": ((), tf.string),
        "label": ((), tf.int64),
        "speed": ((), tf.float32),
        "position": ((2, 3), tf.float32),
    }
    assert {name: (entry.shape.as_list(), entry.dtype) for name, entry in request_spec(FEATURES).items()} == {
        "image": ([None], tf.string),
        "label": ([None], tf.int64),
        "speed": ([None], tf.float32),
        "position": ([None, 2, 3], tf.float32),
    }


def test_signatures_and_their_methods(exported: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    message = saved_model_pb2.SavedModel.FromString((exported / "1" / "saved_model.pb").read_bytes())
    (graph,) = message.meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    found = {
        name: (signature.method_name, sorted(signature.inputs), sorted(signature.outputs))
        for name, signature in graph.signature_def.items()
        if not name.startswith("__")
    }
    answers = ["classes", "label", "probabilities"]
    assert found == {
        "serving_default": ("tensorflow/serving/predict", ["image"], answers),
        "examples": ("tensorflow/serving/predict", ["examples"], answers),
        "transform_features": ("tensorflow/serving/predict", ["examples"], ["image"]),
        "classify": ("tensorflow/serving/classify", ["inputs"], ["classes", "scores"]),
    }


def test_description_beside_the_model(exported: Path, fitted: Fitted) -> None:
    described = json.loads((exported / "1" / DESCRIPTION).read_text())
    assert described == {
        "model": "mlp",
        "dataset": "digits",
        "task": "image_classification",
        "features": [
            {
                "name": "image",
                "kind": "image",
                "shape": [8, 8, 1],
                "dtype": "uint8",
                "description": "A scanned handwritten digit.",
                "optional": False,
            }
        ],
        "classes": list("0123456789"),
        "palette": [],
        "settings": {
            name: value
            for name, value in fitted.triple.settings.items()
            if name not in ("min_accuracy", "max_accuracy_drop")  # no business of a served model
        },
    }
    again = registry.resolve(described["model"], described["dataset"], described["task"], described["settings"])
    assert again.settings == fitted.triple.settings


def test_regress_in_place_of_classify_without_classes(fitted: Fitted, tmp_path: Path) -> None:
    task = dataclasses.replace(
        fitted.triple.task,
        label=Feature("label", "number"),
        postprocess=lambda logits, prepared: {"value": logits[:, 0]},
        evaluation=dataclasses.replace(fitted.triple.task.evaluation, prediction="value"),
    )
    export(dataclasses.replace(fitted.triple, task=task), fitted.model, fitted.data.transform, tmp_path / "saved")
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    assert set(loaded.signatures) == {"serving_default", "examples", "transform_features", "regress"}


def test_what_the_evaluator_reads_where_the_task_judges(fitted: Fitted, tmp_path: Path) -> None:
    """Answers and label come together in the graph, and no answer leaves it."""

    def judge(answers: dict[str, Any], prepared: dict[str, Any]) -> dict[str, Any]:
        right = tf.equal(tf.argmax(answers["probabilities"], axis=1), prepared["label"])
        return {"right": tf.cast(right, tf.int64)}

    evaluation = dataclasses.replace(fitted.triple.task.evaluation, judge=judge, prediction="right")
    task = dataclasses.replace(fitted.triple.task, evaluation=evaluation)
    export(dataclasses.replace(fitted.triple, task=task), fitted.model, fitted.data.transform, tmp_path / "saved")
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    assert set(signatures) == {
        "serving_default", "examples", "transform_features", "classify", "evaluate", "slices",
    }  # fmt: skip
    rows = fitted.data.rows["test"][:20]
    serialized = tf.constant([example((*task.features, task.label), row.values) for row in rows])
    judged = signatures["evaluate"](examples=serialized)
    assert set(judged) == {"right"}
    logits = fitted.model({"image": fitted.data.test.arrays["image"][:20]}, training=False)
    labels = [row.values["label"] for row in rows]
    assert judged["right"].numpy().tolist() == (np.argmax(logits, axis=1) == labels).astype(int).tolist()
    assert 0 < judged["right"].numpy().sum() < 20
    sliced = signatures["slices"](examples=serialized)
    assert {name: value.numpy().tolist() for name, value in sliced.items()} == {"label": labels}
    with pytest.raises(tf.errors.InvalidArgumentError, match="label"):
        signatures["evaluate"](examples=tf.constant([example(task.features, rows[0].values)]))


def test_warmup_requests_are_answered_by_the_server(fitted: Fitted, tmp_path: Path) -> None:
    rows = fitted.data.rows["test"][:5]
    warmup = {"image": [row.values["image"] for row in rows], "label": [0] * 5}
    export(fitted.triple, fitted.model, fitted.data.transform, tmp_path / "1", warmup=warmup)
    with open(tmp_path / "1" / WARMUP, "rb") as file:
        records = list(tfrecord.records(file, os.fstat(file.fileno()).st_size))
    requests = [protos.prediction_log_pb2.PredictionLog.FromString(one).predict_log.request for one in records]
    assert [list(request.inputs) for request in requests] == [["image"]] * 3
    assert [len(request.inputs["image"].string_val) for request in requests] == [1, 2, 4]
    servable = Servable(str(tmp_path / "1"))
    assert warm_up(servable, str(tmp_path / "1")) == 3
    servable.close()


def test_a_new_export_replaces_the_old_one(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "1"
    path.mkdir()
    (path / "old").touch()
    export(fitted.triple, fitted.model, fitted.data.transform, path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["1"]
    assert not (path / "old").exists()
    assert (path / "saved_model.pb").exists()


def test_a_failed_export_leaves_the_old_one(fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "1"
    path.mkdir()
    (path / "old").touch()

    def full(triple: Any, path: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(module, "_describe", full)
    with pytest.raises(OSError, match="no space left"):
        export(fitted.triple, fitted.model, fitted.data.transform, path)
    assert [entry.name for entry in path.iterdir()] == ["old"]


def test_the_new_one_is_whole_when_it_appears(fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, moves = tmp_path / "1", []
    path.mkdir()
    rename = os.rename

    def noted(source: Any, target: Any) -> None:
        files = {str(file.relative_to(source)) for file in Path(source).rglob("*") if file.is_file()}
        moves.append((Path(target).name, DESCRIPTION in files and "saved_model.pb" in files))
        rename(source, target)

    monkeypatch.setattr(os, "rename", noted)
    export(fitted.triple, fitted.model, fitted.data.transform, path)
    assert [move for move in moves if move[0].startswith("1")] == [("1.old", False), ("1", True)]


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def test_answers_through_rest_are_those_of_the_keras_model(exported: Path, fitted: Fitted) -> None:
    rows = fitted.data.rows["test"][:12]
    expected = np.asarray(
        keras.ops.softmax(fitted.model({"image": fitted.data.test.arrays["image"][:12]}, training=False))
    )
    instances = [{"image": {"b64": base64.b64encode(row.values["image"]).decode()}} for row in rows]
    with ModelServer({"digits": exported}, embedded=True) as server:
        predictions = _post(f"{server.rest_url}/v1/models/digits:predict", {"instances": instances})["predictions"]
        column = {"image": [instance["image"] for instance in instances]}
        outputs = _post(f"{server.rest_url}/v1/models/digits:predict", {"inputs": column})["outputs"]
    assert len(predictions) == 12
    for prediction, probabilities in zip(predictions, expected, strict=True):
        np.testing.assert_allclose(prediction["probabilities"], probabilities, rtol=1e-4, atol=1e-6)
        assert prediction["classes"] == list("0123456789")
        assert prediction["label"] == str(probabilities.argmax())
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-4, atol=1e-6)
    assert outputs["label"] == [prediction["label"] for prediction in predictions]
