"""What a run tells the person who waits for it: one live line per component, and one per epoch within it.

Components run in the runner's process and do not know who listens: they tell the listener that is installed here, and
where none is (on Kubeflow, in a Beam worker) nobody hears it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import keras

from pipelines.console import figure

_listeners: list[Any] = []
_prefix = ""


def tell(text: str) -> None:
    """Shows `text` beside the component that runs."""
    for listener in _listeners:
        listener.detail(_prefix + text)


@contextlib.contextmanager
def listening(listener: Any) -> Iterator[None]:
    """Installs an object whose `detail(text)` is called."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def trial(number: int, count: int) -> Iterator[None]:
    """Says which trial of a search what is told belongs to."""
    global _prefix
    _prefix = f"trial {number}/{count}, "
    try:
        yield
    finally:
        _prefix = ""


class Epochs(keras.callbacks.Callback):
    """Tells each epoch with its losses and metrics.

    Args:
        epochs: the number there will be at most.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self._told = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells the step, twice a second at most."""
        if time.monotonic() - self._told > 0.5:
            self._told = time.monotonic()
            tell(f"epoch {self._epoch + 1}/{self.epochs}, step {batch + 1}/{self.params.get('steps')}")

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the epoch."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tells the epoch's figures."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        names = sorted((name for name in values if not name.startswith("val_")), key=lambda name: name != "loss")
        figures = "  ".join(f"{name} {figure(values[name])}{_validated(values, name)}" for name in names)
        tell(f"epoch {epoch + 1}/{self.epochs}  {figures}")


def _validated(values: dict[str, float], name: str) -> str:
    return f" (val {figure(values[f'val_{name}'])})" if f"val_{name}" in values else ""
