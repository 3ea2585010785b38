"""Versions that are replaced under load: failed and wrong answers, and memory over ten minutes.

    python -m benchmarks.serving_swaps [--swaps 20] [--minutes 10] [--clients 4] [--every 2]

gRPC and REST clients ask half_plus_two all the time; each version adds another number. First 20 swaps, one as soon as
the last is AVAILABLE; then, with --minutes, a swap every few seconds while the server's resident memory is sampled.
The last three version directories are kept, as a model pusher with a retention would.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.serving.figures import at_most, nothing, resident_mib
from benchmarks.serving.models import HALF, write_half_plus
from benchmarks.serving.swapping import DIFFERENT, Swap, parse_notes, plus_of, wrong_runs
from serving.client import Client
from serving.process import ModelServer

KEPT = 3
AVAILABLE_SECONDS = 60.0


class Swapper:
    """Puts one version after the other into a base path and waits until the server has it.

    Args:
        pool: folder of versions by what they add.
        base_path: where they are put.
    """

    def __init__(self, pool: Path, base_path: Path) -> None:
        self._pool, self._base_path = pool, base_path
        self.swaps: list[Swap] = []
        self._put(1)
        self.swaps.append(Swap(1, 0.0, 0.0))

    def _put(self, version: int) -> None:
        """Copies beside and renames, so that the version is there at once and whole."""
        self._base_path.mkdir(parents=True, exist_ok=True)
        fresh = self._base_path.with_name("fresh")
        shutil.copytree(self._pool / str(plus_of(version)), fresh)
        fresh.rename(self._base_path / str(version))

    def swap(self, client: Client) -> float:
        """Puts the next version; returns the seconds until it was AVAILABLE."""
        version = self.swaps[-1].version + 1
        copied = time.monotonic()
        self._put(version)
        while not any(one["version"] == version and one["state"] == "AVAILABLE" for one in client.status()):
            if time.monotonic() > copied + AVAILABLE_SECONDS:
                sys.exit(f"version {version} is not AVAILABLE after {AVAILABLE_SECONDS:g} s: {client.status()}")
            time.sleep(0.01)
        self.swaps.append(Swap(version, copied, time.monotonic()))
        shutil.rmtree(self._base_path / str(version - KEPT), ignore_errors=True)
        return time.monotonic() - copied


def under_load(server: ModelServer, clients: int, work: Callable[[], None], swapper: Swapper, what: str) -> bool:
    """Runs `work` while the clients ask; prints and judges what they got."""
    addresses = [server.rest_url.removeprefix("http://"), server.grpc_address, str(clients)]
    command = [sys.executable, "-m", "benchmarks.serving.swapping", *addresses]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        before = len(swapper.swaps)
        try:
            time.sleep(1)  # until all of them ask
            work()
            output = process.communicate("\n", timeout=60)[0]
        except BaseException:
            process.kill()
            raise
    runs, failed, slowest = parse_notes(output)
    wrong = [line for client in runs for line in wrong_runs(client, swapper.swaps)]
    answers = sum(run.answers for client in runs for run in client)
    print(f"{what}: {len(swapper.swaps) - before} swaps, {answers:,} answers to {len(runs)} clients, gRPC and REST")
    print(f"  {len({run.plus for client in runs for run in client})} different answers; {slowest}")
    for line in [*wrong[:10], *(f"{count} x {reason}" for reason, count in list(failed.items())[:10])]:
        print(f"  {line}")
    if not all(runs):
        sys.exit("a client got no answer at all")
    holds = nothing(f"{what}: failed requests", sum(failed.values()))
    return nothing(f"{what}: wrong answers", len(wrong)) and holds


def quick_swaps(swapper: Swapper, client: Client, count: int) -> None:
    """Swaps, each soon after the last is done."""
    taken = []
    for _ in range(count):
        taken.append(swapper.swap(client))
        time.sleep(0.2)  # for answers of this version
    print(f"from the rename to AVAILABLE: at most {max(taken):.2f} s")


def soak(swapper: Swapper, client: Client, pid: int, minutes: float, every: float) -> list[tuple[float, float]]:
    """Swaps every few seconds; returns seconds and the resident MiB of the server, sampled after each swap."""
    samples: list[tuple[float, float]] = []
    started = time.monotonic()
    while (now := time.monotonic() - started) < minutes * 60:
        swapper.swap(client)
        samples.append((now, resident_mib(pid)))
        time.sleep(max(0.0, started + now + every - time.monotonic()))
    return samples


def growth(samples: list[tuple[float, float]], settled: float) -> float:
    """Returns the most memory of the last tenth of the samples by that at `settled` seconds, as a ratio."""
    after = [mib for second, mib in samples if second >= settled]
    if not after:
        raise ValueError(f"no sample after {settled:g} s")
    return max(after[-max(1, len(after) // 10) :]) / after[0]


def main() -> None:
    """Measures and prints; ends with code 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=0.0, help="of load while the memory is watched")
    parser.add_argument("--every", type=float, default=2.0, help="seconds from swap to swap during these minutes")
    parser.add_argument("--clients", type=int, default=4, help="of each protocol")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-swaps-") as folder:
        pool, base_path = Path(folder, "pool"), Path(folder, HALF)
        write_half_plus([1 + number for number in range(DIFFERENT)], pool)
        swapper = Swapper(pool, base_path)
        with ModelServer({HALF: base_path}, poll_seconds=0.1) as server, Client(server.rest_url, HALF) as client:
            assert server.process is not None
            pid = server.process.pid
            quick = lambda: quick_swaps(swapper, client, given.swaps)  # noqa: E731
            holds = under_load(server, given.clients, quick, swapper, f"{given.swaps} swaps")
            if given.minutes:
                samples: list[tuple[float, float]] = []
                work = lambda: samples.extend(soak(swapper, client, pid, given.minutes, given.every))  # noqa: E731
                holds &= under_load(server, given.clients, work, swapper, f"{given.minutes:g} minutes")
                for second, mib in samples[:: max(1, len(samples) // 20)]:
                    print(f"  after {second:5.0f} s: {mib:7.1f} MiB")
                ratio = growth(samples, min(60.0, given.minutes * 6))
                holds &= at_most("resident memory at the end to that after a minute", ratio, 1.05, "x")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
