"""The JSON codec: what is written can be read again, whatever the type and the shape."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tensorflow.core.example.example_pb2 import Example

from serving import tensors
from serving.errors import ServingError
from serving.server import inference, json_examples, json_response, json_tensors
from serving.server.servable import TensorInfo

NUMBERS = (np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64, np.bool_)
shapes = npst.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)
numbers = st.sampled_from(NUMBERS).flatmap(lambda kind: npst.arrays(kind, shapes))
strings = shapes.flatmap(lambda shape: npst.arrays(object, shape, elements=st.binary(max_size=6)))


def read_again(name: str, array: np.ndarray, by_row: bool) -> np.ndarray:
    document = json_tensors.parse(json_response.response({name: array}, by_row))
    renamed = {"instances" if by_row else "inputs": document["predictions" if by_row else "outputs"]}
    infos = {name: TensorInfo("t:0", tensors.data_type_of(array), None)}
    arrays, was_by_row = json_tensors.request_inputs(renamed, infos)
    assert was_by_row is by_row
    return arrays[name]


@given(array=numbers, by_row=st.booleans())
def test_numbers_round_trip(array: np.ndarray, by_row: bool) -> None:
    again = read_again("x", array, by_row)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)


@given(array=strings, by_row=st.booleans(), name=st.sampled_from(["x", "x_bytes"]))
def test_strings_round_trip(array: np.ndarray, by_row: bool, name: str) -> None:
    assert read_again(name, array, by_row).tolist() == array.tolist()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.2, "0.2"), (9e6, "9e+06"), (3e-5, "3e-05"), (1 / 3, "0.333333343"), (16777216, "16777216.0"), (5, "5.0")],
)
def test_decimals_are_those_of_tf_serving(value: float, text: str) -> None:
    assert json_response.decimals(np.array([value], np.float32)) == [text]


def test_a_classify_answer() -> None:
    classes = inference.Classes(np.array([[b"a", '"\u00e9"'.encode()]], object), np.array([[0.1, np.inf]], np.float32))
    answer = json.loads(json_examples.classes_response(classes))
    assert answer == {"results": [[["a", 0.1], ['"\u00e9"', float("inf")]]]}


def test_features_of_every_kind() -> None:
    example: dict[str, Any] = {
        "word": "\u00e9",
        "words": ["a", {"b64": "/w=="}],
        "flag": True,
        "number": [1, -2],
        "rate": [0.5, float("nan")],
        "huge": 1 << 70,
        "none": [],
    }
    (data,) = inference.serialized(json_examples.request_input({"examples": [example]}))
    feature = Example.FromString(data).features.feature
    assert list(feature["word"].bytes_list.value) == ["\u00e9".encode()]
    assert list(feature["words"].bytes_list.value) == [b"a", b"\xff"]
    assert list(feature["flag"].int64_list.value) == [1]
    assert list(feature["number"].int64_list.value) == [1, -2]
    assert feature["rate"].float_list.value[0] == 0.5
    assert feature["rate"].float_list.value[1] != feature["rate"].float_list.value[1]
    assert list(feature["huge"].float_list.value) == [float(1 << 70)]
    assert feature["none"].WhichOneof("kind") is None


@given(body=st.binary(max_size=60))
def test_any_bytes_are_json_or_the_clients_fault(body: bytes) -> None:
    try:
        assert isinstance(json_tensors.parse(body), dict)
    except ServingError as error:
        assert error.http_status == 400
