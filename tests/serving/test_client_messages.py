"""Requests and responses without a server: what goes over the wire, and how it is read."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving import examples, protos, tensors
from serving.client import Class, Code, ServingError
from serving.encoding import as_array
from serving.grpc_messages import GrpcMessages
from serving.messages import HttpResponse, Signature, TensorInfo, Which
from serving.rest_messages import RestMessages

REST, GRPC = RestMessages("/served", "a b"), GrpcMessages("a b")
DTYPES = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_]


def http(document: Any) -> HttpResponse:
    return HttpResponse(200, json.dumps(document).encode())


@given(
    st.sampled_from(DTYPES).flatmap(lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0))),
)
@example(np.array([1 << 63, 0], np.uint64))
def test_arrays_come_back_by_both_protocols(array: np.ndarray) -> None:
    signature = Signature("", {}, {"y": TensorInfo(tensors.data_type_of(array), array.shape)})
    asked = REST.predict(Which(), "s", signature, {"x": array})
    answer = asked.read(http({"outputs": json.loads(asked.request.body)["inputs"]["x"]}))["y"]
    assert answer.dtype == array.dtype
    if array.size:
        np.testing.assert_array_equal(answer, array)
    called = GRPC.predict(Which(), "s", signature, {"x": array})
    request = protos.predict_pb2.PredictRequest.FromString(called.request.message)
    response = protos.predict_pb2.PredictResponse(outputs={"y": request.inputs["x"]})
    answer = called.read(response.SerializeToString())["y"]
    assert (answer.dtype, answer.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(answer, array)


@given(st.lists(st.lists(st.one_of(st.binary(), st.text()), min_size=2, max_size=2), min_size=1))
def test_strings_come_back_by_both_protocols(rows: list[list[str | bytes]]) -> None:
    array = as_array("x", rows, tensors.STRING)
    wanted = [[one if isinstance(one, bytes) else one.encode() for one in row] for row in rows]
    assert array.tolist() == wanted
    signature = Signature("", {}, {"y": TensorInfo(tensors.STRING, None)})
    asked = REST.predict(Which(), "s", signature, {"x": array})
    inputs = json.loads(asked.request.body)["inputs"]["x"]
    assert asked.read(http({"outputs": inputs}))["y"].tolist() == wanted
    called = GRPC.predict(Which(), "s", signature, {"x": array})
    request = protos.predict_pb2.PredictRequest.FromString(called.request.message)
    response = protos.predict_pb2.PredictResponse(outputs={"y": request.inputs["x"]})
    assert called.read(response.SerializeToString())["y"].tolist() == wanted


def test_where_a_request_goes() -> None:
    base = "/served/v1/models/a%20b"
    assert REST.status(Which()).request == ("GET", base, b"")
    assert REST.metadata(Which(version=3)).request.path == f"{base}/versions/3/metadata"
    assert REST.classify(Which(label="to/day"), "s", [], None).request.path == f"{base}/labels/to%2Fday:classify"
    message = GRPC.metadata(Which(label="today")).request.message
    spec = protos.get_model_metadata_pb2.GetModelMetadataRequest.FromString(message).model_spec
    assert (spec.name, spec.version_label, spec.HasField("version")) == ("a b", "today", False)
    spec = protos.get_model_status_pb2.GetModelStatusRequest.FromString(
        GRPC.status(Which(0)).request.message
    ).model_spec
    assert spec.HasField("version") and spec.version.value == 0


ASKED = [{"age": 3, "name": "\u4e2d", "rates": [1, 0.5], "raw": [b"\xff", b""]}, {"flag": np.True_, "none": []}]


def test_examples_over_rest() -> None:
    batch, context = [examples.read(one) for one in ASKED], examples.read({"where": "here"})
    asked = REST.regress(Which(), "s", batch, context)
    assert json.loads(asked.request.body) == {
        "signature_name": "s",
        "context": {"where": [{"b64": "aGVyZQ=="}]},
        "examples": [
            {"age": [3], "name": [{"b64": "5Lit"}], "rates": [1.0, 0.5], "raw": [{"b64": "/w=="}, {"b64": ""}]},
            {"flag": [1], "none": []},
        ],
    }
    answer = asked.read(http({"results": [0.1, 2]}))
    assert answer.dtype == np.float32 and answer.tolist() == np.array([0.1, 2], np.float32).tolist()
    asked = REST.classify(Which(), "s", batch, None)
    assert "context" not in json.loads(asked.request.body)
    assert asked.read(http({"results": [[["a", 0.1], ["b", 1.0]], []]})) == [
        [Class("a", float(np.float32(0.1))), Class("b", 1.0)],
        [],
    ]


def test_examples_over_grpc() -> None:
    batch, context = [examples.read(one) for one in ASKED], examples.read({"where": "here"})
    asked = GRPC.classify(Which(label="new"), "s", batch, None)
    request = protos.classification_pb2.ClassificationRequest.FromString(asked.request.message)
    assert asked.request.method == "/tensorflow.serving.PredictionService/Classify"
    assert (request.model_spec.signature_name, request.model_spec.version_label) == ("s", "new")
    first, second = request.input.example_list.examples
    features = first.features.feature
    assert (features["age"].int64_list.value, features["rates"].float_list.value) == ([3], [1, 0.5])
    assert (features["name"].bytes_list.value, features["raw"].bytes_list.value) == (
        ["\u4e2d".encode()],
        [b"\xff", b""],
    )
    assert second.features.feature["flag"].int64_list.value == [1]
    response = protos.classification_pb2.ClassificationResponse()
    response.result.classifications.add().classes.add(label="a", score=0.1)
    response.result.classifications.add()
    assert asked.read(response.SerializeToString()) == [[Class("a", float(np.float32(0.1)))], []]

    asked_number = GRPC.regress(Which(), "s", batch, context)
    regression = protos.regression_pb2.RegressionRequest.FromString(asked_number.request.message)
    shared = regression.input.example_list_with_context
    assert shared.context.features.feature["where"].bytes_list.value == [b"here"]
    assert len(shared.examples) == 2
    answer = protos.regression_pb2.RegressionResponse()
    answer.result.regressions.add(value=0.1)
    assert asked_number.read(answer.SerializeToString()).tolist() == [np.float32(0.1)]


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"x": [1, "a"]}, r"feature 'x' must be a number, text, bytes, or a flat list of one of them, not \[1, 'a'\]"),
        ({"x": None}, "feature 'x' must be .* not None"),
        ({"x": [[1]]}, "feature 'x' must be"),
        ({"x": 1 << 63}, "feature 'x' does not fit 64 bits: 9223372036854775808"),
        ([1], r"an example is a mapping of feature names to values, not \[1\]"),
    ],
)
def test_examples_that_cannot_be(example: Any, message: str) -> None:
    with pytest.raises(ServingError, match=message) as raised:
        examples.read(example)
    assert raised.value.code == Code.INVALID_ARGUMENT


@given(st.dictionaries(st.text(), st.lists(st.floats(width=32, allow_nan=False), min_size=1)))
def test_floats_in_examples_come_back(example: dict[str, list[float]]) -> None:
    proto = examples.to_proto(examples.read(example))
    assert {name: list(feature.float_list.value) for name, feature in proto.features.feature.items()} == example


def test_an_answer_that_is_no_message() -> None:
    with pytest.raises(ServingError, match=r"the answer is no tensorflow\.serving\.PredictResponse: b'\\n") as raised:
        GRPC.predict(Which(), "s", None, {}).read(b"\n\xff")
    assert raised.value.code == Code.DATA_LOSS


def test_whole_numbers_that_no_float_holds() -> None:
    values = [(1 << 64) - 1, 0]
    assert as_array("x", values, 23).tolist() == values
    with pytest.raises(ServingError, match=r"input 'x' is of type uint64, which cannot hold -1"):
        as_array("x", [1 << 63, -1], 23)
    for outputs in ([0.5, 1], [float("inf")]):
        asked = REST.predict(Which(), "s", Signature("", {}, {"y": TensorInfo(4, (None,))}), {})
        with pytest.raises(ServingError, match="DATA_LOSS") as raised:
            asked.read(http({"outputs": outputs}))
        assert raised.value.code == Code.DATA_LOSS


def test_arrays_of_the_other_byte_order() -> None:
    array = as_array("x", np.array([1.5, 2.0], ">f4"), 0)
    assert array.dtype == np.float32 and array.dtype.isnative and array.tolist() == [1.5, 2.0]
