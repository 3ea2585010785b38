"""The client: the same answers over both protocols, its errors, its retries, its encoding."""

import io
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ann_keras.task import Feature
from serving.client import Client, Code, ServingError, encode
from serving.process import ModelServer

IMAGE = Feature("image", "image", (None, None, 3), "uint8")


@pytest.fixture(params=["rest", "grpc"])
def connect(server: ModelServer, request: pytest.FixtureRequest) -> Iterator[object]:
    opened: list[Client] = []

    def client(model: str) -> Client:
        grpc = request.param == "grpc"
        opened.append(Client(server.grpc_address if grpc else server.rest_url, model, grpc=grpc, timeout=20))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


@pytest.mark.parametrize(
    "values", [[1, 2], [1.0, 2.0], np.array([1, 2]), np.array([1, 2], np.float32), np.array([1, 2], np.float16)]
)
def test_numbers(connect, values) -> None:
    (name, y), *rest = connect("half").predict({"x": values}).items()
    assert (name, rest) == ("y", [])
    assert y.dtype == np.float32
    assert y.tolist() == [2.5, 3.0]


def test_values_that_only_a_float_holds_exactly(connect) -> None:
    values = np.array([0.1, 1 / 3, 1e30, 16777217, np.inf, -0.0], np.float32)
    answer = connect("half").predict({"x": values})["y"]
    np.testing.assert_array_equal(answer, values * np.float32(0.5) + np.float32(2))


def test_strings_and_several_outputs(connect) -> None:
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


def test_an_empty_batch(connect) -> None:
    assert connect("half").predict({"x": []})["y"].shape == (0,)
    assert connect("text").predict({"text": []})["upper"] == []


def test_other_signature_version_and_several_inputs(connect) -> None:
    client = connect("tf1")
    assert client.predict({"word": ["dog"]}, signature_name="lookup")["index"].tolist() == [1]
    totals = client.predict({"count": [1], "weight": [[1, 2]]}, version=1)["total"]
    assert totals.dtype == np.float64
    assert totals.tolist() == [10.0]


def test_status(connect) -> None:
    ok = {"version": 1, "state": "AVAILABLE", "error_code": "OK", "error_message": ""}
    assert connect("half").status() == [ok]
    assert connect("half").status(version=1) == [ok]


def test_errors(connect) -> None:
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


@pytest.mark.parametrize("grpc", [False, True])
def test_nobody_at_home(grpc: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    start = time.monotonic()
    with Client(address, "half", grpc=grpc, timeout=1) as client, pytest.raises(ServingError) as raised:
        client.status()
    assert raised.value.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
    assert time.monotonic() - start < 5


def test_a_server_that_comes_late_is_waited_for(server: ModelServer) -> None:
    """A relay to the server that starts to listen after the client has begun to ask."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]

    def relay() -> None:
        time.sleep(0.3)
        host, _, target = server.rest_url.removeprefix("http://").partition(":")
        with socket.create_server(("127.0.0.1", port)) as listening:
            asking, _ = listening.accept()
            with asking, socket.create_connection((host, int(target))) as answering:
                answering.sendall(asking.recv(65536))
                asking.sendall(answering.recv(65536))

    thread = threading.Thread(target=relay)
    thread.start()
    with Client(f"http://127.0.0.1:{port}", "half", timeout=10) as client:
        assert client.status()[0]["state"] == "AVAILABLE"
    thread.join(10)


def test_a_wrong_address() -> None:
    with pytest.raises(ServingError, match="is no address such as"):
        Client("ftp://127.0.0.1", "half")
    with pytest.raises(ServingError, match="is no gRPC address"):
        Client("http://127.0.0.1:1", "half", grpc=True)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_encode_arrays(shape: tuple[int, ...]) -> None:
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    (packed,) = encode([IMAGE], [image])["image"]
    decoded = np.asarray(Image.open(io.BytesIO(packed)))
    np.testing.assert_array_equal(decoded.reshape(shape), image)


def test_encode_paths_bytes_and_mappings(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"whatever")
    items = [path, str(path), b"as is", {"image": b"by name"}]
    assert encode([IMAGE], items) == {"image": [b"whatever", b"whatever", b"as is", b"by name"]}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("/no/such/file.png", "'/no/such/file.png' cannot be read"),
        (np.zeros((2, 2), np.float32), r"not float32 \[2, 2\]"),
        (np.zeros((2, 2, 7), np.uint8), r"not uint8 \[2, 2, 7\]"),
        (3, "not 3"),
        ({"picture": b""}, "no value for the feature 'image'"),
    ],
)
def test_encode_names_the_bad_value(item: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode([IMAGE], [item])
    with pytest.raises(ValueError, match="kind 'number' has no encoder"):
        encode([Feature("age", "number")], [3.0])
