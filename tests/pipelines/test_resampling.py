"""`--folds`, `--leave-one-out` and `--bootstrap`, of `ann fit` and `ann run`, and `--search`."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ann_keras import estimates, registry
from pipelines import factory, resampling
from pipelines.exits import UsageError
from tests.pipelines.conftest import Ann

NOTHING = {"folds": None, "leave_one_out": False, "bootstrap": None, "tune": False, "search": ()}
FAST = ("--set", "epochs=2", "--set", "min_balanced_accuracy=0")


def test_the_method_and_its_count() -> None:
    assert resampling.chosen(NOTHING) is None
    assert resampling.chosen(NOTHING | {"folds": 5}) == ("k_fold", 5)
    assert resampling.chosen(NOTHING | {"leave_one_out": True}) == ("leave_one_out", None)
    assert resampling.chosen(NOTHING | {"bootstrap": 7}) == ("bootstrap", 7)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two": ({"folds": 5, "bootstrap": 2}, "--folds and --bootstrap exclude each other"),
    "too many": ({"folds": 1798}, "folds=1798: expected 2 to 1797, the number of examples"),
    "no search": ({"search": ("gamma",)}, "--search gamma goes with --tune"),
    "unknown": ({"search": ("width",), "tune": True}, "'width' has no search space; linear declares "),
    "tuned": ({"leave_one_out": True, "tune": True}, "--leave-one-out and --tune exclude each other"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments(case: str) -> None:
    options, said = WRONG[case]
    with pytest.raises(UsageError, match=said):
        resampling.for_pipeline(registry.resolve("linear", "digits"), NOTHING | options)


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"folds": 5}, {}),
        ({"folds": 5, "tune": True}, {"tune_folds": 5}),
        ({"bootstrap": 9}, {"resampling": ("bootstrap", 9)}),
        ({"tune": True, "search": ("learning_rate",)}, {"search": ("learning_rate",)}),
    ],
)
def test_what_the_pipeline_is_told(options: dict[str, Any], fields: dict[str, Any]) -> None:
    assert resampling.for_pipeline(registry.resolve("linear", "digits"), NOTHING | options) == fields


def test_lines_for_a_person() -> None:
    one = estimates.Estimate(0.75, 0.1, [0.65, 0.85], 0.74, 0.9, 0.5, 0.8052, 0.79)
    found = estimates.Validation("bootstrap", 2, 40, {"accuracy": one}).to_dict()
    title, line = resampling.described(found)
    assert title == "validation: bootstrap, 2 rounds out of the bag, 40 examples"
    assert line.split() == [
        *("accuracy", "mean", "0.7500", "+-", "0.1000", "pooled", "0.7400"),
        *("apparent", "0.9000", ".632", "0.8052", ".632+", "0.7900"),
    ]


def test_a_resampler_stands_before_the_report() -> None:
    triple, paths = registry.resolve("linear", "iris"), factory.Paths("/root/of/runs", "linear")
    made = factory.create_pipeline(triple, paths, factory.Options(resampling=("bootstrap", 5)))
    (resampler,) = (component for component in made.components if component.id == "Resampler")
    config = json.loads(resampler.exec_properties["custom_config"])
    assert config["resampling"] == ["bootstrap", 5] and config["fingerprint"] == triple.dataset.fingerprint()
    assert config["triple"]["settings"]["epochs"] == triple.training.epochs
    assert {"ann_keras.validation", "ann_keras.training", "ann_keras.datasets.sklearn_tables"} <= set(config["sources"])
    (reporter,) = (component for component in made.components if component.id == "Reporter")
    assert "validation" in reporter.inputs
    plain = factory.create_pipeline(triple, paths, factory.Options())
    assert "Resampler" not in [component.id for component in plain.components]


@pytest.mark.slow
def test_fit_validates_first_and_shows_all_splits(ann: Ann, tmp_path: Path) -> None:
    arguments = ("fit", "mlp", "--dataset", "iris", *FAST, "--out", tmp_path)
    found = ann(*arguments, "--folds", 3, "--json").document
    accuracy = found["validation"]["metrics"]["accuracy"]
    assert found["validation"]["method"] == "k_fold" and len(accuracy["values"]) == found["validation"]["rounds"] == 3
    assert accuracy["mean"] == pytest.approx(sum(accuracy["values"]) / 3)
    assert {"train", "eval", "test"} == set(found["metrics"])
    assert not list(tmp_path.glob("checkpoints/*")), "what is saved needs no rounds"
    told = ann("fit", "mlp", "--dataset", "iris", *FAST, "--bootstrap", 2).out
    assert ["train", "validation", "test"] in [line.split() for line in told.splitlines()]
    assert "validation: bootstrap, 2 rounds out of the bag, 150 examples" in told
    assert told.index("round 2/2") < told.index("iris: ") < told.index("validation: bootstrap")


@pytest.mark.slow
def test_a_killed_validation_of_fit_goes_on(ann: Ann, tmp_path: Path) -> None:
    arguments = ("fit", "mlp", "--dataset", "iris", *FAST, "--bootstrap", 5, "--out", tmp_path, "--json")
    process = ann.start(*arguments)
    kept: list[Path] = []
    while process.poll() is None and not (kept and len(kept[0].read_text().splitlines()) >= 3):
        time.sleep(0.1)
        kept = list(tmp_path.glob("checkpoints/*/rounds.jsonl"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = kept[0].read_text().splitlines()
    again = ann.start(*arguments)
    while again.poll() is None and len(kept[0].read_text().splitlines()) <= len(before):
        time.sleep(0.1)
    assert kept[0].read_text().splitlines()[: len(before)] == before
    out, err = again.communicate()
    assert again.returncode == 0, err
    assert json.loads(out)["validation"]["rounds"] == 5


@pytest.mark.slow
def test_run_validates_as_fit_does_and_reports_it(ann: Ann, tmp_path: Path) -> None:
    arguments = ("linear", "--dataset", "iris", *FAST, "--bootstrap", 3)
    document = ann.run(*arguments, "--root", tmp_path)
    assert "Resampler" in document["seconds"]
    fitted = ann("fit", *arguments, "--json").document
    assert document["validation"] == fitted["validation"]
    page = Path(document["report"]).read_text()
    for metric in document["validation"]["metrics"].values():
        assert f"{metric['point632']:.4f}" in page
    assert 'id="validation"' in page and "0.368 × apparent + 0.632 × out-of-bag" in page
    again = ann.run(*arguments, "--root", tmp_path)
    assert "Resampler" in again["reused"] and again["validation"] == document["validation"]
    other = ann.run(*arguments[:-1], 2, "--root", tmp_path)
    assert set(again["reused"]) - set(other["reused"]) == {"Resampler", "Reporter"}


@pytest.mark.slow
def test_folds_judge_the_trials_of_a_search(ann: Ann, tmp_path: Path) -> None:
    tune = ("--tune", "--trials", "2", "--folds", "3", "--search", "gamma")
    document = ann.run("linear", "--dataset", "iris", *FAST, *tune, "--root", tmp_path)
    assert "trial 2/2, fold 3/3" in document["told"] and "folds" not in document
    assert not list(tmp_path.glob("pipelines/linear-fold*"))
    (path,) = tmp_path.glob("pipelines/linear/Tuner/tuner_results/*/trials.json")
    found = json.loads(path.read_text())
    assert found["metric"] == "accuracy" and found["spaces"]["gamma"]["log"] is True
    assert len(found["trials"]) == 2
    for trial in found["trials"]:
        assert list(trial["settings"]) == ["gamma"] and len(trial["folds"]) == 3
        assert trial["score"] == pytest.approx(sum(fold["accuracy"] for fold in trial["folds"]) / 3)
    # The folds hold the training and the evaluation examples, and never the test split.
    rounds = [json.loads(line) for line in next(tmp_path.rglob("folds/rounds.jsonl")).read_text().splitlines()[1:]]
    counted = json.loads(next(tmp_path.rglob("counts.json")).read_text())["counts"]
    held = sum(sum(counted[split].values()) for split in ("train", "eval"))
    assert sum(len(one["labels"]) for one in rounds) == held < 150
    page = Path(document["report"]).read_text()
    assert "accuracy over gamma in 2 trials" in page and "3 stratified folds of the training and evaluation" in page
