"""What a round is fitted with, and going on after a kill."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ann_keras import data, registry, resampling, training, validation
from ann_keras.datasets.scenes import Scenes
from ann_keras.datasets.shapes import Shapes
from ann_keras.datasets.splits import Plan
from ann_keras.metrics import confusion
from ann_keras.resampling import METHODS, Pool
from tests.ann_keras.examples import Noise

ROWS = 60
ROWS_OF_MASKS = 6


@pytest.fixture(scope="module")
def examples() -> Pool:
    return resampling.pool(Noise(rows=ROWS))


@pytest.fixture(scope="module")
def triple() -> registry.Triple:
    # A model that trains step by step, and that dropout makes depend on the state of random numbers.
    overrides = {"units": 4, "depth": 1, "dropout": 0.5, "epochs": 2, "batch_size": 16}
    registry.DATASETS["noise"] = "tests.ann_keras.examples"
    return registry.resolve("mlp", "noise", overrides=overrides)


@pytest.mark.slow
def test_all_is_made_anew_from_the_training_rows(
    examples: Pool, triple: registry.Triple, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed: list[list[Any]] = []
    fitted: list[tuple[int, int]] = []
    analyze, fit = data.analyze, training.fit

    def watched_analyze(task: Any, records: Any) -> Any:
        analysed.append(sorted(row["image"] for row in records.as_numpy_iterator()))
        return analyze(task, records)

    def watched_fit(triple: Any, train: Any, evaluation: Any, *others: Any, **more: Any) -> Any:
        fitted.append((len(train), len(evaluation)))
        return fit(triple, train, evaluation, *others, **more)

    monkeypatch.setattr(data, "analyze", watched_analyze)
    monkeypatch.setattr(training, "fit", watched_fit)
    found = validation.resample(triple, examples, "k_fold", 2)
    rounds = list(resampling.rounds(examples, "k_fold", 2, Plan()))
    images = [row.values["image"] for row in examples.rows]
    assert analysed == [sorted(images[place] for place in one.train) for one in rounds]
    assert fitted == [(len(one.train), len(one.eval)) for one in rounds]
    assert found.rounds == 2 and found.examples == ROWS


@pytest.mark.slow
def test_a_model_that_is_used_again_is_the_same_as_a_new_one(examples: Pool, triple: registry.Triple) -> None:
    """Also that preprocessing at once gives what a graph gives."""
    found = validation.resample(triple, examples, "k_fold", 4)
    for fold, one in enumerate(resampling.rounds(examples, "k_fold", 4, Plan())):
        rows = {name: examples.rows.take(getattr(one, name)) for name in ("train", "eval", "test")}
        loaded = data.prepare(triple, rows)
        fit = training.fit(triple, loaded.train, loaded.eval, 0)
        metrics = training.evaluate(fit.model, loaded.test, triple.training.batch_size)
        for name, estimate in found.metrics.items():
            assert estimate.values[fold] == pytest.approx(metrics[name], rel=1e-5), (fold, name)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_killed_validation_goes_on_with_the_next_round(
    triple: registry.Triple, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = resampling.pool(Noise(rows=9))
    count = {"k_fold": 3, "bootstrap": 3}.get(method)
    whole = validation.resample(triple, examples, method, count)

    def kill(done: int, total: int, metrics: Any) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validation.resample(triple, examples, method, count, directory=tmp_path, listener=kill)
    path = tmp_path / validation.ROUNDS_FILE
    with path.open("a") as file:
        file.write('{"round": 2, "met')  # as a kill in mid-writing leaves it
    fits: list[int] = []
    fit = training.fit

    def counted(*given: Any, **named: Any) -> training.Fit:
        fits.append(1)
        return fit(*given, **named)

    monkeypatch.setattr(training, "fit", counted)
    assert validation.resample(triple, examples, method, count, directory=tmp_path) == whole
    rounds = whole.rounds + (method == "bootstrap")
    assert len(fits) == rounds - 2
    assert [json.loads(line)["round"] for line in path.read_text().splitlines()[1:]] == list(range(rounds))

    assert validation.resample(triple, examples, method, count, directory=tmp_path) == whole
    assert len(fits) == rounds - 2, "a finished validation fits nothing"
    other = dataclasses.replace(examples, fingerprint="other")
    validation.resample(triple, other, method, count, directory=tmp_path)
    assert len(fits) == 2 * rounds - 2, "other data begin anew"


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_masks_are_kept_as_counts(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Shapes(ROWS_OF_MASKS, Scenes(height=32, width=32))
    monkeypatch.setattr(registry, "open_dataset", lambda name: dataset)
    overrides = {"width": 4, "depth": 2, "epochs": 1, "batch_size": 3, "class_weights": "inverse", "weight_map": True}
    small = registry.resolve("unet", overrides=overrides)
    examples = resampling.pool(dataset)
    count = {"k_fold": 3, "bootstrap": 2}.get(method)
    found = validation.resample(small, examples, method, count, directory=tmp_path)
    rounds = [json.loads(line) for line in (tmp_path / validation.ROUNDS_FILE).read_text().splitlines()[1:]]
    assert all(set(one) == {"round", "metrics", "confusion"} for one in rounds)
    held = np.array([one["confusion"] for one in rounds[: found.rounds]])
    if method != "bootstrap":
        assert held.sum() == ROWS_OF_MASKS * 32 * 32, "every pixel was tested once"
    mean_iou = found.metrics["mean_iou"]
    assert mean_iou.pooled == pytest.approx(confusion.mean_iou(held.sum(axis=0), np))
    assert (mean_iou.point632plus is not None) == (method == "bootstrap")
    if method == "k_fold":
        # A model that is used again, measured as the fit measures.
        last = list(resampling.rounds(examples, method, count, Plan()))[-1]
        rows = {name: examples.rows.take(getattr(last, name)) for name in ("train", "eval", "test")}
        loaded = data.prepare(small, rows)
        fit = training.fit(small, loaded.train, loaded.eval, 0)
        metrics = training.evaluate(fit.model, loaded.test, 3)
        assert mean_iou.values[-1] == pytest.approx(metrics["mean_iou"], abs=1e-3)
