"""The HTTP server below the REST API: what keeps slow, idle and very large requests from taking it over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from serving.server.memory import Trimmer

MAX_CONNECTIONS = 1000
"""What comes on top is closed at once, before file descriptors run out."""
HEADER_SECONDS = 20.0
"""From the connection to its first request's last header."""
KEEP_ALIVE_SECONDS = 75.0
"""From an answer to the next request's last header."""
STALL_SECONDS = 20.0
"""A body of which fewer than STALL_BYTES arrive in this time is given up."""
STALL_BYTES = 1024
SMALL_BODY_BYTES = 1 << 20
"""Bodies up to here never wait for larger ones."""
LARGE_BODIES_BYTES = 1 << 28
"""What the larger bodies under way may hold together; the others are not read meanwhile."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Budget:
    """Bytes that large bodies share. One that is larger than all of it takes all of it."""

    def __init__(self, total: int) -> None:
        self._total = self._left = total
        self._changed = asyncio.Condition()

    async def take(self, size: int) -> int:
        """Waits for room; returns what to give back."""
        size = min(size, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._left >= size)
            self._left -= size
        return size

    async def give_back(self, size: int) -> None:
        """Makes room for others."""
        async with self._changed:
            self._left += size
            self._changed.notify_all()


class RestServer(web.Server):
    """An aiohttp server with limits.

    Args:
        handle: answers a request.
    """

    def __init__(self, handle: Handle) -> None:
        super().__init__(
            self._answer,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            auto_decompress=False,  # the handler bounds what comes out
        )
        self._handle = handle
        self._budget = _Budget(LARGE_BODIES_BYTES)
        self._trimmer = Trimmer()
        self._open: dict[RequestHandler, asyncio.TimerHandle] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Closes what is too many, and what sends no request."""
        super().connection_made(handler, transport)
        if len(self._open) >= MAX_CONNECTIONS:
            transport.abort()
            return
        self._open[handler] = asyncio.get_running_loop().call_later(HEADER_SECONDS, transport.abort)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forgets the connection."""
        super().connection_lost(handler, exc)
        if timer := self._open.pop(handler, None):
            timer.cancel()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if timer := self._open.get(request.protocol):
            timer.cancel()
        size = LARGE_BODIES_BYTES // 4 if request.content_length is None else request.content_length
        if request.content.is_eof() or size <= SMALL_BODY_BYTES:
            return await self._watched(request)
        taken = await self._budget.take(size)
        try:
            return await self._watched(request)
        finally:
            await self._budget.give_back(taken)
            self._trimmer.note(taken)

    async def _watched(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.content.is_eof():
            return await self._handle(request)
        watching = asyncio.create_task(_abort_when_stalled(request))
        try:
            return await self._handle(request)
        finally:
            watching.cancel()


async def _abort_when_stalled(request: web.BaseRequest) -> None:
    """Closes the connection of a request whose body does not come on."""
    seen = 0
    while not request.content.is_eof():
        await asyncio.sleep(STALL_SECONDS)
        arrived = request.content.total_bytes
        if arrived - seen < STALL_BYTES and not request.content.is_eof() and request.transport:
            request.transport.abort()
            return
        seen = arrived
