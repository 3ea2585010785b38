"""`ann run lenet5` on digits against a bare TFX script of the same, end to end, in fresh processes that take turns.

    python -m benchmarks.pipeline_overhead [--rounds 3]

Also prints the same run again with nothing changed against `import tfx.v1` alone, and the time of `ann list`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ANN = str(Path(sys.executable).with_name("ann"))
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


def seconds(command: list[str]) -> tuple[float, str]:
    """Runs a command in a process of its own; returns wall time and standard output, or stops the benchmark."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started, done.stdout


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {"ann": [], "bare": [], "again": [], "import": [], "list": []}
    seconds([sys.executable, "-c", "import tfx.v1"])  # warms the disk
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            run = [ANN, "run", "lenet5", "--root", f"{folder}/ann", "--json"]
            wall, output = seconds(run)
            taken["ann"].append(wall)
            document = json.loads(output)
            history = Path(document["report"]).with_name("summary.json")
            epochs = json.loads(history.read_text())["epochs"]
            bare = [sys.executable, "-m", "benchmarks.bare_digits", "--root", f"{folder}/bare", "--epochs", str(epochs)]
            taken["bare"].append(seconds(bare)[0])
            taken["again"].append(seconds(run)[0])
        taken["import"].append(seconds([sys.executable, "-c", "import tfx.v1"])[0])
        taken["list"].append(seconds([ANN, "list"])[0])
    middle = {name: statistics.median(values) for name, values in taken.items()}
    parts = "  ".join(f"{name} {value:.1f}" for name, value in document["seconds"].items())
    accuracy = document["metrics"]["test"]["accuracy"]
    print(f"components of `ann run` in seconds: {parts}")
    print(f"epochs trained by both: {epochs}; test accuracy of `ann run`: {accuracy:.4f}")
    compare("ann run", middle["ann"], "bare TFX", middle["bare"], 1)
    compare("ann run again, nothing changed", middle["again"], "import tfx.v1", middle["import"], 1.3)
    compare("ann list", middle["list"], "half a second", 0.5, 1)


def compare(name: str, taken: float, peer: str, peer_taken: float, limit: float) -> None:
    """Prints two durations and their ratio."""
    ratio = taken / peer_taken
    print(f"{name} {taken:.2f} s, {peer} {peer_taken:.2f} s: ratio {ratio:.2f} (limit {limit})")


if __name__ == "__main__":
    main()
