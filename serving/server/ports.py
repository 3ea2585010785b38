"""The ports that a server listens at: taken when it starts, so that one that is in use ends it before models load."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import tempfile
from typing import Any

import grpc


class PortError(Exception):
    """A port that cannot be listened at; the message names it."""


def reserve(host: str, port: int, flag: str) -> socket.socket:
    """Returns a socket that is bound and does not listen yet, so that nobody is kept waiting for an answer.

    Raises:
        PortError: where the port is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # gRPC may listen there while this one is open
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        raise PortError(f"port {port} at {host} {reason} (--{flag} picks another)") from None
    return bound


def add_grpc(server: Any, address: str, credentials: grpc.ServerCredentials | None) -> None:
    """Adds "host:port" or "unix:path" to a gRPC server.

    Raises:
        PortError: where it cannot be listened at.
    """
    try:
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
    except RuntimeError:
        bound = 0
    if not bound:
        raise PortError(f"gRPC cannot listen at {address}; it is in use, or its folder is not there")


def authority(host: str, port: int) -> str:
    """Returns "host:port", with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def write_ready_file(path: str, rest: int, grpc_port: int) -> None:
    """Tells the ports and the process to whoever waits for the file, which appears whole."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".ready-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({"rest": rest, "grpc": grpc_port, "pid": os.getpid()}, file)
    os.replace(temporary, path)


def remove_ready_file(path: str) -> None:
    """Removes it where it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
