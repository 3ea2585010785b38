"""The one place that builds, compiles, fits, stops early, checkpoints and resumes."""

from __future__ import annotations

import contextlib
import inspect
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from ann_keras import initial_weights
from ann_keras.data import Split
from ann_keras.optimizers.course_momentum import CourseMomentum, CourseNesterov
from ann_keras.optimizers.rprop import Rprop
from ann_keras.optimizers.schedules import WarmUp
from ann_keras.registry import Triple
from ann_keras.resuming import ResumableEarlyStopping
from ann_keras.settings import Training
from ann_keras.task import Feature


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
        initialised: one line on the layers that the setting init_from gave their first weights; "" without it.
    """

    model: keras.Model
    history: dict[str, list[float]]
    best_epoch: int
    resumed_epoch: int
    metrics: dict[str, dict[str, float]]
    step_seconds: list[float]
    initialised: str = ""


def build(triple: Triple, examples: int = 1) -> keras.Model:
    """Returns the triple's model, not compiled, for the inputs and outputs of its task.

    Args:
        triple: as of `registry.resolve`.
        examples: of the training split, for models whose `build` asks: those with a prior on their weights.
    """
    inputs = {feature.name: _input(feature) for feature in triple.task.inputs}
    asks = "examples" in inspect.signature(triple.model.build).parameters
    more = {"examples": examples} if asks else {}
    model: keras.Model = triple.model.build(triple.config, inputs, triple.task.outputs, **more)
    return model


def _input(feature: Feature) -> Any:
    return keras.Input(feature.shape, dtype=feature.dtype, name=feature.name)


def optimizer(settings: Training, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer that the settings name, with its step size over the epochs.

    Raises:
        ValueError: where Rprop is given a schedule, or batches that are not all of the data.
    """
    rate: Any = settings.learning_rate
    if settings.optimizer == "rprop":
        if settings.decay != "none" or settings.warmup:
            asked = f"decay={settings.decay!r}" if settings.decay != "none" else f"warmup={settings.warmup}"
            raise ValueError(f"{asked}: expected none, Rprop adapts its steps by itself")
        if steps_per_epoch > 1:
            raise ValueError(
                f"batch_size={settings.batch_size}: Rprop compares the gradients of whole epochs, expected at least the"
                " number of training examples"
            )
        return Rprop(rate)
    steps = settings.epochs * steps_per_epoch
    if settings.decay == "cosine":
        falling, rising = max(steps - settings.warmup, 1), settings.warmup
        cosine = keras.optimizers.schedules.CosineDecay
        rate = cosine(0.0, falling, warmup_target=rate, warmup_steps=rising) if rising else cosine(rate, falling)
    elif settings.decay == "inverse_sqrt" or settings.warmup:
        rate = WarmUp(rate, settings.warmup, power=0.5 if settings.decay == "inverse_sqrt" else 0.0)
    momentum = settings.momentum
    makers: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
        "adam": lambda: keras.optimizers.Adam(rate, beta_2=settings.beta_2),
        "sgd": lambda: keras.optimizers.SGD(rate, momentum),
        "plain_sgd": lambda: keras.optimizers.SGD(rate),
        "nesterov": lambda: keras.optimizers.SGD(rate, momentum, nesterov=True),
        "course_momentum": lambda: CourseMomentum(rate, momentum),
        "course_nesterov": lambda: CourseNesterov(rate, momentum),
        "adagrad": lambda: keras.optimizers.Adagrad(rate),
        "rmsprop": lambda: keras.optimizers.RMSprop(rate),
        "adadelta": lambda: keras.optimizers.Adadelta(rate),
    }
    made = makers[settings.optimizer]()
    made.global_clipnorm = settings.clip_norm
    return made


def fit(
    triple: Triple,
    train: Split,
    evaluation: Split,
    seed: int = 0,
    checkpoint_dir: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    model: keras.Model | None = None,
) -> Fit:
    """Fits the triple's model.

    Args:
        triple: says what to build and how to train it.
        train: the training split.
        evaluation: the validation split, which decides when to stop and which epoch is best.
        seed: of weights, order, dropout and augmentation; the same seed gives the same weights on one machine.
        checkpoint_dir: where every epoch is kept; a fit that finds one there goes on from it. It stays there until the
            caller, who has saved the model by then, calls `discard`.
        callbacks: further ones, told of every epoch.
        model: the compiled one of an earlier fit with as many examples, put back to the weights it began with: its
            traced functions are used again. None builds one.
    """
    settings: Training = triple.training
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_dtype_policy("mixed_float16" if settings.mixed_precision else "float32")
    initialised = ""
    try:
        with strategy_scope(settings.strategy):
            if model is None:
                model = build(triple, len(train))
                if settings.init_from is not None:
                    initialised = initial_weights.transfer(model, settings.init_from)
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
    return Fit(model, stopping.history, stopping.best_epoch, start, metrics, clock.seconds, initialised)


def discard(checkpoint_dir: str | Path | None) -> None:
    """Removes the checkpoints of a fit whose model is saved."""
    if checkpoint_dir is not None:
        shutil.rmtree(checkpoint_dir, ignore_errors=True)


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
