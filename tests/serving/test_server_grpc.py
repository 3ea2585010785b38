"""gRPC, spoken by the generated stubs that any client of TF Serving uses."""

from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
)


def request(model: str, inputs: dict[str, Any], signature: str = "", **kinds: Any) -> predict_pb2.PredictRequest:
    made = predict_pb2.PredictRequest()
    made.model_spec.name, made.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype=kinds.get(name)))
    return made


def test_predict(stub: Any) -> None:
    answer = stub.Predict(request("half", {"x": np.array([1, 2], np.float32)}), timeout=30)
    assert list(answer.outputs["y"].float_val) == [2.5, 3.0]
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == [2.5, 3.0]
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("half", 1)
    assert answer.model_spec.signature_name == "serving_default"


def test_typed_fields_and_repeated_last_value(stub: Any) -> None:
    asked = request("half", {})
    proto = asked.inputs["x"]
    proto.dtype = tf.float32.as_datatype_enum
    proto.tensor_shape.dim.add(size=3)
    proto.float_val.append(4.0)
    assert list(stub.Predict(asked, timeout=30).outputs["y"].float_val) == [4.0, 4.0, 4.0]


def test_strings_several_outputs_and_output_filter(stub: Any) -> None:
    asked = request("text", {"text": [b"ab", b"\xff" * 1000]})
    answer = stub.Predict(asked, timeout=30)
    assert sorted(answer.outputs) == ["is_empty", "length", "long", "rates", "raw_bytes", "upper"]
    assert list(answer.outputs["raw_bytes"].string_val) == [b"ab", b"\xff" * 1000]
    assert list(answer.outputs["length"].int_val) == [2, 1000]
    assert tf.make_ndarray(answer.outputs["rates"]).shape == (2, 2)
    asked.output_filter.append("upper")
    assert list(stub.Predict(asked, timeout=30).outputs) == ["upper"]


def test_tf1_model_signature_and_table(stub: Any) -> None:
    answer = stub.Predict(request("tf1", {"word": [b"dog", b"newt"]}, "lookup"), timeout=30)
    assert list(answer.outputs["index"].int64_val) == [1, -1]


def _filtered(name: str) -> predict_pb2.PredictRequest:
    asked = request("half", {"x": [1.0]}, x=tf.float32)
    asked.output_filter.append(name)
    return asked


def _short_content() -> predict_pb2.PredictRequest:
    asked = request("half", {"x": np.array([1, 2], np.float32)})
    asked.inputs["x"].tensor_content = b"\0\0\0"
    return asked


def _huge_shape() -> predict_pb2.PredictRequest:
    asked = request("half", {"x": [1.0]}, x=tf.float32)
    asked.inputs["x"].tensor_shape.dim[0].size = 1 << 50
    return asked


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (request("nope", {}), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (request("half", {"x": [1.0]}, "q"), "FAILED_PRECONDITION", 'Serving signature key "q" not found.'),
        (request("half", {"x": [1]}), "INVALID_ARGUMENT", "to be float but int32 is provided"),
        (request("half", {}), "INVALID_ARGUMENT", "input size does not match signature: 0!=1 len({}) != len({x})"),
        (request("half", {"z": [1.0]}), "INVALID_ARGUMENT", "Signature input alias: x"),
        (_filtered("q"), "INVALID_ARGUMENT", "output tensor alias not found in signature: q"),
        (_short_content(), "INVALID_ARGUMENT", "tensor parsing error: x"),
        (_huge_shape(), "INVALID_ARGUMENT", "too large"),
    ],
)
def test_errors(stub: Any, asked: predict_pb2.PredictRequest, code: str, message: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(asked, timeout=30)
    assert raised.value.code().name == code
    assert message in raised.value.details()


def test_other_services_are_unimplemented(channel: grpc.Channel) -> None:
    call = channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=30)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_is_none(channel: grpc.Channel) -> None:
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    with pytest.raises(grpc.RpcError) as raised:
        call(b"\xff", timeout=30)
    assert raised.value.code() == grpc.StatusCode.INTERNAL
    assert "parse" in raised.value.details()


def test_a_large_tensor_and_one_of_too_many_dimensions(stub: Any) -> None:
    numbers = np.arange(100_000, dtype=np.float32)
    answer = stub.Predict(request("half", {"x": numbers}), timeout=30)
    assert tf.make_ndarray(answer.outputs["y"]).tolist() == (numbers / 2 + 2).tolist()
    asked = request("half", {"x": [1.0]}, x=tf.float32)
    for _ in range(70):
        asked.inputs["x"].tensor_shape.dim.add(size=1)
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(asked, timeout=30)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_long_error_fits_into_a_header(stub: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(request("half", {"x" * 20_000: [1.0], "y": [1.0]}), timeout=30)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_client_that_goes_away_harms_nobody(stub: Any) -> None:
    asked = request("half", {"x": np.zeros(1_000_000, np.float32)})
    calls = [stub.Predict.future(asked, timeout=30) for _ in range(5)]
    for call in calls:
        call.cancel()
    with pytest.raises(grpc.RpcError) as raised:
        stub.Predict(asked, timeout=0.001)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert list(stub.Predict(request("half", {"x": [1.0]}, x=tf.float32), timeout=30).outputs["y"].float_val) == [2.5]


def test_reload_of_nothing_is_refused(channel: grpc.Channel) -> None:
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest(), timeout=30)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Only ModelConfigList is currently supported" in raised.value.details()


def test_model_status(channel: grpc.Channel) -> None:
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "half"
    (status,) = stub.GetModelStatus(asked, timeout=30).model_version_status
    assert status.version == 1
    assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
    asked.model_spec.version.value = 9
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetModelStatus(asked, timeout=30)
    assert raised.value.details() == "Could not find version 9 of model half"


def test_model_metadata(stub: Any) -> None:
    asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "tf1"
    answer = stub.GetModelMetadata(asked, timeout=30)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert found.signature_def["serving_default"].inputs["weight"].dtype == tf.float64.as_datatype_enum
