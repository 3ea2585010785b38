"""The client: the same answers over both protocols, blocking and asynchronous."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from serving.client import Client, Code, ServingError
from serving.process import ModelServer
from tests.serving.peers import WAYS, opened


@pytest.fixture(params=WAYS)
def connect(server: ModelServer, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Any]]:
    with contextlib.ExitStack() as stack:
        yield lambda model: stack.enter_context(opened(request.param, server, model))


@pytest.mark.parametrize(
    "values", [[1, 2], [1.0, 2.0], np.array([1, 2]), np.array([1, 2], np.float32), np.array([1, 2], np.float16)]
)
def test_numbers(connect: Callable[[str], Any], values: Any) -> None:
    (name, y), *rest = connect("half").predict({"x": values}).items()
    assert (name, rest) == ("y", [])
    assert y.dtype == np.float32
    assert y.tolist() == [2.5, 3.0]


def test_values_that_only_a_float_holds_exactly(connect: Callable[[str], Any]) -> None:
    values = np.array([0.1, 1 / 3, 1e30, 16777217, np.inf, -0.0], np.float32)
    answer = connect("half").predict({"x": values})["y"]
    np.testing.assert_array_equal(answer, values * np.float32(0.5) + np.float32(2))


def test_strings_and_several_outputs(connect: Callable[[str], Any]) -> None:
    answer = connect("text").predict({"text": ["a\u00e9", b"\xff\x00", "x" * 50]})
    assert answer["upper"] == ["A\u00e9", b"\xff\x00", "X" * 50]
    assert answer["raw_bytes"] == ["a\u00e9".encode(), b"\xff\x00", b"x" * 50]
    assert answer["length"].dtype == np.int32
    assert answer["long"].tolist() == [3 * 10**10, 2 * 10**10, 50 * 10**10]
    assert answer["is_empty"].dtype == np.bool_
    assert answer["rates"].shape == (3, 2)
    assert answer["rates"].dtype == np.float32


def test_both_protocols_answer_alike(server: ModelServer) -> None:
    inputs = {"text": [b"one", b"", b"\x00\x01", "\u4e2d"]}
    with Client(server.rest_url, "text") as rest, Client(server.grpc_address, "text", grpc=True) as grpc:
        one, other = rest.predict(inputs), grpc.predict(inputs)
    assert one.keys() == other.keys()
    for name in one:
        assert type(one[name]) is type(other[name])
        if isinstance(one[name], np.ndarray):
            assert one[name].dtype == other[name].dtype
            np.testing.assert_array_equal(one[name], other[name])
        else:
            assert one[name] == other[name]


def test_an_empty_batch(connect: Callable[[str], Any]) -> None:
    assert connect("half").predict({"x": []})["y"].shape == (0,)
    answer = connect("text").predict({"text": []})
    assert answer["upper"] == []
    assert answer["rates"].shape == (0, 2)


def test_other_signature_version_and_several_inputs(connect: Callable[[str], Any]) -> None:
    client = connect("tf1")
    assert client.predict({"word": ["dog"]}, signature_name="lookup")["index"].tolist() == [1]
    totals = client.predict({"count": [1], "weight": [[1, 2]]}, version=1)["total"]
    assert totals.dtype == np.float64
    assert totals.tolist() == [10.0]


def test_status(connect: Callable[[str], Any]) -> None:
    ok = {"version": 1, "state": "AVAILABLE", "error_code": "OK", "error_message": ""}
    assert connect("half").status() == [ok]
    assert connect("half").status(version=1) == [ok]


def test_errors(connect: Callable[[str], Any]) -> None:
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(nope\)") as raised:
        connect("nope").predict({"x": [1]})
    assert raised.value.code == Code.NOT_FOUND
    with pytest.raises(ServingError, match=r"Specific\(half, 7\)"):
        connect("half").predict({"x": [1]}, version=7)
    with pytest.raises(ServingError, match='"no" not found'):
        connect("half").predict({"x": [1]}, signature_name="no")
    with pytest.raises(ServingError) as raised:
        connect("half").predict({"x": ["a"]})
    assert raised.value.code == Code.INVALID_ARGUMENT
    with pytest.raises(ServingError, match="input 'x' must be a batch"):
        connect("half").predict({"x": 1.0})
    with pytest.raises(ServingError, match="ragged"):
        connect("text").predict({"text": [["a"], ["b", "c"]]})
    with pytest.raises(ServingError, match="ragged or mixed"):
        connect("text").predict({"text": [["a"], ["b", "c"], []]})
    with pytest.raises(ServingError, match="there is no example to ask about"):
        connect("half").classify([])
    with pytest.raises(ServingError, match="not by both 1 and 'stable'"):
        connect("half").predict({"x": [1]}, version=1, label="stable")


def test_a_number_that_the_type_cannot_hold(connect: Callable[[str], Any]) -> None:
    client = connect("tf1")
    with pytest.raises(ServingError, match=r"input 'count' is of type int64, which cannot hold 1\.5"):
        client.predict({"count": [2.0, 1.5], "weight": [[1, 2], [1, 2]]})
    assert client.predict({"count": [2.0], "weight": [[1, 2]]})["total"].tolist() == [11.0]


def test_metadata(connect: Callable[[str], Any]) -> None:
    found = connect("tf1").metadata()
    assert found == connect("tf1").metadata(version=1)
    assert found.version == 1 and set(found.signatures) == {"serving_default", "lookup"}
    signature = found.signatures["serving_default"]
    assert signature.method_name == "tensorflow/serving/predict"
    assert {name: (info.dtype, info.shape) for name, info in signature.inputs.items()} == {
        "count": ("int64", (None,)),
        "weight": ("double", (None, 2)),
    }
    assert signature.outputs["total"].dtype == "double"


def test_a_long_text_and_many_numbers(connect: Callable[[str], Any]) -> None:
    """More than the 4 MiB that gRPC allows unless told otherwise."""
    text = "x" * 6_000_000
    assert connect("text").predict({"text": [text]})["upper"] == [text.upper()]
    numbers = np.arange(200_000, dtype=np.float32)
    np.testing.assert_array_equal(connect("half").predict({"x": numbers})["y"], numbers / 2 + 2)


def test_a_wrong_address() -> None:
    for address in ("ftp://127.0.0.1", "http://127.0.0.1:port", "http://", "http://127.0.0.1/?a=b"):
        with pytest.raises(ServingError, match="is no address such as"):
            Client(address, "half")
    with pytest.raises(ServingError, match="is no gRPC address"):
        Client("http://127.0.0.1:1", "half", grpc=True)
