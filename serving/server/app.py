"""The server as a process: it loads, listens, says when it is ready, and drains when it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc.aio
from aiohttp import web

from serving.server import ports
from serving.server.batching import Parameters
from serving.server.flags import channel_options
from serving.server.grpc_service import GrpcApi
from serving.server.models import ModelManager
from serving.server.monitoring import Metrics
from serving.server.ports import PortError
from serving.server.rest import RestApi
from serving.server.rest_server import RestServer
from serving.server.running import Runner

__all__ = ["PortError", "Settings", "serve"]

Close = Callable[[], Awaitable[None]]

DRAIN_SECONDS = 10.0
"""How long requests under way may take once the server is told to stop."""


@dataclass(frozen=True)
class Settings:
    """What the files behind the flags say.

    Attributes:
        metrics: what is counted, and where it is shown.
        batching: how requests are merged, or None.
        credentials: TLS for gRPC, or None.
    """

    metrics: Metrics
    batching: Parameters | None = None
    credentials: grpc.ServerCredentials | None = None


async def serve(flags: argparse.Namespace, models: ModelManager, settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests under way finish.

    As TF Serving's, its ports answer once the models that were there at the start have loaded or failed.

    Args:
        flags: the command line.
        models: already started, so that loading goes on meanwhile.
        settings: what else the command line says.

    Raises:
        PortError: where a port is taken.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_watch_parent(flags.parent_pid, stop))
    sockets = _reserve(flags)
    if flags.ready_file:
        ports.remove_ready_file(flags.ready_file)  # of a server that was killed
    pool = ThreadPoolExecutor(flags.rest_api_num_threads, thread_name_prefix="request")
    if await _loaded_before(models, stop):
        runner = Runner(pool, settings.batching)
        seconds, limit = flags.rest_api_timeout_in_ms / 1000, flags.max_body_bytes
        rest = RestApi(models, runner, pool, metrics=settings.metrics, timeout_seconds=seconds, max_body_bytes=limit)
        grpc_api = GrpcApi(models, runner, pool, metrics=settings.metrics)
        closers = [await _start_rest(rest, sockets), await _start_grpc(flags, grpc_api, settings, sockets)]
        _announce(flags, models, sockets)
        await stop.wait()
        await asyncio.gather(*(close() for close in closers))
        rest.close()
        runner.close()
    pool.shutdown(wait=False, cancel_futures=True)  # what has not ended by now has had its time
    watching.cancel()
    if flags.ready_file:
        ports.remove_ready_file(flags.ready_file)


def _reserve(flags: argparse.Namespace) -> dict[str, socket.socket]:
    """Takes the ports that the flags ask for; a gRPC port of 0 is none where there is a UNIX socket."""
    sockets = {}
    folder = os.path.dirname(os.path.abspath(flags.grpc_socket_path))
    if flags.grpc_socket_path and not os.path.isdir(folder):
        raise PortError(f"--grpc_socket_path {flags.grpc_socket_path}: there is no folder {folder}")
    if flags.rest_api_port or flags.ready_file:
        sockets["rest"] = ports.reserve(flags.host, flags.rest_api_port, "rest_api_port")
    if flags.port or not flags.grpc_socket_path:
        sockets["grpc"] = ports.reserve(flags.host, flags.port, "port")
    return sockets


async def _loaded_before(models: ModelManager, stop: asyncio.Event) -> bool:
    """Waits until the first models have loaded. Returns False where the server is told to stop before."""
    stopping = asyncio.create_task(stop.wait())
    while not models.wait_for_first_look(0):
        done, _ = await asyncio.wait([stopping], timeout=0.01)
        if done:
            return False
    stopping.cancel()
    return True


async def _start_rest(api: RestApi, sockets: dict[str, socket.socket]) -> Close:
    """Serves REST where it has a socket; returns what ends it, once the requests under way are answered."""
    runner = web.ServerRunner(RestServer(api.handle), shutdown_timeout=DRAIN_SECONDS)
    if "rest" in sockets:
        await runner.setup()
        await web.SockSite(runner, sockets["rest"], backlog=1024).start()
    return runner.cleanup


async def _start_grpc(
    flags: argparse.Namespace, api: GrpcApi, settings: Settings, sockets: dict[str, socket.socket]
) -> Close:
    """Serves gRPC at a port, a UNIX socket or both; returns what ends it, once the requests under way are answered."""
    server = api.server(channel_options(flags.grpc_channel_arguments))
    health = None
    if flags.enable_grpc_healthcheck_service:
        from serving.server.health import add_health

        health = await add_health(server)
    if "grpc" in sockets:
        address = ports.authority(flags.host, sockets["grpc"].getsockname()[1])
        ports.add_grpc(server, address, settings.credentials)
    if flags.grpc_socket_path:
        ports.add_grpc(server, f"unix:{os.path.abspath(flags.grpc_socket_path)}", settings.credentials)
    await server.start()

    async def close() -> None:
        if health:
            await health.enter_graceful_shutdown()
        await server.stop(DRAIN_SECONDS)

    return close


def _announce(flags: argparse.Namespace, models: ModelManager, sockets: dict[str, socket.socket]) -> None:
    """Writes the ready file and the ready line."""
    numbers = {name: one.getsockname()[1] for name, one in sockets.items()}
    if flags.ready_file:
        ports.write_ready_file(flags.ready_file, numbers.get("rest", 0), numbers.get("grpc", 0))
    serving = [f"{name} version {versions[0]}" for name, versions in models.serving().items() if versions]
    where = []
    if "rest" in numbers:
        where.append(f"REST at http://{ports.authority(flags.host, numbers['rest'])}")
    if "grpc" in numbers:
        where.append(f"gRPC at {ports.authority(flags.host, numbers['grpc'])}")
    if flags.grpc_socket_path:
        where.append(f"gRPC at unix:{os.path.abspath(flags.grpc_socket_path)}")
    print(f"ready: {', '.join(serving) or 'no model yet'}; {', '.join(where)}", flush=True)


async def _watch_parent(pid: int, stop: asyncio.Event) -> None:
    while pid and os.getppid() == pid:
        await asyncio.sleep(0.5)
    if pid:
        stop.set()
