"""A keep-alive HTTP/1.1 connection on asyncio that costs the load generator little; it does no more than it must."""

from __future__ import annotations

import asyncio


class HttpConnection(asyncio.Protocol):
    """One connection, one request at a time.

    Answers must carry Content-Length, as those of every server measured here do.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> HttpConnection:
        """Connects."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        """Fails the request that waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("the server closed the connection"))
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Ends the request once its answer is whole."""
        self._data += data
        if self._waiting is None or self._waiting.done():
            return
        try:
            answer = parse_response(self._data)
        except ValueError as error:
            self._waiting.set_exception(error)
            return
        if answer is not None:
            status, body, used = answer
            del self._data[:used]
            self._waiting.set_result((status, body))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Sends a request; the future holds the status and the body."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self._transport is None:
            self._waiting.set_exception(ConnectionResetError("the connection is closed"))
        else:
            self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Closes the connection."""
        if self._transport is not None:
            self._transport.close()


def parse_response(data: bytes | bytearray) -> tuple[int, bytes, int] | None:
    """Returns status, body and length of the response that `data` begins with, None while it is not whole.

    Raises:
        ValueError: it is not HTTP/1.1 with a Content-Length.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"http/1.") or not rest[:3].isdigit():
        raise ValueError(f"not an HTTP/1.1 response: {head[:40]!r}")
    status = int(rest[:3])
    _, found, length = head.partition(b"\r\ncontent-length:")
    if not found:
        raise ValueError(f"a response without Content-Length: {head[:200]!r}")
    stop = end + 4 + int(length.partition(b"\r\n")[0])
    return (status, bytes(data[end + 4 : stop]), stop) if len(data) >= stop else None
