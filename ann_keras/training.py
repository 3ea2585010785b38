"""The one place that builds, compiles, fits, stops early, checkpoints and resumes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ann_keras.data import Split
from ann_keras.registry import Triple
from ann_keras.settings import Training
from ann_keras.task import Feature

PROGRESS = ("wait", "best_epoch", "best")
"""Attributes of early stopping that a checkpoint keeps."""
UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)
"""What reading a damaged checkpoint may raise."""


@dataclass(frozen=True)
class Fit:
    """What a fit came to.

    Attributes:
        model: with the weights of its best epoch, compiled.
        history: one value per epoch by name, "loss", "accuracy", "val_loss", ...
        best_epoch: the epoch whose weights the model has, from 0.
        resumed_epoch: the first epoch that this process ran, from 0; above 0 after a kill.
        metrics: by split ("train", "eval") and name, measured with the model as it is.
        step_seconds: mean duration of a training step in each epoch that this process ran.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    resumed_epoch: int
    metrics: dict[str, dict[str, float]]
    step_seconds: list[float]


def build(triple: Triple) -> keras.Model:
    """Returns the triple's model, not compiled, for the inputs and outputs of its task."""
    inputs = {feature.name: _input(feature) for feature in triple.task.inputs}
    model: keras.Model = triple.model.build(triple.config, inputs, triple.task.outputs)
    return model


def _input(feature: Feature) -> Any:
    return keras.Input(feature.shape, dtype=feature.dtype, name=feature.name)


def optimizer(settings: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer that the settings name, with its step size over the epochs."""
    rate: Any = settings.learning_rate
    if settings.decay == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, settings.epochs * steps_per_epoch)
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9)
    return keras.optimizers.Adam(rate)


def fit(
    triple: Triple,
    train: Split,
    evaluation: Split,
    seed: int = 0,
    checkpoint_dir: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Fit:
    """Fits the triple's model.

    Args:
        triple: says what to build and how to train it.
        train: the training split.
        evaluation: the validation split, which decides when to stop and which epoch is best.
        seed: of weights, order, dropout and augmentation; the same seed gives the same weights on one machine.
        checkpoint_dir: where every epoch is kept until the fit ends; a fit that finds one there goes on from it.
        callbacks: further ones, told of every epoch.
    """
    settings: Training = triple.training
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_dtype_policy("mixed_float16" if settings.mixed_precision else "float32")
    try:
        with strategy_scope(settings.strategy):
            model = build(triple)
            model.compile(
                optimizer=optimizer(settings, train.steps(settings.batch_size)),
                jit_compile=settings.jit_compile,
                **triple.task.compile_args(),
            )
            # A fit of one epoch has nothing to go on from.
            stopping = ResumableEarlyStopping(settings.patience, checkpoint_dir if settings.epochs > 1 else None)
            start = stopping.restore(model)
        first = settings.epochs if stopping.ended else start
        clock = StepClock()
        model.fit(
            train.training_batches(settings.batch_size, seed, start, triple.task.augment),
            steps_per_epoch=train.steps(settings.batch_size),
            epochs=settings.epochs,
            initial_epoch=first,
            validation_data=evaluation.batches(settings.batch_size),
            callbacks=[clock, stopping, *callbacks],
            shuffle=False,  # the batches are in an order of their own
            verbose=0,
        )
        splits = {"train": train, "eval": evaluation}
        metrics = {name: evaluate(model, split, settings.batch_size) for name, split in splits.items()}
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    stopping.forget()
    return Fit(model, stopping.history, stopping.best_epoch, start, metrics, clock.seconds)


def evaluate(model: keras.Model, split: Split, batch_size: int) -> dict[str, float]:
    """The compiled loss and metrics of a model on a split, by name."""
    found = model.evaluate(split.batches(batch_size), verbose=0, return_dict=True)
    return {name: float(value) for name, value in found.items()}


def strategy_scope(name: str) -> contextlib.AbstractContextManager[Any]:
    """The scope of a tf.distribute strategy, or an empty one for "none".

    Raises:
        ValueError: where the Keras backend is not TensorFlow.
    """
    if name == "none":
        return contextlib.nullcontext()
    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"strategy={name!r} needs the TensorFlow backend, Keras runs on {keras.backend.backend()}")
    import tensorflow as tf

    strategies = {
        "mirrored": tf.distribute.MirroredStrategy,
        "multi_worker_mirrored": tf.distribute.MultiWorkerMirroredStrategy,
    }
    scope: contextlib.AbstractContextManager[Any] = strategies[name]().scope()
    return scope


class StepClock(keras.callbacks.Callback):
    """Measures the training steps of every epoch, without validation and checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = self._ended = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the end of the latest step."""
        self._ended = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Divides by the number of steps."""
        self.seconds.append((self._ended - self._started) / (self.params["steps"] or 1))


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

    def forget(self) -> None:
        """Removes the checkpoints of a fit that ended."""
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

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
