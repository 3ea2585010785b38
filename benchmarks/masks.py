"""What the benchmarks of segmentation share: judging a model as the Evaluator does, and results that outlive a kill."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import data
from ann_keras.metrics import confusion
from ann_keras.registry import Triple


@dataclass(frozen=True)
class Judged:
    """A model on the rows of a split, at the images' own size.

    Attributes:
        counts: pixels by true class (rows) and answer, float64 [classes, classes].
        answers: the answered masks as PNGs, in the order of the rows; `truths` the true ones.
        seconds: that the answers and their judgement took.
    """

    counts: np.ndarray
    answers: list[bytes]
    truths: list[bytes]
    seconds: float

    @property
    def figures(self) -> dict[str, float]:
        """The "pixel_accuracy" and the "mean_iou"."""
        found = {name: getattr(confusion, name)(self.counts, np) for name in ("pixel_accuracy", "mean_iou")}
        return {name: float(value) for name, value in found.items()}

    @property
    def class_iou(self) -> list[float]:
        """The IoU of each class."""
        ious: list[float] = confusion.class_iou(self.counts, np).tolist()
        return ious


def judge(triple: Triple, loaded: data.Data, model: keras.Model, split: str = "test") -> Judged:
    """Answers the raw images of a split in the arithmetic of the exported signature "evaluate".

    Args:
        triple: of semantic segmentation.
        loaded: its data.
        model: trained on them.
        split: whose rows.
    """
    task, features = triple.task, (*triple.task.features, triple.task.label)
    count = task.evaluation.judge
    assert count is not None
    signature = {feature.name: tf.TensorSpec([None], tf.string) for feature in features}

    @tf.function(input_signature=[signature])
    def evaluate(raw: Any) -> Any:
        prepared = loaded.transform(raw)
        answers = task.answer(model, prepared)
        return count(answers, prepared)["confusion"], answers["mask_bytes"]

    started = time.perf_counter()
    counts, answered, truths = np.zeros(()), [], []
    for row in loaded.rows[split]:
        found, mask = evaluate({feature.name: tf.constant([row.values[feature.name]]) for feature in features})
        counts = counts + found.numpy().sum(0).astype(np.float64)
        answered.append(mask.numpy()[0])
        truths.append(row.values[task.label.name])
    return Judged(counts, answered, truths, time.perf_counter() - started)


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
    """Prints the losses and the validation mean IoU of every `every`-th epoch."""

    def __init__(self, every: int = 10) -> None:
        super().__init__()
        self.every = every

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Prints."""
        if (epoch + 1) % self.every == 0:
            names = ("loss", "val_loss", "val_mean_iou")
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
