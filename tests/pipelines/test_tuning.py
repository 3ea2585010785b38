"""The search without a pipeline: what judges a trial, and going on after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ann_keras import data, registry, resampling
from ann_keras.datasets import images
from ann_keras.datasets.splits import Plan
from ann_keras.settings import Range
from ann_keras.task import Feature
from pipelines import tuning
from tests.ann_keras.examples import Noise

SETTINGS = {"units": 4, "depth": 1, "dropout": 0.0, "epochs": 1, "batch_size": 16}


def resolve(tuned: dict[str, Any]) -> registry.Triple:
    registry.DATASETS["noise"] = "tests.ann_keras.examples"
    return registry.resolve("mlp", "noise", overrides={**SETTINGS, **tuned})


def test_the_search_can_be_restricted() -> None:
    everything = tuning.spaces(resolve({}))
    assert {"learning_rate"} < set(everything)
    assert tuning.spaces(resolve({}), ("learning_rate",)) == {"learning_rate": Range(1e-4, 1e-2, log=True)}
    with pytest.raises(ValueError, match=r"'epochs' has no search space; mlp declares .*learning_rate"):
        tuning.spaces(resolve({}), ("epochs",))


@pytest.mark.slow
def test_folds_and_a_hold_out_judge(tmp_path: Path) -> None:
    loaded = data.load(resolve({}))
    one = tuning.hold_out(loaded.train, loaded.eval, 0)(resolve({}), tmp_path / "one")
    assert [set(found) >= {"accuracy", "cross_entropy"} for found in one] == [True]
    folds = tuning.k_fold(resampling.pool(Noise()), 3, Plan())(resolve({}), tmp_path / "three")
    assert len(folds) == 3 and len({found["cross_entropy"] for found in folds}) == 3


@pytest.mark.slow
def test_the_mean_over_folds_scores_and_a_kill_loses_no_trial(tmp_path: Path) -> None:
    judged: list[float] = []

    def judge(triple: registry.Triple, directory: Path) -> list[dict[str, float]]:
        if len(judged) == 2:
            judged.append(0.0)
            raise KeyboardInterrupt
        judged.append(triple.training.learning_rate)
        return [{"accuracy": triple.training.learning_rate}, {"accuracy": 3 * triple.training.learning_rate}]

    def search() -> tuning.TripleTuner:
        tuner = tuning.TripleTuner(resolve, judge, 0, 4, tmp_path / "tune", ("learning_rate",))
        tuner.search()
        return tuner

    with pytest.raises(KeyboardInterrupt):
        search()
    found = search().told()
    assert found["metric"] == "accuracy" and found["spaces"] == {
        "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}
    }
    rates = [trial["settings"]["learning_rate"] for trial in found["trials"]]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 4
    for rate, trial in zip(rates, found["trials"], strict=True):
        assert trial["score"] == pytest.approx(2 * rate)
        assert [fold["accuracy"] for fold in trial["folds"]] == pytest.approx([rate, 3 * rate])
    assert len(judged) == 5, "the two trials before the kill are not judged again"


def test_masks_are_stratified_by_the_classes_that_they_hold() -> None:
    label = Feature("mask", "mask", (2, 2), "uint8", ("ground", "car", "sky"))
    pictures = [[[0, 0], [0, 1]], [[2, 2], [255, 0]], [[1, 255], [255, 255]]]
    encoded = np.array([images.encode_png(np.array(one, np.uint8)) for one in pictures], object)
    labels, contains = tuning._strata(encoded, label)
    assert labels.tolist() == [0, 2, 1]
    assert contains is not None
    assert contains.tolist() == [[True, True, False], [True, False, True], [False, True, False]]
