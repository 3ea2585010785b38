"""The server as a process: it listens, loads, says when it is ready, and drains when it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from serving.server.grpc_service import GrpcApi
from serving.server.models import ModelManager
from serving.server.rest import RestApi

DRAIN_SECONDS = 10.0


class PortError(Exception):
    """A port that cannot be listened at; the message names it."""


def _listen(host: str, port: int, flag: str) -> socket.socket:
    """Returns a bound socket.

    Raises:
        PortError: where the port is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(1024)
    except OSError as error:
        bound.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise PortError(f"port {port} at {host} {reason} (--{flag} picks another)") from None
    return bound


def _write_ready_file(path: str, rest: int, grpc: int) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".ready-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"rest": rest, "grpc": grpc, "pid": os.getpid()}, file)
    os.replace(temporary, path)


def _ready_line(models: ModelManager, host: str, rest: int, grpc: int) -> str:
    serving = [f"{name} version {versions[0]}" for name, versions in models.serving().items() if versions]
    what = ", ".join(serving) or "no model yet"
    return f"ready: {what}; REST at http://{host}:{rest}, gRPC at {host}:{grpc}"


async def serve(flags: argparse.Namespace, models: ModelManager) -> None:
    """Serves until SIGTERM or SIGINT, then lets the requests under way finish.

    Args:
        flags: host, port, rest_api_port and ready_file are read.
        models: already started, so that loading goes on while this listens.

    Raises:
        PortError: where a port is taken.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    workers = max(4, 2 * (os.cpu_count() or 1))
    with ThreadPoolExecutor(workers, thread_name_prefix="request") as pool:
        rest_socket = _listen(flags.host, flags.rest_api_port, "rest_api_port")
        grpc_server = GrpcApi(models, pool).server()
        grpc_port = _add_grpc_port(grpc_server, flags.host, flags.port)
        runner = web.ServerRunner(
            web.Server(RestApi(models, pool).handle, access_log=None), shutdown_timeout=DRAIN_SECONDS
        )
        await runner.setup()
        await web.SockSite(runner, rest_socket).start()
        await grpc_server.start()
        rest_port = rest_socket.getsockname()[1]
        announcing = asyncio.create_task(_announce(flags, models, rest_port, grpc_port))
        watching = asyncio.create_task(_watch_parent(flags.parent_pid, stop))
        await stop.wait()
        announcing.cancel()
        watching.cancel()
        await asyncio.gather(grpc_server.stop(DRAIN_SECONDS), runner.cleanup())
    with contextlib.suppress(FileNotFoundError):
        if flags.ready_file:
            os.unlink(flags.ready_file)


async def _announce(flags: argparse.Namespace, models: ModelManager, rest: int, grpc: int) -> None:
    await asyncio.to_thread(models.wait_for_first_look)
    if flags.ready_file:
        _write_ready_file(flags.ready_file, rest, grpc)
    print(_ready_line(models, flags.host, rest, grpc), flush=True)


async def _watch_parent(pid: int, stop: asyncio.Event) -> None:
    while pid and os.getppid() == pid:
        await asyncio.sleep(0.5)
    if pid:
        stop.set()


def _add_grpc_port(server: object, host: str, port: int) -> int:
    _listen(host, port, "port").close()  # gRPC's own message for a taken port names everything but the reason
    shown = f"[{host}]" if ":" in host else host
    try:
        bound: int = server.add_insecure_port(f"{shown}:{port}")  # type: ignore[attr-defined]
    except RuntimeError:
        bound = 0
    if not bound:
        raise PortError(f"port {port} at {host} is in use (--port picks another)")
    return bound
