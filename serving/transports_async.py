"""How an asynchronous client's bytes travel: HTTP by aiohttp, and gRPC by grpc.aio.

Connections open at the first request, in the event loop that runs then.
"""

from __future__ import annotations

import asyncio
import types
from typing import TYPE_CHECKING, Any

from serving.addresses import GRPC_OPTIONS, RestAddress, Tls, no_answer, rpc_failure
from serving.messages import HttpRequest, HttpResponse, RpcRequest

if TYPE_CHECKING:
    import aiohttp


class AsyncRest:
    """A pool of connections to a REST server."""

    def __init__(self, address: RestAddress) -> None:
        self._address = address
        self._context = address.tls.context() if address.tls else None
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(ssl=self._context if self._context else True)
            self._session = aiohttp.ClientSession(connector=connector, trace_configs=[_noting_reuse()])
        return self._session

    async def send(self, request: HttpRequest, seconds: float) -> HttpResponse:
        """Returns the response. A kept connection that the server has closed meanwhile is replaced at once."""
        import aiohttp

        session, loop = self._opened(), asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            seen = types.SimpleNamespace(reused=False)
            try:
                return await self._exchange(session, request, deadline - loop.time(), seen)
            except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
                if seen.reused and not isinstance(error, TimeoutError | asyncio.TimeoutError):
                    continue
                raise no_answer(self._address, error) from None

    async def _exchange(
        self, session: aiohttp.ClientSession, request: HttpRequest, seconds: float, seen: types.SimpleNamespace
    ) -> HttpResponse:
        import aiohttp
        import yarl

        url = yarl.URL(self._address.url + request.path, encoded=True)
        async with session.request(
            request.method,
            url,
            data=request.body or None,
            headers={"Content-Type": "application/json"} if request.body else {},
            timeout=aiohttp.ClientTimeout(total=max(seconds, 0.001)),  # 0 would mean none
            allow_redirects=False,
            trace_request_ctx=seen,
        ) as response:
            return HttpResponse(response.status, await response.read())

    async def pause(self, seconds: float) -> None:
        """Lets others run meanwhile."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Closes all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _noting_reuse() -> aiohttp.TraceConfig:
    """Notes in a request's own context whether it went over a connection that had been used before."""
    import aiohttp

    async def reused(session: Any, context: types.SimpleNamespace, parameters: Any) -> None:
        context.trace_request_ctx.reused = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(reused)
    return tracing


class AsyncGrpc:
    """A channel to a gRPC server."""

    def __init__(self, target: str, tls: Tls | None) -> None:
        self._target = target
        self._credentials = tls.credentials() if tls else None
        self._channel: Any = None
        self._methods: dict[str, Any] = {}

    def _method(self, name: str) -> Any:
        from grpc import aio

        if self._channel is None:
            if self._credentials is None:
                self._channel = aio.insecure_channel(self._target, GRPC_OPTIONS)
            else:
                self._channel = aio.secure_channel(self._target, self._credentials, GRPC_OPTIONS)
        if name not in self._methods:
            self._methods[name] = self._channel.unary_unary(name)
        return self._methods[name]

    async def send(self, request: RpcRequest, seconds: float) -> bytes:
        """Returns the serialized response."""
        from grpc import aio

        try:
            response: bytes = await self._method(request.method)(request.message, timeout=seconds)
        except aio.AioRpcError as error:
            raise rpc_failure(error) from None
        return response

    async def pause(self, seconds: float) -> None:
        """Lets others run meanwhile."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Closes the channel; calls under way are cancelled."""
        channel, self._channel = self._channel, None
        self._methods.clear()
        if channel is not None:
            await channel.close()
