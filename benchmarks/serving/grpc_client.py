"""A gRPC connection on asyncio that costs the load generator little: unary calls, one at a time, of one method.

`grpc.aio` spends on a call about what the server does, and both share the processors. This one writes the same headers
for every call and reads no more of HTTP/2 (RFC 9113) than where an answer ends. Headers of answers are not decoded: a
call that succeeds has a message, one that fails has none.
"""

from __future__ import annotations

import asyncio
import struct

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_LARGEST_FRAME, _WINDOW_AT_FIRST, _LARGEST_WINDOW = 16384, 65535, 2**31 - 1


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Returns an HTTP/2 frame."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def header_block(authority: str, path: str) -> bytes:
    """Returns the headers of a call as HPACK literals (RFC 7541), which leave no state behind."""

    def text(value: str) -> bytes:
        if len(value) > 126:
            raise ValueError(f"{value!r} is longer than the 126 bytes that one byte of length can tell")
        return bytes([len(value)]) + value.encode()

    names = b"\x83\x86\x04" + text(path) + b"\x01" + text(authority)  # :method POST, :scheme http, :path, :authority
    return names + b"\x0f\x10" + text("application/grpc") + b"\x00" + text("te") + text("trailers")


class GrpcConnection(asyncio.Protocol):
    """One connection, one call at a time.

    Args:
        authority: "host:port".
        path: the method, "/package.Service/Method".
    """

    def __init__(self, authority: str, path: str) -> None:
        self._headers = header_block(authority, path)
        self._data, self._message = bytearray(), bytearray()
        self._stream, self._window, self._stream_window, self._read = -1, _WINDOW_AT_FIRST, _WINDOW_AT_FIRST, 0
        self._waiting: asyncio.Future[bytes] | None = None
        self._unsent = b""
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, address: str, path: str) -> GrpcConnection:
        """Connects to "host:port"."""
        host, _, port = address.partition(":")
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_connection(lambda: cls(address, path), host, int(port))
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets, and opens the windows so that the server never has to wait for us."""
        self._transport = transport  # type: ignore[assignment]
        settings = frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, _LARGEST_WINDOW))
        window = frame(_WINDOW, 0, 0, struct.pack(">I", _LARGEST_WINDOW - _WINDOW_AT_FIRST))
        self._write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + window)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the call that waits."""
        self._transport = None
        self._fail(ConnectionResetError("the server closed the connection"))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Calls; the future holds the serialized answer, or raises ValueError where the call failed."""
        self._waiting = asyncio.get_running_loop().create_future()
        body = b"\0" + struct.pack(">I", len(request)) + request
        if self._transport is None:
            self._fail(ConnectionResetError("the connection is closed"))
        elif len(body) > min(self._stream_window, _WINDOW_AT_FIRST):
            self._fail(ValueError(f"a request of {len(request)} bytes is larger than the server's window"))
        else:
            self._stream += 2
            self._message.clear()
            self._unsent = body
            self._send(frame(_HEADERS, _END_HEADERS, self._stream, self._headers))
        return self._waiting

    def _send(self, headers: bytes = b"") -> None:
        """Writes headers, and the body once the connection's window has room for it."""
        pieces = [headers]
        if self._unsent and len(self._unsent) <= self._window:
            self._window -= len(self._unsent)
            while self._unsent:
                piece, self._unsent = self._unsent[:_LARGEST_FRAME], self._unsent[_LARGEST_FRAME:]
                pieces.append(frame(_DATA, 0 if self._unsent else _END_STREAM, self._stream, piece))
        self._write(b"".join(pieces))

    def data_received(self, data: bytes) -> None:
        """Takes every frame that is whole."""
        self._data += data
        at = 0
        while len(self._data) - at >= 9:
            head, flags, stream = struct.unpack_from(">IBI", self._data, at)
            size = head >> 8
            if len(self._data) - at < 9 + size:
                break
            self._take(head & 255, flags, stream, bytes(self._data[at + 9 : at + 9 + size]))
            at += 9 + size
        del self._data[:at]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._message += payload
            self._read += len(payload)
            if self._read > _LARGEST_WINDOW // 2:
                self._write(frame(_WINDOW, 0, 0, struct.pack(">I", self._read)))
                self._read = 0
        elif kind == _SETTINGS and not flags & _ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == 4:
                    self._stream_window = value
            self._write(frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._write(frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW and stream == 0:
            self._window += struct.unpack(">I", payload)[0]
            self._send()
        elif kind in (_RESET, _GOAWAY):
            self._fail(ValueError(f"the server ended the {'call' if kind == _RESET else 'connection'}: {payload!r}"))
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM and stream == self._stream:
            self._end()

    def _end(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            if len(self._message) < 5:
                self._fail(ValueError("the call failed: there is no message in the answer"))
            else:
                self._waiting.set_result(bytes(self._message[5:]))

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()
