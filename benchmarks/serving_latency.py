"""One request at a time: what gRPC and REST add to calling the loaded signature in process.

    python -m benchmarks.serving_latency [--rounds 3] [--seconds 5] [--models DIR]

The clients send prepared bytes over one connection. Each is measured alone, in turns with the process that calls the
signature in a loop; the figure is the difference of medians, the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.serving import models, requests
from benchmarks.serving.figures import at_most, percentile
from benchmarks.serving.http_client import parse_response
from benchmarks.serving.in_process import InProcess
from serving.process import ModelServer

LIMITS = {"gRPC": 1.5, "REST": 3.0}


def grpc_milliseconds(address: str, wires: list[bytes], seconds: float) -> list[float]:
    """Returns the durations of calls one after the other."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        return timed(channel.unary_unary(requests.PREDICT), wires, seconds)


def rest_milliseconds(url: str, wires: list[bytes], seconds: float) -> list[float]:
    """Returns the durations of requests one after the other on one connection."""
    import socket

    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(wire: bytes) -> None:
            connection.sendall(wire)
            data = b""
            while (answer := parse_response(data)) is None:
                received = connection.recv(1 << 16)
                if not received:
                    raise ConnectionResetError("the server closed the connection")
                data += received
            if answer[0] != 200:
                raise ValueError(f"HTTP {answer[0]}: {answer[1]!r}")

        return timed(ask, wires, seconds)


def timed(ask: Callable[[bytes], object], wires: list[bytes], seconds: float) -> list[float]:
    """Returns milliseconds per call, after a fifth of the time as warm-up."""
    taken: list[float] = []
    start = time.perf_counter() + seconds / 5
    stop = start + seconds
    turn = 0
    while (begun := time.perf_counter()) < stop:
        ask(wires[turn % len(wires)])
        if begun >= start:
            taken.append((time.perf_counter() - begun) * 1e3)
        turn += 1
    return taken


def measure(model: str, server: ModelServer, peer: InProcess, rounds: int, seconds: float) -> bool:
    """Measures one model and prints; returns whether both limits hold."""
    grpc_wires = [requests.grpc_predict(model, requests.rows(model, 1, offset)) for offset in range(16)]
    rest_wires = [requests.rest_predict(model, requests.rows(model, 1, offset)) for offset in range(16)]
    medians: dict[str, list[float]] = {"in process": [], "gRPC": [], "REST": []}
    for number in range(1, rounds + 1):
        medians["in process"].append(peer.loop(1, seconds)["median"])
        for name, taken in (
            ("gRPC", grpc_milliseconds(server.grpc_address, grpc_wires, seconds)),
            ("REST", rest_milliseconds(server.rest_url, rest_wires, seconds)),
        ):
            medians[name].append(percentile(taken, 0.5))
            tail = f"p99 {percentile(taken, 0.99):.3f} ms of {len(taken):,} requests"
            print(f"{model} round {number}: {name} median {medians[name][-1]:.3f} ms, {tail}", flush=True)
    print(f"{model}: the signature in process {statistics.median(medians['in process']):.3f} ms")
    holds = True
    for name, limit in LIMITS.items():
        more = [ours - alone for ours, alone in zip(medians[name], medians["in process"], strict=True)]
        holds &= at_most(f"{model}: {name} beyond the signature in process", statistics.median(more), limit, "ms")
    return holds


def main() -> None:
    """Measures both models; ends with code 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    models.add_argument(parser)
    given = parser.parse_args()
    holds = True
    with models.prepared(given.models) as made, ModelServer(made.base_paths) as server:
        for model in models.MODELS:
            with InProcess(model, made.saved_models[model]) as peer:
                holds &= measure(model, server, peer, given.rounds, given.seconds)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
