"""Clients that note which version answered them and when, and the judge of what they noted.

    python -m benchmarks.serving.swapping REST_ADDRESS GRPC_ADDRESS CLIENTS

asks half_plus_two over both protocols until its standard input closes, then prints the notes as JSON. Version v of the
model answers x / 2 + plus_of(v), so that every answer tells its version.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.serving.figures import percentile
from benchmarks.serving.http_client import HttpConnection
from benchmarks.serving.models import HALF
from benchmarks.serving.requests import PREDICT, grpc_predict, rest_predict

DIFFERENT = 25
"""Versions until answers repeat."""
X = 6.0


def plus_of(version: int) -> int:
    """Returns what version `version` adds."""
    return 1 + version % DIFFERENT


@dataclass
class Run:
    """Answers with the same `plus` that one client got in a row. Times are those of `time.monotonic`.

    Attributes:
        plus: what the version added.
        first_received: when the first of them came.
        last_sent: when the last of them was asked for.
        answers: how many.
    """

    plus: int
    first_received: float
    last_sent: float
    answers: int = 1


@dataclass(frozen=True)
class Swap:
    """When a version came.

    Attributes:
        version: its number.
        copied: a moment before it was there to be loaded.
        available: when the server had said that it is AVAILABLE.
    """

    version: int
    copied: float
    available: float


def wrong_runs(runs: Sequence[Run], swaps: Sequence[Swap]) -> list[str]:
    """Returns what is wrong with one client's runs.

    An answer may come from any version that was there when it came and whose successor was not yet AVAILABLE when it
    was asked for.

    Args:
        runs: in order.
        swaps: in order, beginning with the version that the server started with.
    """
    wrong = []
    for run in runs:
        if not any(
            plus_of(swap.version) == run.plus and _was_live(run, index, swaps) for index, swap in enumerate(swaps)
        ):
            wrong.append(f"{run.answers} answers of x / 2 + {run.plus}, which no version live then gives")
    return wrong


def _was_live(run: Run, index: int, swaps: Sequence[Swap]) -> bool:
    replaced = swaps[index + 1].available if index + 1 < len(swaps) else float("inf")
    return swaps[index].copied <= run.first_received and run.last_sent <= replaced


class Notes:
    """What one client got."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.failed: Counter[str] = Counter()
        self.taken = array("f")

    def add(self, value: float, sent: float) -> None:
        """Notes an answer that has just come."""
        self.taken.append(time.monotonic() - sent)
        plus = value - X / 2
        if plus != int(plus):
            self.failed[f"the answer {value}"] += 1
        elif self.runs and self.runs[-1].plus == plus:
            self.runs[-1].last_sent = sent
            self.runs[-1].answers += 1
        else:
            self.runs.append(Run(int(plus), time.monotonic(), sent))


async def _rest_client(address: str, stopped: Callable[[], bool], notes: Notes) -> None:
    host, _, port = address.partition(":")
    connection = await HttpConnection.open(host, int(port))
    request = rest_predict(HALF, [X])
    while not stopped():
        sent = time.monotonic()
        try:
            status, body = await connection.ask(request)
        except (OSError, ValueError) as error:
            notes.failed[f"{type(error).__name__}: {error}"] += 1
            connection = await HttpConnection.open(host, int(port))
            continue
        if status == 200:
            notes.add(json.loads(body)["predictions"][0], sent)
        else:
            notes.failed[f"HTTP {status}: {body[:120]!r}"] += 1
    connection.close()


async def _grpc_client(address: str, stopped: Callable[[], bool], notes: Notes) -> None:
    import grpc

    from serving import protos, tensors

    request = grpc_predict(HALF, [X])
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary(PREDICT)
        while not stopped():
            sent = time.monotonic()
            try:
                answer = protos.predict_pb2.PredictResponse.FromString(await call(request))
            except grpc.aio.AioRpcError as error:
                notes.failed[f"{error.code().name}: {(error.details() or '')[:120]}"] += 1
                continue
            value = float(tensors.from_proto(answer.outputs["y"], "y")[0])
            version = answer.model_spec.version.value
            if value - X / 2 != plus_of(version):
                notes.failed[f"version {version} is said to have answered {value}"] += 1
            notes.add(value, sent)


async def ask_until(rest: str, grpc: str, clients: int, ended: asyncio.Event) -> list[Notes]:
    """Asks with so many clients of each protocol until `ended`."""
    notes = [Notes() for _ in range(2 * clients)]
    every = [_rest_client(rest, ended.is_set, one) for one in notes[:clients]]
    every += [_grpc_client(grpc, ended.is_set, one) for one in notes[clients:]]
    await asyncio.gather(*every)
    return notes


async def _main(given: argparse.Namespace) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
    notes = await ask_until(given.rest, given.grpc, given.clients, ended)
    found = [{"runs": [dataclasses.astuple(run) for run in one.runs], "failed": one.failed} for one in notes]
    taken = {"REST": notes[: given.clients], "gRPC": notes[given.clients :]}
    print(json.dumps({"clients": found, "slowest": ", ".join(map(_tail, taken, taken.values()))}))


def _tail(protocol: str, notes: Sequence[Notes]) -> str:
    taken = [second for one in notes for second in one.taken]
    return f"{protocol} p99 {percentile(taken, 0.99) * 1e3:.1f} ms, slowest {max(taken) * 1e3:.1f} ms" if taken else ""


def parse_notes(text: str) -> tuple[list[list[Run]], Mapping[str, int], str]:
    """Returns every client's runs, failures by reason, and how long answers took, from what the process printed."""
    found = json.loads(text.splitlines()[-1])
    failed: Counter[str] = Counter()
    for one in found["clients"]:
        failed.update(one["failed"])
    return [[Run(*run) for run in one["runs"]] for one in found["clients"]], failed, found["slowest"]


def main() -> None:
    """Asks until told to end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rest")
    parser.add_argument("grpc")
    parser.add_argument("clients", type=int)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
