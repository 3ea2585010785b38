"""Malformed requests by the thousand, beside a client that goes on asking properly.

    python -m benchmarks.serving_abuse [--count 20000] [--seed 0] [--megabytes 100] [--models DIR]

Mutated and impossible REST and gRPC requests, broken HTTP, slow and half-closed senders, and large bodies. Prints what
came of them by kind; every hang, crash and 5xx that TF Serving would not give, with the request; the failures and p99
of the good client; and the resident memory before and after. The same seed sends the same requests.

Memory that the server has freed stays with malloc, which keeps it for later, so the figure after the large bodies may
stay above the first; that it does not grow further is shown by sending the large bodies twice.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.serving import models
from benchmarks.serving.abuse import grpc, rest
from benchmarks.serving.abuse.attack import Attack, Attacker
from benchmarks.serving.figures import at_most, nothing, resident_mib
from benchmarks.serving.swapping import Swap, parse_notes, wrong_runs
from serving.process import ModelServer

SLOW_SHARE = 0.005
SETTLE_SECONDS = 3.0
MEMORY_LIMIT = 1.2


def attacks(count: int, seed: int) -> Iterator[Attack]:
    """Gives `count` small and slow attacks, REST and gRPC alike, the same ones for a seed."""
    rng = random.Random(seed)
    for _ in range(count):
        port = rest if rng.random() < 0.5 else grpc
        yield port.slow(rng) if rng.random() < SLOW_SHARE else port.light(rng)


def large(megabytes: int) -> Iterator[Attack]:
    """Gives the large bodies, one at a time."""
    yield from rest.heavy(megabytes)
    yield from grpc.heavy(megabytes)


def memory(pid: int, what: str) -> float:
    """Lets the server settle, prints and returns its resident memory."""
    time.sleep(SETTLE_SECONDS)
    mib = resident_mib(pid)
    print(f"resident memory {what}: {mib:.1f} MiB", flush=True)
    return mib


def report(attacker: Attacker, server: ModelServer) -> bool:
    """Prints what came of the attacks; returns whether nothing was bad."""
    assert server.process is not None
    tally = attacker.tally
    print(f"{sum(sum(kind.values()) for kind in tally.outcomes.values()):,} malformed requests:")
    print("\n".join(tally.lines()))
    crashed = server.process.poll() is not None
    if crashed or "Traceback" in server.log_tail():
        print(server.log_tail())
    holds = nothing("crashes", int(crashed))
    return nothing("hangs, lost answers and 5xx that TF Serving would not give", sum(tally.bad.values())) and holds


def good_client(output: str) -> bool:
    """Prints how the good client fared; returns whether every answer was right."""
    runs, failed, slowest = parse_notes(output)
    wrong = [line for client in runs for line in wrong_runs(client, [Swap(1, 0.0, 0.0)])]
    for line in [*wrong[:5], *(f"{count} x {reason}" for reason, count in list(failed.items())[:5])]:
        print(f"  {line}")
    print(f"the good clients: {sum(run.answers for client in runs for run in client):,} answers, {slowest}")
    holds = nothing("the good clients: failed requests", sum(failed.values()))
    return nothing("the good clients: wrong answers", len(wrong)) and all(runs) and holds


def attack(server: ModelServer, given: argparse.Namespace) -> bool:
    """Sends everything and prints; returns whether the server has held."""
    assert server.process is not None
    pid, rest_address = server.process.pid, server.rest_url.removeprefix("http://")
    attacker = Attacker(rest_address, server.grpc_address)
    command = [sys.executable, "-m", "benchmarks.serving.swapping", rest_address, server.grpc_address, "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        before = memory(pid, "before")
        started = time.perf_counter()
        asyncio.run(attacker.run(attacks(given.count, given.seed)))
        print(f"{given.count:,} small and slow ones in {time.perf_counter() - started:.1f} s", flush=True)
        small = memory(pid, "after the small and slow ones")
        asyncio.run(attacker.run(large(given.megabytes), at_once=1))
        once = memory(pid, f"after bodies of {given.megabytes} MB")
        asyncio.run(attacker.run(large(given.megabytes), at_once=1))
        twice = memory(pid, "after the same again")
        output = process.communicate("\n", timeout=60)[0]
    holds = report(attacker, server)
    holds &= good_client(output)
    holds &= at_most("memory after the small and slow ones, to before", small / before, MEMORY_LIMIT, "x")
    holds &= at_most("memory after everything, to before", twice / before, MEMORY_LIMIT, "x")
    return at_most("memory after the large ones, the second time to the first", twice / once, 1.05, "x") and holds


def main() -> None:
    """Attacks and prints; ends with code 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--megabytes", type=int, default=100, help="of the large bodies")
    parser.add_argument("--flags", nargs="*", default=["--enable_batching=true"], help="of the server")
    models.add_argument(parser)
    given = parser.parse_args()
    with models.prepared(given.models) as made, ModelServer(made.base_paths, flags=given.flags) as server:
        holds = attack(server, given)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
