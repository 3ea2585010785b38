"""`ann run mlp` on generated tables of 0.1, 0.4 and 1.6 million rows: time and peak memory of every component, and the
rows a second of training against a reader of the same records that does nothing else.

    python -m benchmarks.tabular_scale [ROWS...]

Every size runs in a process of its own. A component's peak is the highest resident memory while it ran; what is printed
beside it is the growth for each further row against the first size.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from ann_keras import registry
from benchmarks.pipeline_overhead import seconds

SIZES = [100_000, 400_000, 1_600_000]
NUMBERS, BLOCK = 8, 100_000
EPOCHS = 2


def generate(path: Path, rows: int) -> None:
    """Eight numbers, of which one is sometimes missing, two texts, and a target that follows from them."""
    generator = np.random.default_rng(0)
    names = [f"x{place}" for place in range(NUMBERS)]
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join([*names, "colour", "town", "y"]) + "\n")
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            x = generator.normal(size=(count, NUMBERS))
            colour, town = generator.integers(0, 5, count), generator.integers(0, 40, count)
            y = x[:, 0] * x[:, 1] + np.abs(x[:, 2]) + colour * 0.3 + np.sin(town) + generator.normal(0, 0.3, count)
            gone = generator.random(count) < 0.02
            for place in range(count):
                cells = [f"{value:.5f}" for value in x[place]]
                if gone[place]:
                    cells[3] = ""
                file.write(f"{','.join(cells)},colour{colour[place]},town{town[place]},{y[place]:.5f}\n")


def peak_mb() -> float:
    """The highest resident memory since `reset_peak`, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def reset_peak() -> None:
    """Forgets the highest resident memory so far."""
    Path("/proc/self/clear_refs").write_text("5")


class Peaks:
    """A listener that notes each component's peak and time."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}
        self.times: dict[str, float] = {}

    def start(self, node: str, why: str) -> None:
        """A component begins."""
        reset_peak()

    def detail(self, text: str) -> None:
        """What it is at."""

    def fail(self, node: str, seconds: float) -> None:
        """A component raised."""

    def finish(self, node: str, seconds: float, reused: bool) -> None:
        """A component ended."""
        self.peaks[node], self.times[node] = peak_mb(), seconds


def measure(path: str) -> dict[str, Any]:
    """Runs the pipeline in this process, then reads its training records bare."""
    from pipelines import entrypoints, factory
    from pipelines.runners import local

    triple = registry.resolve("mlp", f"csv:{path}?label=y", overrides={"epochs": EPOCHS, "batch_size": 1024})
    peaks = Peaks()
    with tempfile.TemporaryDirectory() as root:
        paths = factory.Paths(root, "mlp")
        outcome = local.run(factory.create_pipeline(triple, paths, factory.Options()), peaks)
        run = Path(outcome.outputs["Trainer"]["model_run"][0].uri) / entrypoints.FIT_FILE
        steps = json.loads(run.read_text())["step_seconds"]
        examples = Path(outcome.outputs["StratifiedExampleGen"]["examples"][0].uri)
        trained = read_bare(sorted(map(str, (examples / "Split-train").glob("*.gz"))), triple)
    batch = triple.training.batch_size
    return {
        "rows": len(triple.dataset.index()),
        "peaks": peaks.peaks,
        "times": peaks.times,
        "trained": batch / min(steps),
        "bare": trained,
    }


def read_bare(files: list[str], triple: Any) -> float:
    """Rows a second of tf.data: reading, parsing and batching the same records, and nothing else."""
    import tensorflow as tf

    from serving.export import parsing_spec

    spec = parsing_spec((*triple.task.features, triple.task.label))
    read = tf.data.TFRecordDataset(files, "GZIP").batch(triple.training.batch_size)
    parsed = read.map(lambda records: tf.io.parse_example(records, spec), num_parallel_calls=tf.data.AUTOTUNE)
    started, rows = time.perf_counter(), 0
    for batch in parsed.prefetch(tf.data.AUTOTUNE):
        rows += len(batch[triple.task.label.name])
    return rows / (time.perf_counter() - started)


def main() -> None:
    """Measures each size in a child and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=SIZES)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child)))
        return
    first: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows in given.rows:
            path = Path(folder) / f"table{rows}.csv"
            generate(path, rows)
            command = [sys.executable, "-m", "benchmarks.tabular_scale", "--child", str(path)]
            found = json.loads(seconds(command)[1].splitlines()[-1])
            path.unlink()
            first = first or found
            report(found, first)


def report(found: dict[str, Any], first: dict[str, Any]) -> None:
    """Prints one size against the first."""
    total, before = sum(found["times"].values()), sum(first["times"].values())
    times = found["rows"] / first["rows"]
    print(f"{found['rows']:,} rows: {total:.1f} s, {total / before:.2f} times as long for {times:.0f} times the rows")
    for name, peak in found["peaks"].items():
        more = found["rows"] - first["rows"]
        growth = f"{(peak - first['peaks'][name]) * 2**20 / more:7.0f} bytes a further row" if more else ""
        print(f"  {name:<22}{found['times'][name]:7.1f} s {peak:7.0f} MiB  {peak / first['peaks'][name]:.3f}  {growth}")
    ratio = found["trained"] / found["bare"]
    bare = f"a bare reader {found['bare']:,.0f}"
    print(f"  training {found['trained']:,.0f} rows a second, {bare}: {ratio:.3f}", flush=True)


if __name__ == "__main__":
    main()
