"""What the benchmarks that train share: a limit of time, the steps' clock, and results that outlive a kill."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras


class Limit(keras.callbacks.Callback):
    """Ends training after the epoch, or with `within` the step, in which its time is up.

    Args:
        seconds: of training; None for no limit.
        within: whether an epoch is broken off; the first step, which compiles, does not count then.

    Attributes:
        elapsed: seconds of training so far.
    """

    def __init__(self, seconds: float | None, within: bool = False) -> None:
        super().__init__()
        self.seconds, self.within = seconds, within
        self.elapsed = 0.0
        self._started: float | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = None if self.within else time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at it."""
        if self.within:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Looks at it."""
        self._look()

    def _look(self) -> None:
        now = time.perf_counter()
        if self._started is None:
            self._started = now
        self.elapsed = now - self._started
        if self.seconds is not None and self.elapsed >= self.seconds:
            self.model.stop_training = True


class Steps(keras.callbacks.Callback):
    """Notes the seconds of each training step, the clock's and the processor's, the first of an epoch left out."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[tuple[float, float]] = []
        self._ended: tuple[float, float] | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Forgets the step before."""
        self._ended = None

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes what has passed since the last one."""
        now = time.perf_counter(), time.process_time()
        if self._ended is not None:
            self.seconds.append((now[0] - self._ended[0], now[1] - self._ended[1]))
        self._ended = now

    def medians(self, start: int = 0) -> tuple[float, float]:
        """Of the steps from number `start` on, by the clock and of the processor."""
        if len(self.seconds) <= start:
            raise SystemExit("no step was measured: train longer, or on smaller images")
        clock, processor = zip(*self.seconds[start:], strict=True)
        return statistics.median(clock), statistics.median(processor)


class Told(keras.callbacks.Callback):
    """Prints the losses of every `every`-th epoch, and its validation `metric`."""

    def __init__(self, every: int = 10, metric: str = "mean_iou") -> None:
        super().__init__()
        self.every, self.metric = every, metric

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints."""
        if (epoch + 1) % self.every == 0:
            names = ("loss", "val_loss", f"val_{self.metric}")
            figures = ", ".join(f"{name} {(logs or {})[name]:.4f}" for name in names if name in (logs or {}))
            print(f"    epoch {epoch + 1}: {figures}", flush=True)


class Results:
    """Figures by what they were measured with, one JSON object a line, each written when it is there.

    Args:
        path: of the file, which need not exist; None keeps them in memory alone.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        if path is not None and path.exists():
            self.lines = [json.loads(line) for line in path.read_text().splitlines() if _whole(line)]

    def find(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """The latest figures measured with exactly `asked`, or None."""
        wanted = json.loads(json.dumps(dict(asked)))
        return next((line["figures"] for line in reversed(self.lines) if line["asked"] == wanted), None)

    def add(self, asked: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
        """Appends figures, and returns them as JSON has them."""
        line: dict[str, Any] = json.loads(json.dumps({"asked": dict(asked), "figures": dict(figures)}))
        self.lines.append(line)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A line that a kill cut short ends here, and stays one that cannot be read.
            cut = self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
            with self.path.open("a") as file:
                file.write("\n" * cut + json.dumps(line) + "\n")
        found: dict[str, Any] = line["figures"]
        return found


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def overrides(pairs: list[str]) -> dict[str, str]:
    """The settings of `--set KEY=VALUE`, each given as one text.

    Raises:
        SystemExit: for one without "=".
    """
    for pair in pairs:
        if "=" not in pair:
            raise SystemExit(f"--set {pair}: expected KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def digest(asked: dict[str, Any]) -> str:
    """A short name of what a network was trained with."""
    return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=6).hexdigest()
