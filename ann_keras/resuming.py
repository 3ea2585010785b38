"""Early stopping that survives a kill: every epoch is kept on disk until the fit's result is."""

from __future__ import annotations

import json
import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

PROGRESS = ("wait", "best_epoch", "best")
"""Attributes of early stopping that a checkpoint keeps."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
"""What reading a damaged checkpoint may raise."""


class ResumableEarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping with the best weights restored, whose every epoch survives a kill.

    After each epoch the weights, the states of the optimizer and of the random numbers, the best weights and the
    course of the losses are written beside each other and moved into place at once, so that a killed process leaves
    either the old epoch or the new one.

    Args:
        patience: epochs without a better validation loss.
        directory: where checkpoints are kept; None keeps none.
    """

    def __init__(self, patience: int, directory: str | Path | None) -> None:
        super().__init__(monitor="val_loss", mode="min", patience=patience, restore_best_weights=True)
        self.directory = Path(directory) if directory is not None else None
        self.history: dict[str, list[float]] = {}
        self.ended = False
        self._resumed: dict[str, Any] = {}

    def restore(self, model: keras.Model) -> int:
        """Loads the latest checkpoint into a compiled model and returns the epoch to go on with, 0 where there is none.

        Checkpoints that cannot be read, or are those of another model, are removed with a warning.
        """
        if self.directory is None or not self.directory.is_dir():
            return 0
        model.optimizer.build(model.trainable_variables)
        for path in sorted(self._checkpoints(), key=_epoch, reverse=True):
            try:
                self._load(path, model)
                return _epoch(path) + 1
            except UNREADABLE as error:
                warnings.warn(f"the checkpoint {path} is left out: {error}", stacklevel=2)
        for path in self.directory.iterdir():
            shutil.rmtree(path, ignore_errors=True)
        return 0

    def _load(self, path: Path, model: keras.Model) -> None:
        state = json.loads((path / "state.json").read_text())
        last, best = _arrays(path / "last.npz"), _arrays(path / "best.npz")
        variables = _variables(model)
        for kept, wanted in ((last, variables), (best, model.weights)):
            if [array.shape for array in kept] != [tuple(variable.shape) for variable in wanted]:
                raise ValueError("it is that of another model")
        self.history = state.pop("history")
        self._resumed = {name: state[name] for name in PROGRESS} | {"best_weights": best}
        self.ended = self._resumed["wait"] >= self.patience
        for variable, array in zip(variables, last, strict=True):
            variable.assign(array)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Takes up the state that was restored."""
        super().on_train_begin(logs)
        for name, value in self._resumed.items():
            setattr(self, name, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Decides whether to stop, and writes the checkpoint."""
        super().on_epoch_end(epoch, logs)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if self.directory is not None:
            self._write(epoch)

    def _checkpoints(self) -> list[Path]:
        assert self.directory is not None
        return [path for path in self.directory.glob("epoch-*") if path.name.removeprefix("epoch-").isdecimal()]

    def _write(self, epoch: int) -> None:
        assert self.directory is not None
        previous = self.directory / f"epoch-{epoch - 1}"
        partial = self.directory / f"partial-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        np.savez(partial / "last.npz", *map(keras.ops.convert_to_numpy, _variables(self.model)))
        if self.best_epoch == epoch or not previous.is_dir():
            np.savez(partial / "best.npz", *self.best_weights)
        else:
            _link(previous / "best.npz", partial / "best.npz")
        state = {name: getattr(self, name) for name in PROGRESS}
        state["best"] = float(state["best"])
        (partial / "state.json").write_text(json.dumps({**state, "history": self.history}))
        partial.rename(self.directory / f"epoch-{epoch}")
        for path in self._checkpoints():
            if _epoch(path) != epoch:
                shutil.rmtree(path)


def _variables(model: keras.Model) -> list[Any]:
    """All that a training step changes: weights, the states of dropout's random numbers, the optimizer's moments."""
    return [*model.variables, *model.optimizer.variables]


def _arrays(path: Path) -> list[np.ndarray]:
    with np.load(path) as file:
        return [file[name] for name in file.files]


def _epoch(path: Path) -> int:
    return int(path.name.removeprefix("epoch-"))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)
