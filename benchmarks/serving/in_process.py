"""The peer of every figure: the signature that `tf.saved_model.load` gives, called in a loop in a process of its own.

The tensors are made before the clock starts and the answers stay tensors, so that nothing but the call is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.serving.figures import percentile
from benchmarks.serving.requests import array, input_name, rows


class InProcess:
    """A process that has loaded a model and calls it when asked to; idle in between."""

    def __init__(self, model: str, saved_model: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.serving.in_process", model, str(saved_model)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.load_seconds = float(self._read()["load_seconds"])

    def _read(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that calls the model in a loop has ended")
        answer: dict[str, float] = json.loads(line)
        return answer

    def loop(self, batch: int, seconds: float) -> dict[str, float]:
        """Calls the signature for a while. Returns "median" in milliseconds and "images" a second."""
        assert self._process.stdin is not None
        print(batch, seconds, file=self._process.stdin, flush=True)
        return self._read()

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def main() -> None:
    """Loads, then answers each line `BATCH SECONDS` with a line of figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("saved_model")
    given = parser.parse_args()
    import tensorflow as tf

    started = time.perf_counter()
    loaded = tf.saved_model.load(given.saved_model)  # held here: a signature alone does not keep its variables alive
    signature = loaded.signatures["serving_default"]
    print(json.dumps({"load_seconds": time.perf_counter() - started}), flush=True)
    for line in sys.stdin:
        batch, seconds = line.split()
        tensors = [
            tf.constant(array(given.model, rows(given.model, int(batch), offset * int(batch)))) for offset in range(8)
        ]
        for tensor in tensors:
            signature(**{input_name(given.model): tensor})
        taken: list[float] = []
        stop = time.perf_counter() + float(seconds)
        while (begun := time.perf_counter()) < stop:
            signature(**{input_name(given.model): tensors[len(taken) % 8]})
            taken.append(time.perf_counter() - begun)
        images = len(taken) * int(batch) / sum(taken)
        print(json.dumps({"median": percentile(taken, 0.5) * 1e3, "images": images}), flush=True)


if __name__ == "__main__":
    main()
