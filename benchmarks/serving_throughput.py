"""64 clients at once, gRPC and REST, with batching and without.

    python -m benchmarks.serving_throughput [--rounds 3] [--seconds 8] [--clients 64] [--models DIR]

Prints images a second against a loop at batch 32 in a process of its own (32 images a request), and against the same
server without batching (one image a request). Only one of the processes works at a time; the load generator shares the
processors with the server.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.serving import models, requests
from benchmarks.serving.figures import at_least, nothing, stated
from benchmarks.serving.in_process import InProcess
from benchmarks.serving.load import Result, measure
from serving.process import ModelServer

BATCH = 32
BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 10000 }
max_enqueued_batches { value: 1000 }
num_batch_threads { value: 2 }
"""
"""Room for every client's request; batches of half of the clients, so that one fills while the other runs."""


def wires(model: str, protocol: str, images: int) -> list[bytes]:
    """Returns eight different requests."""
    make = requests.grpc_predict if protocol == "grpc" else requests.rest_predict
    return [make(model, requests.rows(model, images, offset * images)) for offset in range(8)]


def address(server: ModelServer, protocol: str) -> str:
    """Returns where the server listens for a protocol."""
    return server.grpc_address if protocol == "grpc" else server.rest_url


class Measurement:
    """One model, asked over one protocol."""

    def __init__(self, model: str, protocol: str, given: argparse.Namespace) -> None:
        self._given, self._model, self._protocol = given, model, protocol
        self._name = f"{model} {'gRPC' if protocol == 'grpc' else 'REST'}"
        self.failed = 0

    def load(self, server: ModelServer, images: int, what: str) -> Result:
        """Measures and prints one load."""
        result = measure(
            address(server, self._protocol),
            self._protocol,
            self._given.clients,
            self._given.seconds,
            wires(self._model, self._protocol, images),
        )
        self.failed += sum(result.failed.values())
        print(f"{self._name}, {images} a request, {what}: {result}", flush=True)
        return result

    def run(self, batching: ModelServer, plain: ModelServer, peer: InProcess) -> bool:
        """Measures in turns; returns whether the limits hold."""
        large, small = [], []
        tails: dict[str, list[float]] = {"32": [], "1": []}
        for _ in range(self._given.rounds):
            alone = peer.loop(BATCH, self._given.seconds)["images"]
            print(f"{self._name}: in process at batch {BATCH}: {alone:.0f} images/s", flush=True)
            many = self.load(batching, BATCH, "batching on")
            large.append(many.answered * BATCH / alone)
            on, off = self.load(batching, 1, "batching on"), self.load(plain, 1, "batching off")
            small.append(on.answered / off.answered)
            tails["32"].append(many.p99)
            tails["1"].append(on.p99)
        p99 = {size: statistics.median(values) for size, values in tails.items()}
        clients = f"{self._name}, {self._given.clients} clients"
        wide = f"{clients}, 32 images a request (p99 {p99['32']:.1f} ms), to in process"
        narrow = f"{clients}, one image a request (p99 {p99['1']:.1f} ms), batching on to off"
        if self._model == models.HALF:  # it computes nothing: both figures tell what a request costs on its way
            holds = stated(wide, statistics.median(large)) and stated(narrow, statistics.median(small))
        else:
            holds = at_least(wide, statistics.median(large), 0.7)
            holds &= at_least(narrow, statistics.median(small), 3)
        return nothing(f"{self._name}: failed requests", self.failed) and holds


def main() -> None:
    """Measures both models over both protocols; ends with code 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--batching", help="a batching parameters file to use instead")
    parser.add_argument("--only", choices=models.MODELS, help="one model")
    parser.add_argument("--protocol", choices=["grpc", "rest"], help="one protocol")
    models.add_argument(parser)
    given = parser.parse_args()
    holds = True
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(models.prepared(given.models))
        parameters = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "batching.config"
        parameters.write_text(Path(given.batching).read_text() if given.batching else BATCHING)
        flags = ["--enable_batching=true", f"--batching_parameters_file={parameters}"]
        batching = stack.enter_context(ModelServer(made.base_paths, flags=flags))
        plain = stack.enter_context(ModelServer(made.base_paths))
        for model in [given.only] if given.only else models.MODELS:
            with InProcess(model, made.saved_models[model]) as peer:
                for protocol in [given.protocol] if given.protocol else ["grpc", "rest"]:
                    holds &= Measurement(model, protocol, given).run(batching, plain, peer)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
