"""REST against what a user would write instead: FastAPI with `tf.saved_model.load`, and MLServer.

    python -m benchmarks.serving_peers [--rounds 3] [--seconds 4] [--venv DIR] [--models DIR]

The peers run the same TensorFlow in virtual environments of their own, made below --venv (a temporary folder where it
is not given: they are large). All servers are up; one is asked at a time, in turns, one image a request. A ratio above
1 means that this server is ahead, in requests a second or in p99.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.serving import models, requests
from benchmarks.serving.figures import at_least, nothing
from benchmarks.serving.load import Result, measure
from benchmarks.serving.peers import servers
from serving.process import ModelServer

Make = Callable[[str, Sequence[Any]], bytes]
OURS = "ann serve"
CLIENTS = (1, 16, 64)


def free_port() -> int:
    """Returns the first of three ports in a row that are free now, below those that the system hands out itself."""
    for port in range(18100, 30000, 10):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for offset in range(3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            return port
    raise OSError("no free ports from 18100 to 30000")


def start(given: argparse.Namespace, made: models.Models, stack: contextlib.ExitStack) -> dict[str, tuple[str, Make]]:
    """Starts every server; returns addresses and the makers of requests by title."""
    venvs = Path(given.venv or stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-venvs-")))
    ours = stack.enter_context(ModelServer(made.base_paths, flags=given.flags))
    found: dict[str, tuple[str, Make]] = {OURS: (ours.rest_url, requests.rest_predict)}
    for name, open_peer, make in (
        ("fastapi", servers.fastapi, servers.fastapi_request),
        ("mlserver", servers.mlserver, servers.mlserver_request),
    ):
        if name in given.peers:
            peer = stack.enter_context(open_peer(made, servers.environment(name, venvs), free_port()))
            found[peer.title] = (peer.address, make)
    return found


def compare(results: dict[str, list[Result]], what: str) -> bool:
    """Prints the median ratios to each peer; returns whether ours is ahead of all."""
    holds = nothing(f"{what}: failed requests", sum(sum(one.failed.values()) for one in results[OURS]))
    for title, theirs in results.items():
        if title != OURS:
            pairs = list(zip(results[OURS], theirs, strict=True))
            rate = statistics.median(our.answered / their.answered for our, their in pairs)
            tail = statistics.median(their.p99 / our.p99 for our, their in pairs)
            holds &= at_least(f"{what}: requests/s to {title}", rate, 1)
            holds &= at_least(f"{what}: p99 of {title} to ours", tail, 1)
    return holds


def main() -> None:
    """Measures and prints; ends with code 1 where a peer is ahead."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--venv", help="folder to keep the peers' environments in")
    parser.add_argument("--peers", nargs="+", choices=list(servers.PACKAGES), default=list(servers.PACKAGES))
    parser.add_argument("--flags", nargs="*", default=["--enable_batching=true"], help="of this server")
    models.add_argument(parser)
    given = parser.parse_args()
    holds = True
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(models.prepared(given.models))
        running = start(given, made, stack)
        for model in models.MODELS:
            for clients in given.clients:
                results: dict[str, list[Result]] = {title: [] for title in running}
                for _ in range(given.rounds):
                    for title, (address, make) in running.items():
                        wires = [make(model, requests.rows(model, 1, offset)) for offset in range(16)]
                        result = measure(address, "rest", clients, given.seconds, wires)
                        results[title].append(result)
                        print(f"{model}, {clients:2} clients, {title:<16} {result}", flush=True)
                holds &= compare(results, f"{model}, {clients} clients")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
