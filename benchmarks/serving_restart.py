"""kill -9 and start again: the time until the server is ready, and whether it left anything to repair.

    python -m benchmarks.serving_restart [--rounds 5] [--models DIR]

The server is killed while a client asks. Ready means: a first right answer over REST. The peer, from the same run, is a
process that imports TensorFlow and loads the same models with `tf.saved_model.load`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import threading
import time
from pathlib import Path

from benchmarks.pipeline_overhead import seconds
from benchmarks.serving import models, requests
from benchmarks.serving.figures import at_most, nothing
from serving.client import Client
from serving.errors import ServingError
from serving.process import ModelServer

LOAD = """
import sys, time, tensorflow as tf
started = time.perf_counter()
for path in sys.argv[1:]:
    tf.saved_model.load(path)
print(time.perf_counter() - started)
"""


def digest(folders: list[Path]) -> str:
    """Returns a hash of the names, sizes, times and contents below some folders."""
    found = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            found.update(f"{path}\0{path.stat().st_mtime_ns}\0".encode())
            found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


def start(made: models.Models) -> tuple[ModelServer, float]:
    """Starts the server; returns it and the seconds until it has answered for every model."""
    started = time.perf_counter()
    server = ModelServer(made.base_paths).__enter__()
    for model in models.MODELS:
        with Client(server.rest_url, model) as client:
            client.predict({requests.input_name(model): requests.array(model, requests.rows(model, 1))})
    return server, time.perf_counter() - started


def kill(server: ModelServer) -> None:
    """Kills the server with SIGKILL while it is being asked."""
    assert server.process is not None
    asked = threading.Event()

    def ask() -> None:
        with Client(server.rest_url, models.HALF, timeout=5) as client:
            try:
                while True:
                    client.predict({"x": requests.array(models.HALF, [1.0])})
                    asked.set()
            except ServingError:
                return

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait(10)
    server.process.kill()
    server.process.wait()
    thread.join()
    server.close()


def main() -> None:
    """Measures and prints; ends with code 1 where the server is slower than the peer or has changed a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    models.add_argument(parser)
    given = parser.parse_args()
    with models.prepared(given.models) as made:
        before = digest(list(made.base_paths.values()))
        command = [sys.executable, "-c", LOAD, *map(str, made.saved_models.values())]
        seconds(command)  # warms the disk
        server, first = start(made)
        print(f"first start: {first:.2f} s until every model has answered")
        again, load = [], []
        try:
            for _ in range(given.rounds):
                kill(server)
                wall, output = seconds(command)
                load.append(wall)
                server, taken = start(made)
                again.append(taken)
                print(
                    f"after kill -9: {taken:.2f} s; TensorFlow imported and the models loaded: {wall:.2f} s, "
                    f"of which tf.saved_model.load {float(output):.2f} s"
                )
        finally:
            server.close()
        ratio = statistics.median(again) / statistics.median(load)
        holds = at_most("ready after kill -9, to a process that only loads the models", ratio, 1.0, "x")
        changed = int(digest(list(made.base_paths.values())) != before)
        holds &= nothing("model folders that were changed", changed)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
