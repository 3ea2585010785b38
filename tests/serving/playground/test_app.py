"""The API below the page: what it hands on, and what it turns away."""

from __future__ import annotations

import asyncio
import base64
import json

import aiohttp
import numpy as np
import pytest
from aiohttp import test_utils

from ann_keras.task import Feature
from serving import protos, tensors
from serving.model_config import DESCRIPTION
from serving.playground import app as module
from serving.playground.app import allowed, application
from serving.playground.describe import from_export, from_metadata
from serving.server import tfrecord
from serving.server.warmup import REQUESTS_FILE
from tests import tables


def _call(rest_url, models, method, path, **how):
    async def call():
        async with test_utils.TestClient(test_utils.TestServer(application(rest_url, models))) as client:
            answer = await client.request(method, path, **how)
            return answer.status, answer.headers, await answer.read()

    return asyncio.run(call())


def test_models_are_described_by_their_export_or_their_signature(rest_url, models):
    status, _, body = _call(rest_url, models, "GET", "/api/models")
    mlp, half = json.loads(body)["models"]
    assert status == 200
    assert (mlp["name"], mlp["version"], mlp["task"]) == ("mlp", "1", "image_classification")
    assert mlp["features"] == [
        {
            "name": "image",
            "kind": "image",
            "shape": [8, 8, 1],
            "dtype": "uint8",
            "optional": False,
            "column": "image",
            "about": "A scanned handwritten digit.",
        }
    ]
    assert mlp["url"] == f"{rest_url}/v1/models/mlp:predict"
    assert half["features"] == [{"name": "x", "kind": "number", "shape": [], "dtype": "float"}]
    assert half["row"] is True


def test_a_model_that_is_not_served_carries_its_error(rest_url):
    _, _, body = _call(rest_url, {"absent": None}, "GET", "/api/models")
    (absent,) = json.loads(body)["models"]
    assert "absent" in absent["error"]
    _, _, body = _call("http://127.0.0.1:9", {"absent": None}, "GET", "/api/models")
    (absent,) = json.loads(body)["models"]
    assert absent["error"].startswith("the model server at http://127.0.0.1:9 does not answer")


def test_answers_and_errors_are_the_servers_own(rest_url, models, digits):
    image = {"b64": base64.b64encode(digits[0][0].read_bytes()).decode()}
    for body, code in (({"instances": [{"image": image}]}, 200), ({"instances": [{"wrong": 1}]}, 400)):
        status, _, answer = _call(rest_url, models, "POST", "/api/models/mlp/predict", json=body)
        assert status == code

        async def directly(body=body):
            async with aiohttp.ClientSession() as session:
                response = await session.post(f"{rest_url}/v1/models/mlp:predict", json=body)
                return await response.json()

        assert json.loads(answer) == asyncio.run(directly())


@pytest.mark.parametrize(
    ("method", "path", "how", "status", "says"),
    [
        ("GET", "/", {"headers": {"Host": "evil.example"}}, 403, "host"),
        ("GET", "/../app.py", {}, 404, "Not Found"),
        ("GET", "/app.py", {}, 404, "Not Found"),
        ("PUT", "/api/models", {}, 405, "Not Allowed"),
        ("POST", "/api/models/other/predict", {"json": {}}, 404, "the models are mlp, half"),
        ("POST", "/api/models/mlp%2F..%2Fhalf/predict", {"json": {}}, 404, "no model"),
        ("POST", "/api/models/mlp/predict", {"data": "a=b"}, 415, "application/json"),
    ],
)
def test_what_is_turned_away(rest_url, models, method, path, how, status, says):
    answered, headers, body = _call(rest_url, models, method, path, **how)
    assert answered == status
    assert says in json.loads(body)["error"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_body_that_is_too_large(rest_url, models, monkeypatch):
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1 << 20)
    how = {"data": b" " * (1 << 21), "headers": {"Content-Type": "application/json"}}
    status, _, body = _call(rest_url, models, "POST", "/api/models/mlp/predict", **how)
    assert (status, json.loads(body)) == (413, {"error": "the request is larger than 1 MB"})


@pytest.mark.parametrize(
    ("header", "host", "expected"),
    [
        ("127.0.0.1:8600", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("[::1]:8600", "::1", True),
        ("box:8600", "box", True),
        ("192.168.0.7:8600", "0.0.0.0", True),
        ("192.168.0.7:8600", "127.0.0.1", False),
        ("evil.example:8600", "0.0.0.0", False),
        ("127.0.0.1.evil.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
    ],
)
def test_hosts(header, host, expected):
    assert allowed(header, host) is expected


def test_signatures_of_every_kind():
    def tensor(dtype, *sizes):
        return {"dtype": dtype, "tensor_shape": {"dim": [{"size": str(size)} for size in sizes]}}

    def described(**inputs):
        return from_metadata(
            {"metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": inputs}}}}}
        )

    batch = described(
        text=tensor("DT_STRING", -1),
        box=tensor("DT_FLOAT", -1, 4),
        free={"dtype": "DT_INT64", "tensor_shape": {"unknown_rank": True}},
    )
    assert batch["row"]
    kinds = {one["name"]: (one["kind"], one["shape"]) for one in batch["features"]}
    assert kinds == {"text": ("text", []), "box": ("json", [4]), "free": ("json", None)}
    scalar = described(x=tensor("DT_FLOAT"))
    assert not scalar["row"]
    assert scalar["features"][0]["kind"] == "number"
    with pytest.raises(ValueError, match="no signature 'serving_default'; it has none"):
        from_metadata({})


def test_a_table_is_described_with_its_examples_and_known_values(tmp_path):
    features = [
        {"name": one.name, "kind": one.kind, "shape": [], "dtype": one.dtype, "optional": one.optional}
        | {"description": one.description}
        for one in (*tables.COLUMNS[1:], Feature("bmi", "number", description="Body mass index in kg/m2."))
    ]
    version = tmp_path / "7"
    (version / DESCRIPTION).parent.mkdir(parents=True)
    described = {"task": "regression", "dataset": "small", "features": features, "settings": {"interval": 0.9}}
    (version / DESCRIPTION).write_text(json.dumps(described))
    found = from_export(tmp_path, "7")
    assert (found["table"], found["interval"], found["examples"]) == (True, 0.9, [])
    assert [(one["column"], one["about"], one["optional"], one.get("values")) for one in found["features"]] == [
        ("age", "", True, None),
        ("Work class", "", True, []),
        ("city", "", False, []),
        ("bmi", "Body mass index in kg/m2.", False, None),
    ]
    raw = {
        "age": np.array([np.nan, 0.1, 3], np.float32),
        "work_class": np.array([b"", b"Private", b"State"], object),
        "city": np.array(["K\u00f6ln".encode(), b"Bonn", b"Bonn"], object),
        "bmi": np.array([1.5, 2, 3], np.float32),
    }
    logs = []
    for size in (1, 3):
        log = protos.prediction_log_pb2.PredictionLog()
        for name, values in raw.items():
            tensors.write_proto(log.predict_log.request.inputs[name], values[:size])
        logs.append(tfrecord.framed(log.SerializeToString()))
    (version / REQUESTS_FILE).write_bytes(b"".join(logs))
    (version / "assets").mkdir()
    (version / "assets" / "city_vocabulary").write_text("Bonn\nK\u00f6ln\nMainz\n", encoding="utf-8")
    found = from_export(tmp_path, "7")
    assert found["examples"] == [
        {"age": None, "work_class": None, "city": "K\u00f6ln", "bmi": 1.5},
        {"age": 0.1, "work_class": "Private", "city": "Bonn", "bmi": 2.0},
        {"age": 3.0, "work_class": "State", "city": "Bonn", "bmi": 3.0},
    ]
    assert [one.get("values") for one in found["features"]] == [
        None,
        ["Private", "State"],
        ["Bonn", "K\u00f6ln", "Mainz"],
        None,
    ]
    (version / REQUESTS_FILE).write_bytes(logs[0][:-1])
    assert from_export(tmp_path, "7")["examples"] == []


def test_several_columns_of_a_signature_are_a_table():
    shape = {"dim": [{"size": "-1"}]}
    inputs = {name: {"dtype": dtype, "tensor_shape": shape} for name, dtype in (("a", "DT_FLOAT"), ("b", "DT_STRING"))}
    document = {"metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": inputs}}}}}
    assert from_metadata(document)["table"]
    del inputs["b"]
    assert not from_metadata(document)["table"]
