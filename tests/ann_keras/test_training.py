"""Fitting: early stopping, checkpoints, resuming after a kill, and the options."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import data, registry, resuming, training
from ann_keras.settings import Training
from ann_keras.training import Fit
from tests.ann_keras.interrupted import SETTINGS, Interruption, noise_triple

ROOT = Path(__file__).parents[2]


def fit(checkpoints: Path | None = None, callbacks: Any = (), **overrides: Any) -> Fit:
    triple = noise_triple(**overrides)
    loaded = data.load(triple)
    return training.fit(triple, loaded.train, loaded.eval, 3, checkpoints, callbacks)


def interrupted(checkpoints: Path, epoch: int, **overrides: Any) -> None:
    """A fit that ends in the middle of an epoch."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(checkpoints, [Interruption(epoch, interrupt)], **overrides)


def assert_same(one: Fit, other: Fit) -> None:
    for mine, theirs in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert (one.history, one.best_epoch, one.metrics) == (other.history, other.best_epoch, other.metrics)


@pytest.fixture(scope="module")
def whole() -> Fit:
    """A fit that nothing interrupts."""
    return fit()


def test_fit_without_checkpoints(whole: Fit) -> None:
    assert set(whole.history) == {
        *("loss", "accuracy", "cross_entropy"),
        *("val_loss", "val_accuracy", "val_cross_entropy"),
    }
    assert {len(values) for values in whole.history.values()} == {SETTINGS["epochs"]}
    assert len(whole.step_seconds) == SETTINGS["epochs"]
    assert all(seconds > 0 for seconds in whole.step_seconds)
    assert whole.resumed_epoch == 0
    assert set(whole.metrics) == {"train", "eval"}
    assert whole.metrics["eval"]["loss"] == pytest.approx(min(whole.history["val_loss"]), rel=1e-5)
    assert whole.history["val_loss"].index(min(whole.history["val_loss"])) == whole.best_epoch


@pytest.mark.slow
def test_killed_in_mid_training_and_run_again(tmp_path: Path, whole: Fit) -> None:
    checkpoints, out = tmp_path / "checkpoints", tmp_path / "out"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.ann_keras.interrupted", str(checkpoints), str(out), *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    killed = run("3")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in checkpoints.iterdir()] == ["epoch-2"]
    again = run()
    assert again.returncode == 0, again.stderr
    kept = json.loads(Path(f"{out}.json").read_text())
    assert kept == {"history": whole.history, "best_epoch": whole.best_epoch, "resumed_epoch": 3}
    with np.load(f"{out}.npz") as weights:
        for name, expected in zip(weights.files, whole.model.get_weights(), strict=True):
            np.testing.assert_array_equal(weights[name], expected)
    # The last epoch stays until the caller has saved the model.
    assert [path.name for path in checkpoints.iterdir()] == [f"epoch-{len(whole.history['loss']) - 1}"]
    training.discard(checkpoints)
    assert not checkpoints.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [{"optimizer": "sgd", "decay": "none"}, {"mixed_precision": True}, {"strategy": "mirrored"}, {"memory_mb": 0}],
    ids=str,
)
def test_resumed_equals_uninterrupted(tmp_path: Path, overrides: dict[str, Any]) -> None:
    interrupted(tmp_path, 2, **overrides)
    resumed = fit(tmp_path, **overrides)
    assert resumed.resumed_epoch == 2
    assert_same(resumed, fit(**overrides))


@pytest.mark.slow
def test_interrupted_twice(tmp_path: Path, whole: Fit) -> None:
    interrupted(tmp_path, 1)
    interrupted(tmp_path, 4)
    resumed = fit(tmp_path)
    assert resumed.resumed_epoch == 4
    assert_same(resumed, whole)


def test_killed_after_the_last_epoch(tmp_path: Path, whole: Fit) -> None:
    fit(tmp_path)
    resumed = fit(tmp_path)
    assert resumed.resumed_epoch == SETTINGS["epochs"]
    assert resumed.step_seconds == []
    assert_same(resumed, whole)


DAMAGES = {
    "truncated weights": lambda path: (path / "last.npz").write_bytes((path / "last.npz").read_bytes()[:100]),
    "no weights": lambda path: (path / "last.npz").unlink(),
    "no best weights": lambda path: (path / "best.npz").unlink(),
    "empty state": lambda path: (path / "state.json").write_text(""),
    "other state": lambda path: (path / "state.json").write_text('{"history": {}}'),
    "no file": lambda path: [file.unlink() for file in path.iterdir()],
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fit leaves that is killed in its third epoch."""
    path = tmp_path_factory.mktemp("interrupted")
    interrupted(path, 2)
    return path


def restored(path: Path, **overrides: Any) -> tuple[int, keras.Model]:
    """The epoch to go on with, and the model with the state of a checkpoint."""
    triple = noise_triple(**overrides)
    model = training.build(triple)
    model.compile(optimizer=training.optimizer(triple.training, 6), **triple.task.compile_args())
    return resuming.ResumableEarlyStopping(3, path).restore(model), model


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_left_out(checkpoint: Path, tmp_path: Path, damage: str) -> None:
    path = Path(shutil.copytree(checkpoint, tmp_path / "checkpoints"))
    DAMAGES[damage](path / "epoch-1")
    with pytest.warns(UserWarning, match=r"the checkpoint .*epoch-1 is left out: "):
        epoch, model = restored(path)
    assert epoch == 0
    assert int(model.optimizer.iterations) == 0
    assert list(path.iterdir()) == []


def test_the_latest_whole_checkpoint_is_taken(checkpoint: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(checkpoint, tmp_path / "checkpoints"))
    for name in ("epoch-7", "partial-1", "epoch-other"):
        (path / name).mkdir()
    with pytest.warns(UserWarning, match="epoch-7 is left out"):
        epoch, model = restored(path)
    assert epoch == 2
    assert int(model.optimizer.iterations) == 2 * 6  # 42 examples, 8 a step


def test_a_checkpoint_of_another_model_is_left_out(checkpoint: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(checkpoint, tmp_path / "checkpoints"))
    with pytest.warns(UserWarning, match="it is that of another model"):
        assert restored(path, units=9)[0] == 0


def test_after_a_damaged_checkpoint_all_goes_on_as_from_the_start(checkpoint: Path, tmp_path: Path, whole: Fit) -> None:
    path = Path(shutil.copytree(checkpoint, tmp_path / "checkpoints"))
    (path / "epoch-1").rename(path / "epoch-3")
    (path / "epoch-3" / "state.json").write_text("{")
    with pytest.warns(UserWarning, match="epoch-3 is left out"):
        again = fit(path)
    assert again.resumed_epoch == 0
    assert_same(again, whole)


@pytest.mark.slow
def test_no_hard_links(tmp_path: Path, whole: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    # The first epoch is the best, so that the later ones copy its weights.
    overrides = {"learning_rate": 10, "patience": 5, "decay": "none"}
    interrupted(tmp_path, 3, **overrides)
    resumed = fit(tmp_path, **overrides)
    assert resumed.resumed_epoch == 3
    assert_same(resumed, fit(**overrides))


def scrambled(patience: int) -> tuple[registry.Triple, data.Split, data.Split]:
    """Validation labels that have nothing to do with the images: learning more makes their loss worse."""
    triple = noise_triple(dropout=0, augment="none", epochs=40, patience=patience, learning_rate=0.1, decay="none")
    loaded = data.load(triple)
    evaluation = dataclasses.replace(
        loaded.eval, transform=lambda raw: {**loaded.transform(raw), "label": (raw["label"] + 1) % 3}
    )
    return triple, loaded.train, evaluation


def test_early_stopping_restores_the_best_weights(tmp_path: Path) -> None:
    triple, train, evaluation = scrambled(patience=4)
    found = training.fit(triple, train, evaluation, 0)
    losses = found.history["val_loss"]
    assert found.best_epoch == int(np.argmin(losses))
    assert len(losses) == found.best_epoch + 1 + 4 < 40
    assert found.metrics["eval"]["loss"] == pytest.approx(min(losses), rel=1e-5)
    assert losses[-1] > 1.1 * min(losses)
    # A kill after the decision to stop: run again, it trains no further.
    training.fit(triple, train, evaluation, 0, tmp_path)
    again = training.fit(triple, train, evaluation, 0, tmp_path)
    assert again.step_seconds == []
    assert_same(again, found)


def test_another_seed_gives_other_weights(whole: Fit) -> None:
    triple = noise_triple()
    loaded = data.load(triple)
    other = training.fit(triple, loaded.train, loaded.eval, 4)
    assert other.history["loss"] != whole.history["loss"]


@pytest.mark.slow
def test_options_leave_no_trace() -> None:
    mixed = fit(mixed_precision=True, epochs=1)
    assert mixed.model.get_layer("hidden1").compute_dtype == "float16"
    assert mixed.model.get_layer("hidden1").kernel.dtype == "float32"
    assert keras.mixed_precision.dtype_policy().name == "float32"
    mirrored = fit(strategy="mirrored", epochs=1)
    assert not tf.distribute.has_strategy()
    assert np.isfinite(mirrored.metrics["eval"]["loss"])
    compiled, plain = (fit(jit_compile=jit, epochs=1, dropout=0) for jit in (True, False))
    assert compiled.metrics["eval"]["loss"] == pytest.approx(plain.metrics["eval"]["loss"], rel=1e-4)


def test_strategies_need_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="strategy='mirrored' needs the TensorFlow backend, Keras runs on jax"):
        training.strategy_scope("mirrored")


def test_optimizers_and_their_step_sizes() -> None:
    cosine = training.optimizer(Training(epochs=10, learning_rate=0.4, decay="cosine"), 5).learning_rate
    adam = training.optimizer(Training(epochs=10, learning_rate=0.4, decay="cosine"), 5)
    assert isinstance(adam, keras.optimizers.Adam)
    schedule = adam._learning_rate
    np.testing.assert_allclose([schedule(step) for step in (0, 25, 50)], [0.4, 0.2, 0.0], atol=1e-7)
    assert float(cosine) == pytest.approx(0.4)
    sgd = training.optimizer(Training(optimizer="sgd", learning_rate=0.1), 5)
    assert isinstance(sgd, keras.optimizers.SGD)
    assert (sgd.momentum, float(sgd.learning_rate)) == (0.9, pytest.approx(0.1))


def test_callbacks_are_told_of_every_epoch() -> None:
    seen = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["val_loss"])))
    found = fit(callbacks=[told])
    assert seen == list(enumerate(found.history["val_loss"]))


@pytest.mark.parametrize("seed", [0, 3])
def test_a_streamed_fit_is_the_same_each_time(seed: int) -> None:
    """Also from seed 0, and where TensorFlow's global seed was another."""
    triple = registry.resolve("linear", "diabetes", overrides={"solver": "gradient", "epochs": 2, "memory_mb": 0})
    loaded = data.load(triple)
    assert loaded.train.arrays is None
    fits = []
    for number in range(2):
        keras.utils.set_random_seed(number)
        fits.append(training.fit(triple, loaded.train, loaded.eval, seed))
    np.testing.assert_array_equal(*(fit.model.get_layer("scores").kernel for fit in fits))
