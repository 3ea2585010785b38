"""The load generator's own gRPC against grpcio's server."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import pytest

from benchmarks.serving.grpc_client import GrpcConnection, header_block

PATH = "/package.Service/Method"


async def method(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    if request == b"fail":
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
    return request[::-1]


def served(work: Callable[[GrpcConnection], Awaitable[None]], path: str = PATH) -> None:
    async def run() -> None:
        server = grpc.aio.server()
        handlers = {"Method": grpc.unary_unary_rpc_method_handler(method)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("package.Service", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        connection = await GrpcConnection.open(f"127.0.0.1:{port}", path)
        try:
            await asyncio.wait_for(work(connection), 30)
        finally:
            connection.close()
            await server.stop(None)

    asyncio.run(run())


def test_answers_of_many_sizes_come_back_in_full() -> None:
    async def work(connection: GrpcConnection) -> None:
        for size in (1, 10, 16384, 40000, *[60000] * 20):  # together more than the connection's first window
            request = bytes(range(256)) * (size // 256 + 1)
            assert await connection.ask(request[:size]) == request[:size][::-1]

    served(work)


def test_a_failed_call_is_an_error_and_the_next_one_works() -> None:
    async def work(connection: GrpcConnection) -> None:
        with pytest.raises(ValueError, match="the call failed"):
            await connection.ask(b"fail")
        assert await connection.ask(b"abc") == b"cba"
        with pytest.raises(ValueError, match="larger than the server's window"):
            await connection.ask(bytes(1 << 17))

    served(work)


def test_an_unknown_method_fails() -> None:
    async def work(connection: GrpcConnection) -> None:
        with pytest.raises(ValueError, match="the call failed"):
            await connection.ask(b"abc")

    served(work, "/package.Service/None")


def test_a_name_too_long_for_its_length_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than the 126 bytes"):
        header_block("a" * 127, PATH)
