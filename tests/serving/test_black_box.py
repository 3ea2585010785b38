"""What TF Serving's own black-box suite asks of a server, with the same model, requests and answers."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    regression_pb2,
)

from serving.process import ModelServer


@pytest.fixture(scope="module")
def server(saved_models: Path) -> Iterator[ModelServer]:
    with ModelServer({"default": saved_models / "half_plus_two"}, embedded=True) as running:
        yield running


def call(server: ModelServer, path: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(f"{server.rest_url}/v1/models/default{path}", data, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def add_example(message: Any, **features: float) -> None:
    example = message.input.example_list.examples.add()
    for name, value in features.items():
        example.features.feature[name].float_list.value.append(value)


def model_spec(message: Any) -> tuple[str, str, int]:
    return (message.model_spec.name, message.model_spec.signature_name, message.model_spec.version.value)


def fails(method: Any, message: Any, code: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        method(message, timeout=30)
    assert raised.value.code().name == code
    assert text in raised.value.details()


def test_get_model_status(channel: grpc.Channel) -> None:
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "default"
    (status,) = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(asked, timeout=30).model_version_status
    assert (status.version, status.status.error_code) == (123, 0)


def test_classify(stub: Any) -> None:
    asked = classification_pb2.ClassificationRequest()
    asked.model_spec.name, asked.model_spec.signature_name = "default", "classify_x_to_y"
    add_example(asked, x=2.0)
    answer = stub.Classify(asked, timeout=30)
    assert [[(one.label, one.score) for one in row.classes] for row in answer.result.classifications] == [[("", 3.0)]]
    assert model_spec(answer) == ("default", "classify_x_to_y", 123)


@pytest.mark.parametrize(
    ("signature", "code", "text"),
    [
        ("", "INVALID_ARGUMENT", "method_name to be tensorflow/serving/classify. Was: tensorflow/serving/predict"),
        ("regress_x_to_y", "INVALID_ARGUMENT", "Was: tensorflow/serving/regress"),
        ("nope", "INVALID_ARGUMENT", "No signature was found with the name: nope"),
        ("classify_x_to_y", "INVALID_ARGUMENT", "Input is empty."),
    ],
)
def test_classify_refuses(stub: Any, signature: str, code: str, text: str) -> None:
    asked = classification_pb2.ClassificationRequest()
    fails(stub.Classify, asked, "INVALID_ARGUMENT", "Missing ModelSpec")
    asked.model_spec.name, asked.model_spec.signature_name = "default", signature
    fails(stub.Classify, asked, code, text)


def test_regress_with_and_without_context(stub: Any) -> None:
    asked = regression_pb2.RegressionRequest()
    asked.model_spec.name, asked.model_spec.signature_name = "default", "regress_x_to_y"
    add_example(asked, x=2.0)
    add_example(asked, x=4.0)
    answer = stub.Regress(asked, timeout=30)
    assert [one.value for one in answer.result.regressions] == [3.0, 4.0]
    assert model_spec(answer) == ("default", "regress_x_to_y", 123)
    batch = asked.input.example_list_with_context
    batch.context.features.feature["x"].float_list.value.append(10.0)
    batch.examples.add()
    batch.examples.add().features.feature["x"].float_list.value.append(2.0)
    assert [one.value for one in stub.Regress(asked, timeout=30).result.regressions] == [7.0, 3.0]


def test_regress_refuses_what_the_graph_refuses(stub: Any) -> None:
    asked = regression_pb2.RegressionRequest()
    asked.model_spec.name, asked.model_spec.signature_name = "default", "regress_x_to_y"
    add_example(asked, z=2.0)
    fails(stub.Regress, asked, "INVALID_ARGUMENT", "Feature: x (data type: float) is required")
    asked.model_spec.signature_name = "regress_x2_to_y3"
    fails(stub.Regress, asked, "INVALID_ARGUMENT", "")


def multi(*tasks: tuple[str, str, str]) -> inference_pb2.MultiInferenceRequest:
    asked = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        added = asked.tasks.add(method_name=f"tensorflow/serving/{method}")
        added.model_spec.name, added.model_spec.signature_name = model, signature
    add_example(asked, x=2.0)
    return asked


REGRESS, CLASSIFY = ("default", "regress_x_to_y", "regress"), ("default", "classify_x_to_y", "classify")


def test_multi_inference(stub: Any) -> None:
    answer = stub.MultiInference(multi(REGRESS, CLASSIFY), timeout=30)
    first, second = answer.results
    assert [one.value for one in first.regression_result.regressions] == [3.0]
    assert [one.score for one in second.classification_result.classifications[0].classes] == [3.0]
    assert model_spec(first) == ("default", "regress_x_to_y", 123)
    assert model_spec(second) == ("default", "classify_x_to_y", 123)


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        (multi(), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (multi(REGRESS, REGRESS), "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
        (multi(REGRESS, ("other", "q", "regress")), "INVALID_ARGUMENT", "must access the same model name."),
        (multi(REGRESS, ("", "q", "regress")), "INVALID_ARGUMENT", "Found ModelSpec with an empty model name."),
        (multi(("default", "q", "regress")), "INVALID_ARGUMENT", "Requested signature not found in model graph: q"),
        (multi(("default", "", "predict")), "UNIMPLEMENTED", "method_name: tensorflow/serving/predict"),
        (
            multi(REGRESS, ("default", "regress_x2_to_y3", "regress")),
            "INVALID_ARGUMENT",
            "Input tensor must be the same for all Signatures.",
        ),
        (multi(("default", "classify_x_to_y", "regress")), "INVALID_ARGUMENT", "Was: tensorflow/serving/classify"),
    ],
)
def test_multi_inference_refuses(stub: Any, asked: Any, code: str, text: str) -> None:
    fails(stub.MultiInference, asked, code, text)


@pytest.mark.parametrize("outputs", [[], ["y"]])
def test_predict(stub: Any, outputs: list[str]) -> None:
    asked = predict_pb2.PredictRequest(output_filter=outputs)
    asked.model_spec.name = "default"
    asked.inputs["x"].dtype = types_pb2.DT_FLOAT
    asked.inputs["x"].float_val.append(2.0)
    asked.inputs["x"].tensor_shape.dim.add(size=1)
    answer = stub.Predict(asked, timeout=30)
    assert list(answer.outputs) == ["y"]
    assert answer.outputs["y"].dtype == types_pb2.DT_FLOAT
    assert list(answer.outputs["y"].float_val) == [3.0]
    assert model_spec(answer) == ("default", "serving_default", 123)


def test_predict_takes_the_other_methods_signatures(stub: Any) -> None:
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name, asked.model_spec.signature_name = "default", "regress_x2_to_y3"
    asked.inputs["inputs"].dtype = types_pb2.DT_FLOAT
    asked.inputs["inputs"].float_val.append(2.0)
    asked.inputs["inputs"].tensor_shape.dim.add(size=1)
    assert list(stub.Predict(asked, timeout=30).outputs["outputs"].float_val) == [4.0]


def test_classify_rest(server: ModelServer) -> None:
    body = {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]}
    assert call(server, ":classify", body) == (200, {"results": [[["", 3.0]]]})


def test_regress_rest(server: ModelServer) -> None:
    body: dict[str, object] = {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}
    assert call(server, ":regress", body) == (200, {"results": [3.0]})
    body |= {"context": {"x": [10.0]}, "examples": [{}, {"x": [2.0]}]}
    assert call(server, "/versions/123:regress", body) == (200, {"results": [7.0, 3.0]})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "When method is classify, key 'examples' is expected and was not found"),
        ({"examples": {}}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [3]}, "Example must be JSON object but got JSON Number"),
        ({"examples": [{}], "context": []}, "Example must be JSON object but got JSON Array"),
        ({"examples": [{"x": None}]}, "Feature: x has element with unexpected JSON type: Null"),
        ({"examples": [{"x": [[1.0]]}]}, "Feature: x has element with unexpected JSON type: Array"),
        ({"examples": [{"x": {"a": 1}}]}, "Feature: x has element with unexpected JSON type: Object"),
        ({"examples": [{"x": {"b64": "%"}}]}, "Unable to base64 decode"),
        ({"examples": [{"x": [1.0, "a"]}]}, "Unexpected element type in feature: x expecting type: float"),
        ({"examples": [{"x": [1, 1.0]}]}, "Unexpected element type in feature: x expecting type: int64"),
        ({"examples": [{"x": 1 << 63}]}, "Feature: x has uint64 element. Only int64 is supported."),
        ({"examples": [{"x": 1e300}]}, "to float without loss of precision."),
        ({"examples": [{"x": 1}]}, "Data types don't match."),
        ({"signature_name": "q", "examples": [{"x": 1.0}]}, "No signature was found with the name: q"),
    ],
)
def test_examples_that_are_none(server: ModelServer, body: dict[str, object], text: str) -> None:
    status, answer = call(server, ":regress", {"signature_name": "regress_x_to_y", **body})
    assert status == 400
    assert text in answer["error"]


def test_predict_rest_row_and_columnar(server: ModelServer) -> None:
    assert call(server, ":predict", {"instances": [2.0, 3.0, 4.0]}) == (200, {"predictions": [3.0, 3.5, 4.0]})
    assert call(server, ":predict", {"inputs": [2.0, 3.0, 4.0]}) == (200, {"outputs": [3.0, 3.5, 4.0]})


def test_get_status_rest(server: ModelServer) -> None:
    status = {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert call(server, "") == (200, {"model_version_status": [status]})


def _tensor(name: str, data_type: str, sizes: list[str] | None) -> dict[str, Any]:
    dims = [{"size": size, "name": ""} for size in sizes or []]
    return {"name": name, "dtype": data_type, "tensor_shape": {"dim": dims, "unknown_rank": sizes is None}}


def _signature(method: str, inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    whole = {"inputs": inputs, "outputs": outputs, "method_name": f"tensorflow/serving/{method}"}
    has_defaults = "defaults" in predict_signature_fields()
    return whole | ({"defaults": {}} if has_defaults else {})


def predict_signature_fields() -> set[str]:
    entry = get_model_metadata_pb2.SignatureDefMap().signature_def["any"]
    return {field.name for field in entry.DESCRIPTOR.fields}


def test_get_model_metadata_rest(server: ModelServer) -> None:
    examples = {"inputs": _tensor("tf_example:0", "DT_STRING", None)}
    x, x2, y, y2, y3 = (_tensor(f"{name}:0", "DT_FLOAT", ["-1", "1"]) for name in ("x", "x2", "y", "y2", "y3"))
    signatures = {
        "serving_default": _signature("predict", {"x": x}, {"y": y}),
        "classify_x_to_y": _signature("classify", examples, {"scores": y}),
        "regress_x_to_y": _signature("regress", examples, {"outputs": y}),
        "regress_x_to_y2": _signature("regress", examples, {"outputs": y2}),
        "regress_x2_to_y3": _signature("regress", {"inputs": x2}, {"outputs": y3}),
    }
    expected = {
        "model_spec": {"name": "default", "signature_name": "", "version": "123"},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }
    for path in ("/metadata", "/versions/123/metadata"):
        assert call(server, path) == (200, expected)
