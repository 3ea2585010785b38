"""How a blocking client's bytes travel: HTTP by the standard library's http.client, and gRPC.

The methods are coroutines that never wait for an event loop, so that one client logic drives these and the
asynchronous transports alike; see `serving.async_client`.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import io
import socket
import ssl
import time
from typing import Any, Protocol

from serving.addresses import GRPC_OPTIONS, RestAddress, Tls, no_answer, rpc_failure
from serving.messages import HttpRequest, HttpResponse, RpcRequest


class Transport(Protocol):
    """Carries requests. Kept connections are used again; errors are ServingErrors."""

    async def send(self, request: Any, seconds: float) -> Any:
        """Returns the response, or raises DEADLINE_EXCEEDED where it is not whole after `seconds`."""

    async def pause(self, seconds: float) -> None:
        """Waits."""

    async def close(self) -> None:
        """Closes the connections."""


class Rest:
    """Connections to a REST server, one for each call that is under way at a time, kept for the next ones."""

    def __init__(self, address: RestAddress) -> None:
        self._address = address
        self._context = address.tls.context() if address.tls else None
        self._idle: collections.deque[_Connection] = collections.deque()
        self._closed = False

    async def send(self, request: HttpRequest, seconds: float) -> HttpResponse:
        """Returns the response. A kept connection that the server has closed meanwhile is replaced at once."""
        deadline = time.monotonic() + seconds
        while True:
            connection, kept = self._connection()
            try:
                response = connection.exchange(request, deadline)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept and not isinstance(error, TimeoutError):
                    continue
                raise no_answer(self._address, error) from None
            except BaseException:  # interrupted half-way, what comes next on it would answer this request
                connection.close()
                raise
            self._keep(connection)
            return response

    def _connection(self) -> tuple[_Connection, bool]:
        try:
            return self._idle.pop(), True
        except IndexError:
            return _Connection(self._address, self._context), False

    def _keep(self, connection: _Connection) -> None:
        if connection.sock is not None:  # the server may have asked to close it
            self._idle.append(connection)
        if self._closed:
            self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    async def pause(self, seconds: float) -> None:
        """Sleeps."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Closes the connections of all threads; those under way when their answer is there."""
        self._closed = True
        self._close_idle()


class _Connection(http.client.HTTPConnection):
    """A connection that ends every exchange at a point in time, however slowly the other side sends or receives."""

    def __init__(self, address: RestAddress, context: ssl.SSLContext | None) -> None:
        super().__init__(address.host, address.port)
        self._context = context
        self._deadline = 0.0

    def exchange(self, request: HttpRequest, deadline: float) -> HttpResponse:
        """Returns the whole response; TimeoutError where it is not there by `deadline`."""
        self._deadline = deadline
        if isinstance(self.sock, _TimedSocket):
            self.sock.deadline = deadline
        headers = {"Content-Type": "application/json"} if request.body else {}
        with contextlib.suppress(BrokenPipeError):  # a server that refuses a large body answers before it has it all
            self.request(request.method, request.path, request.body or None, headers)
        response = self.getresponse()
        return HttpResponse(response.status, response.read())

    def connect(self) -> None:
        """Connects to the first of the host's addresses that answers."""
        failure = OSError(f"{self.host} has no address")
        for *_, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            try:
                plain = socket.create_connection((str(address[0]), self.port), _left(self._deadline))
                break
            except OSError as error:
                failure = error
        else:
            raise failure
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_left(self._deadline))
            secured = self._context.wrap_socket(plain, server_hostname=self.host) if self._context else plain
        except BaseException:
            plain.close()
            raise
        self.sock = _TimedSocket(secured, self._deadline)


class _TimedSocket:
    """The part of a socket that http.client uses, with one deadline for all of it.

    A socket's own timeout begins anew with every byte that arrives.
    """

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket, self.deadline = connected, deadline
        self._reading, self._closing = 0, False

    def _timed(self) -> socket.socket:
        self._socket.settimeout(_left(self.deadline))
        return self._socket

    def sendall(self, data: Any) -> None:
        with memoryview(data).cast("B") as left:
            sent = 0
            while sent < len(left):
                sent += self._timed().send(left[sent : sent + (1 << 20)])

    def makefile(self, mode: str) -> io.BufferedReader:
        self._reading += 1
        return io.BufferedReader(_Reader(self), 1 << 16)

    def receive_into(self, buffer: Any) -> int:
        return self._timed().recv_into(buffer)

    def close(self) -> None:
        """Closes once nobody reads from it: http.client closes first where the response is the last one."""
        self._closing = True
        if not self._reading:
            self._socket.close()

    def reader_closed(self) -> None:
        self._reading -= 1
        if self._closing:
            self.close()


class _Reader(io.RawIOBase):
    def __init__(self, timed: _TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._timed.reader_closed()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class Grpc:
    """A channel to a gRPC server, which threads share."""

    def __init__(self, target: str, tls: Tls | None) -> None:
        import grpc

        self._error = grpc.RpcError
        if tls is None:
            self._channel = grpc.insecure_channel(target, GRPC_OPTIONS)
        else:
            self._channel = grpc.secure_channel(target, tls.credentials(), GRPC_OPTIONS)
        self._methods: dict[str, Any] = {}

    async def send(self, request: RpcRequest, seconds: float) -> bytes:
        """Returns the serialized response."""
        method = self._methods.get(request.method)
        if method is None:
            method = self._methods[request.method] = self._channel.unary_unary(request.method)
        try:
            response: bytes = method(request.message, timeout=seconds)
        except self._error as error:
            raise rpc_failure(error) from None
        return response

    async def pause(self, seconds: float) -> None:
        """Sleeps."""
        time.sleep(seconds)

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        self._channel.close()
