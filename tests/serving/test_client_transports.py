"""The client's connections: kept, stale, closed, shared by threads and by calls; answers that are none."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from serving.client import AsyncClient, Client, Code, ServingError
from serving.process import ModelServer
from tests.serving.peers import REST_WAYS, WAYS, Relay, Scripted, opened, peer

Wait = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize("way", WAYS)
def test_one_connection_for_many_calls(way: str, server: ModelServer) -> None:
    target = server.grpc_address if way.startswith("grpc") else server.rest_url
    with Relay(target) as relay, opened(way, relay, "half") as client:
        for number in range(5):
            assert client.predict({"x": [number]})["y"].tolist() == [number / 2 + 2]
        assert relay.accepted == 1


@pytest.mark.parametrize("way", REST_WAYS)
def test_a_connection_that_went_stale_is_no_failure(way: str, server: ModelServer) -> None:
    with Relay(server.rest_url) as relay, opened(way, relay, "half", retry_on=()) as client:
        for round_ in range(1, 4):
            assert client.predict({"x": [1]})["y"].tolist() == [2.5]
            assert relay.accepted == round_
            relay.cut()


@pytest.mark.parametrize("way", REST_WAYS)
def test_a_connection_that_closes_in_the_midst_of_the_next_request(way: str) -> None:
    """The first connection answers once and ends when it is asked again; each later one does the same."""

    def once(connection: socket.socket, over: threading.Event) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(None)
            connection.recv(1 << 16)
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{"model_version_status": []}')
            connection.recv(1 << 16)

    with peer(once) as server, opened(way, server, "half", retry_on=()) as client:
        for _ in range(4):
            assert client.status() == []


@pytest.mark.parametrize("way", REST_WAYS)
def test_a_response_that_ends_with_its_connection(way: str) -> None:
    def to_the_end(connection: socket.socket, over: threading.Event) -> None:
        with connection:
            connection.settimeout(None)
            connection.recv(1 << 16)
            connection.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"model_version_status": []')
            over.wait(0.05)
            connection.sendall(b"}")

    with peer(to_the_end) as server, opened(way, server, "half", retry_on=()) as client:
        for _ in range(2):
            assert client.status() == []


@pytest.mark.parametrize("way", REST_WAYS)
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, b"<html>"), "DATA_LOSS: the answer is not what TF Serving answers .*<html>"),
        ((200, {"model": []}), "DATA_LOSS: the answer is not what TF Serving answers"),
        ((404, b"<html>"), "NOT_FOUND: HTTP status 404: b'<html>'"),
        ((302, b""), "UNKNOWN: HTTP status 302"),
        ((500, {"error": "oh"}), "INTERNAL: oh"),
    ],
)
def test_what_another_server_answers(way: str, answer: tuple[int, Any], message: str) -> None:
    with Scripted(answer) as scripted, opened(way, scripted, "m") as client, pytest.raises(ServingError, match=message):
        client.status()


@pytest.mark.parametrize("way", REST_WAYS)
def test_types_are_asked_again_when_the_model_has_changed(way: str) -> None:
    def metadata(dtype: str) -> tuple[int, Any]:
        info = {"dtype": dtype, "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}}
        signature = {"inputs": {"x": info}, "outputs": {"y": info}, "method_name": "tensorflow/serving/predict"}
        signatures = {"signature_def": {"signature_def": {"serving_default": signature}}}
        return 200, {"model_spec": {"name": "m", "signature_name": "", "version": "1"}, "metadata": signatures}

    whole, fraction = (200, {"outputs": [1]}), (200, {"outputs": [0.5]})
    script = [metadata("DT_INT64"), whole, fraction, metadata("DT_FLOAT"), fraction]
    with Scripted(*script) as scripted, opened(way, scripted, "m") as client:
        assert client.predict({"x": [1]})["y"].dtype == np.int64
        assert client.predict({"x": [1]})["y"].tolist() == [0.5]
        assert [path.removeprefix("/v1/models/m") for path, _ in scripted.seen] == [
            "/metadata", ":predict", ":predict", "/metadata", ":predict"
        ]  # fmt: skip


@pytest.mark.parametrize("grpc", [False, True])
def test_64_calls_at_once(grpc: bool, server: ModelServer) -> None:
    async def ask() -> list[Any]:
        async with AsyncClient(server.grpc_address if grpc else server.rest_url, "half", grpc=grpc) as client:
            return await asyncio.gather(*(client.predict({"x": [number]}) for number in range(64)))

    assert [answer["y"].tolist() for answer in asyncio.run(ask())] == [[number / 2 + 2] for number in range(64)]


def test_threads_share_a_client_and_close_ends_all_its_connections(server: ModelServer, wait_until: Wait) -> None:
    meeting = threading.Barrier(6)

    def ask(number: int) -> Any:
        meeting.wait()
        return client.predict({"x": [number]})["y"].tolist()

    with Relay(server.rest_url) as relay:
        client = Client(relay.rest_url, "half")
        with ThreadPoolExecutor(6) as pool:
            for _ in range(3):
                assert list(pool.map(ask, range(6))) == [[number / 2 + 2] for number in range(6)]
            assert relay.pairs and relay.accepted <= 6
            client.close()
            wait_until(lambda: not relay.pairs)
        with pytest.raises(ServingError, match="the client of 'half' is closed"):
            client.status()


@pytest.mark.parametrize("way", WAYS)
def test_a_closed_client(way: str, server: ModelServer) -> None:
    with opened(way, server, "half") as client:
        client.status()
        pending = client.status if not way.endswith("async") else lambda: client.loop.run_until_complete(call())

        async def call() -> Any:
            await client.client.close()
            return await client.client.status()

        if not way.endswith("async"):
            client.close()
        with pytest.raises(ServingError, match="is closed") as raised:
            pending()
        assert raised.value.code == Code.FAILED_PRECONDITION
