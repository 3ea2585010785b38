"""What the client's tests talk to and through: a relay that can be cut, a server that follows a script, four ways to
ask."""

import asyncio
import contextlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from serving.client import AsyncClient, Client

WAYS = ["rest", "grpc", "rest async", "grpc async"]
REST_WAYS = WAYS[::2]


class InLoop:
    """An AsyncClient whose methods block, in an event loop of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.client = AsyncClient(*arguments, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)
        return lambda *arguments, **options: self.loop.run_until_complete(method(*arguments, **options))

    def close(self) -> None:
        if not self.loop.is_closed():
            self.loop.run_until_complete(self.client.close())
            self.loop.close()


@contextlib.contextmanager
def opened(way: str, server: Any, model: str, **options: Any) -> Iterator[Any]:
    """A client of anything with `rest_url` and `grpc_address`, which asks in one of `WAYS`."""
    grpc = way.startswith("grpc")
    kind = InLoop if way.endswith("async") else Client
    client = kind(server.grpc_address if grpc else server.rest_url, model, grpc=grpc, **{"timeout": 20, **options})
    try:
        yield client
    finally:
        client.close()


def free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


class Relay:
    """Passes bytes to and from a server's port, counts connections, and can cut them all.

    Args:
        target: "host:port".
        delay: seconds until it listens.
    """

    def __init__(self, target: str, delay: float = 0.0) -> None:
        self.accepted, self.pairs, self.port = 0, [], free_port()
        self.rest_url, self.grpc_address = f"http://127.0.0.1:{self.port}", f"127.0.0.1:{self.port}"
        host, _, port = target.removeprefix("http://").partition(":")
        self._target, self._delay, self._stopped = (host, int(port)), delay, threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> "Relay":
        self._thread.start()
        if not self._delay:
            self._listening.wait()
        return self

    def _listen(self) -> None:
        time.sleep(self._delay)
        with socket.create_server(("127.0.0.1", self.port)) as listening:
            self._listening.set()
            listening.settimeout(0.02)
            while not self._stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    pair = (listening.accept()[0], socket.create_connection(self._target))
                    self.accepted += 1
                    self.pairs.append(pair)
                    for one, other in (pair, pair[::-1]):
                        threading.Thread(target=self._pump, args=(one, other, pair)).start()

    def _pump(self, one: socket.socket, other: socket.socket, pair: tuple[socket.socket, socket.socket]) -> None:
        with contextlib.suppress(OSError):
            one.settimeout(None)
            while data := one.recv(1 << 16):
                other.sendall(data)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        if pair in self.pairs:
            self.pairs.remove(pair)

    def cut(self) -> None:
        """Closes what is open, as a server does with connections that have been idle for long."""
        for pair in list(self.pairs):
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        self.cut()


@contextlib.contextmanager
def peer(behave: Callable[[socket.socket, threading.Event], None]) -> Iterator[SimpleNamespace]:
    """A listener that does something with each connection, until the test is over."""
    over = threading.Event()

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                kept.append(connection)
                threading.Thread(target=behave, args=(connection, over), daemon=True).start()

    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        thread = threading.Thread(target=accept)
        thread.start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield SimpleNamespace(rest_url=f"http://{address}", grpc_address=address)
        finally:
            over.set()
            thread.join()
            for connection in kept:
                connection.close()


STATUS = {
    "model_version_status": [
        {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}


class Scripted:
    """An HTTP server that answers requests with (status, document) in turn, the last one again and again.

    Attributes:
        seen: the path and the body of each request.
    """

    def __init__(self, *script: tuple[int, Any], context: Any = None) -> None:
        self.seen: list[tuple[str, bytes]] = []
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, document = script[min(len(scripted.seen), len(script) - 1)]
                scripted.seen.append((self.path, body))
                answer = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.rest_url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "Scripted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
