"""The client against servers that are late, busy, silent or slow."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from serving.client import Code, ServingError
from serving.process import ModelServer
from tests.serving.peers import REST_WAYS, STATUS, WAYS, Relay, Scripted, free_port, opened, peer

UNAVAILABLE, BUSY = (503, {"error": "not now"}), (429, {"error": "queue is full"})


@pytest.mark.parametrize("way", WAYS)
def test_nobody_at_home(way: str) -> None:
    port = free_port()
    nobody = SimpleNamespace(rest_url=f"http://127.0.0.1:{port}", grpc_address=f"127.0.0.1:{port}")
    with opened(way, nobody, "half", timeout=0.5) as client, pytest.raises(ServingError) as raised:
        client.status()
    assert raised.value.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_comes_late_is_waited_for(way: str, server: ModelServer) -> None:
    target = server.grpc_address if way.startswith("grpc") else server.rest_url
    with Relay(target, delay=0.4) as relay, opened(way, relay, "half") as client:
        assert client.predict({"x": [1]})["y"].tolist() == [2.5]


@pytest.mark.parametrize("way", REST_WAYS)
def test_what_is_tried_again(way: str) -> None:
    proxy = (502, b"<html>bad gateway")
    with Scripted(UNAVAILABLE, proxy, (200, STATUS)) as scripted, opened(way, scripted, "m") as client:
        assert client.status()[0]["version"] == 3
        assert len(scripted.seen) == 3
    with Scripted(BUSY, (200, STATUS)) as scripted, opened(way, scripted, "m") as client:
        with pytest.raises(ServingError, match="RESOURCE_EXHAUSTED: queue is full"):
            client.status()
        assert len(scripted.seen) == 1
    codes = [Code.RESOURCE_EXHAUSTED]
    with Scripted(BUSY, (200, STATUS)) as scripted, opened(way, scripted, "m", retry_on=codes) as client:
        assert client.status()[0]["version"] == 3


@pytest.mark.parametrize("way", REST_WAYS)
def test_the_last_refusal_is_told_when_time_is_up(way: str) -> None:
    with Scripted(UNAVAILABLE) as scripted, opened(way, scripted, "m", timeout=0.4) as client:
        with pytest.raises(ServingError, match="UNAVAILABLE: not now"):
            client.status()
        assert len(scripted.seen) > 1


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Neither reads nor writes."""


def trickle(start: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Never comes to the end, though it never is silent for long."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(None)
            connection.recv(1 << 16)
            connection.sendall(start)
            while not over.wait(0.02):
                connection.sendall(b"1")

    return behave


@pytest.mark.parametrize("way", WAYS)
def test_a_silent_server(way: str) -> None:
    with peer(silent) as server, opened(way, server, "half", timeout=0.3) as client:
        with pytest.raises(ServingError) as raised:
            client.status()
        assert raised.value.code == Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("way", REST_WAYS)
@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"])
def test_a_server_that_trickles(way: str, start: bytes) -> None:
    """It would go on for as long as the test lasts, so that only the deadline ends the call."""
    with peer(trickle(start)) as server, opened(way, server, "half", timeout=0.3) as client:
        with pytest.raises(ServingError) as raised:
            client.status()
        assert raised.value.code == Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize("way", REST_WAYS)
def test_a_server_that_does_not_take_the_request(way: str) -> None:
    with peer(silent) as server, opened(way, server, "half", timeout=0.5) as client:
        with pytest.raises(ServingError) as raised:
            client.classify([{"x": "y" * 30_000_000}])
        assert raised.value.code == Code.DEADLINE_EXCEEDED
