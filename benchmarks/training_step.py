"""The training step of `ann run` against a bare `keras.Model.fit` on arrays in memory, at the same batch size.

    python -m benchmarks.training_step [--model lenet5] [--dataset digits] [--epochs 12]

Both train the same network on the same examples in processes of their own; the first epoch, which compiles, does not
count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.pipeline_overhead import ANN, ENVIRONMENT, seconds


def bare(model: str, dataset: str, epochs: int) -> list[float]:
    """Seconds of a step in each epoch of a bare fit."""
    import keras

    from ann_keras import data, registry, training

    triple = registry.resolve(model, dataset, overrides={"augment": "none"})
    loaded = data.load(triple)
    arrays = loaded.train.arrays
    assert arrays is not None
    inputs = {feature.name: arrays[feature.name] for feature in triple.task.inputs}
    network = training.build(triple)
    network.compile(training.optimizer(triple.training, 1), **triple.task.compile_args())
    steps = loaded.train.steps(triple.training.batch_size)
    taken = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            taken.append((time.perf_counter() - self.started) / steps)

    network.fit(
        inputs,
        arrays[triple.task.label.name],
        batch_size=triple.training.batch_size,
        epochs=epochs,
        verbose=0,
        callbacks=[Clock()],
    )
    return taken


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lenet5")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        print(json.dumps(bare(given.model, given.dataset, given.epochs)))
        return
    ours, peers = [], []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as root:
            wanted = {"epochs": given.epochs, "patience": given.epochs, "augment": "none", "min_accuracy": 0}
            settings = [part for name, value in wanted.items() for part in ("--set", f"{name}={value}")]
            run = [ANN, "run", given.model, "--dataset", given.dataset, "--root", root, "--json", *settings]
            document = json.loads(seconds(run)[1])
            summary = json.loads(Path(document["report"]).with_name("summary.json").read_text())
            ours.append(statistics.median(summary["step_seconds"][1:]))
        peer = [sys.executable, "-m", "benchmarks.training_step", "--bare"]
        peer += ["--model", given.model, "--dataset", given.dataset, "--epochs", str(given.epochs)]
        done = subprocess.run(peer, capture_output=True, text=True, env=ENVIRONMENT, check=True)
        peers.append(statistics.median(json.loads(done.stdout.splitlines()[-1])[1:]))
    mine, theirs = statistics.median(ours), statistics.median(peers)
    ratio = mine / theirs
    print(f"step under ann run {1000 * mine:.2f} ms, bare fit {1000 * theirs:.2f} ms: ratio {ratio:.3f} (limit 1.1)")


if __name__ == "__main__":
    main()
