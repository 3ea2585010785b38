"""The load generator: clients that ask again as soon as they are answered, in one cheap process of their own.

    python -m benchmarks.serving.load PLAN

PLAN is a JSON file with the fields of `Plan`; the result, the fields of `Result`, is printed as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import dataclasses
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.pipeline_overhead import seconds as run_seconds
from benchmarks.serving.figures import percentile
from benchmarks.serving.grpc_client import GrpcConnection
from benchmarks.serving.http_client import HttpConnection
from benchmarks.serving.requests import PREDICT

Ask = Callable[[bytes], Awaitable[str]]
HANGS_AFTER = 60.0
"""Seconds after the end until a request that has no answer stops the benchmark."""


@dataclass(frozen=True)
class Plan:
    """What to ask of whom.

    Attributes:
        address: "host:port".
        protocol: "rest" or "grpc".
        clients: each with a connection of its own.
        seconds: measured, after `warm_up` seconds.
        requests: base64 of what to send, in turn.
    """

    address: str
    protocol: str
    clients: int
    seconds: float
    requests: Sequence[str]
    warm_up: float = 1.0


@dataclass(frozen=True)
class Result:
    """What came back.

    Attributes:
        answered: good answers per second.
        median, p99: milliseconds of a good answer.
        failed: count by reason of all others, those of the warm-up too.
    """

    answered: float
    median: float
    p99: float
    failed: dict[str, int]

    def __str__(self) -> str:
        failures = f", failed {self.failed}" if self.failed else ""
        return f"{self.answered:8.1f} requests/s  median {self.median:7.2f} ms  p99 {self.p99:7.2f} ms{failures}"


def measure(
    address: str, protocol: str, clients: int, seconds: float, requests: Sequence[bytes], warm_up: float = 1.0
) -> Result:
    """Runs the load generator in a process of its own."""
    encoded = [base64.b64encode(request).decode() for request in requests]
    plan = Plan(address.removeprefix("http://"), protocol, clients, seconds, encoded, warm_up)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(dataclasses.asdict(plan), file)
        file.flush()
        output = run_seconds([sys.executable, "-m", "benchmarks.serving.load", file.name])[1]
    return Result(**json.loads(output.splitlines()[-1]))


async def _rest(address: str) -> tuple[Ask, Callable[[], Awaitable[None]]]:
    host, _, port = address.partition(":")
    connections = [await HttpConnection.open(host, int(port))]

    async def ask(request: bytes) -> str:
        try:
            status, body = await connections[0].ask(request)
        except ConnectionResetError:
            connections[0] = await HttpConnection.open(host, int(port))
            raise
        return "" if status == 200 and body else f"HTTP {status}: {body[:120]!r}"

    async def close() -> None:
        connections[0].close()

    return ask, close


async def _grpc(address: str) -> tuple[Ask, Callable[[], Awaitable[None]]]:
    connections = [await GrpcConnection.open(address, PREDICT)]

    async def ask(request: bytes) -> str:
        try:
            return "" if await connections[0].ask(request) else "an empty answer"
        except ConnectionResetError:
            connections[0] = await GrpcConnection.open(address, PREDICT)
            raise

    async def close() -> None:
        connections[0].close()

    return ask, close


async def run(plan: Plan) -> Result:
    """Asks until the time is over, and counts what was answered within it."""
    requests = [base64.b64decode(request) for request in plan.requests]
    connect = _grpc if plan.protocol == "grpc" else _rest
    opened = [await connect(plan.address) for _ in range(plan.clients)]
    taken: list[float] = []
    failed: Counter[str] = Counter()
    start = time.perf_counter() + plan.warm_up
    stop = start + plan.seconds

    async def client(number: int, ask: Ask) -> None:
        turn = number
        while (sent := time.perf_counter()) < stop:
            try:
                problem = await ask(requests[turn % len(requests)])
            except (OSError, ValueError) as error:
                problem = f"{type(error).__name__}: {error}"
            received = time.perf_counter()
            if problem:
                failed[problem] += 1
                await asyncio.sleep(0.01)  # a server that refuses is not asked in a tight loop
            elif start <= received < stop:
                taken.append(received - sent)
            turn += plan.clients

    everybody = asyncio.gather(*(client(number, ask) for number, (ask, _) in enumerate(opened)))
    await asyncio.wait_for(everybody, plan.warm_up + plan.seconds + HANGS_AFTER)
    for _, close in opened:
        await close()
    if not taken:
        raise ValueError(f"nothing was answered in {plan.seconds} s: {dict(failed)}")
    answered = len(taken) / plan.seconds
    return Result(answered, percentile(taken, 0.5) * 1e3, percentile(taken, 0.99) * 1e3, dict(failed.most_common(5)))


def main() -> None:
    """Runs one plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    plan = Plan(**json.loads(parser.parse_args().plan.read_text()))
    print(json.dumps(dataclasses.asdict(uvloop.run(run(plan)))))


if __name__ == "__main__":
    main()
