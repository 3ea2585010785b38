"""`ann run` as a person has it: what it prints, writes, reuses and serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.conftest import Ann, Finished

KEYS = {
    *("model", "dataset", "task", "run", "blessed", "version", "metrics"),
    *("serving_dir", "report", "seconds", "reused", "reasons"),
}
COMPONENTS = {
    *("StratifiedExampleGen", "TaskSchema", "StatisticsGen", "ExampleValidator", "Transform"),
    *("Trainer", "InfraValidator", "Evaluator", "Pusher", "Reporter"),
}


def files_below(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_document_has_the_keys_of_the_contract(finished: Finished) -> None:
    document = {name: value for name, value in finished.document.items() if name != "told"}
    assert set(document) == KEYS
    assert (document["model"], document["dataset"], document["task"]) == ("lenet5", "digits", "image_classification")
    assert document["blessed"] is True and document["reasons"] == [] and document["reused"] == []
    assert set(document["seconds"]) == COMPONENTS
    assert all(seconds >= 0 for seconds in document["seconds"].values())


def test_metrics_of_all_three_splits(finished: Finished) -> None:
    metrics = finished.document["metrics"]
    assert set(metrics) == {"train", "eval", "test"}
    for values in metrics.values():
        assert 0.5 < values["accuracy"] <= 1 and 0 < values["cross_entropy"] < 2
    assert set(metrics["test"]) == {"accuracy", "cross_entropy"}


def test_what_lies_under_the_root(finished: Finished) -> None:
    document, root = finished.document, finished.root
    assert Path(document["serving_dir"]) == root / "serving" / "lenet5" / document["version"]
    assert (Path(document["serving_dir"]) / "saved_model.pb").is_file()
    assert Path(document["report"]) == root / "reports" / "lenet5" / document["run"] / "report.html"
    assert "accuracy" in Path(document["report"]).read_text()
    assert (root / "metadata.db").is_file() and (root / "pipelines" / "lenet5").is_dir()
    assert not list((root / "pipelines" / "lenet5" / "checkpoints").glob("*"))


def test_a_person_is_told_of_components_and_epochs_and_no_noise(finished: Finished) -> None:
    told = finished.document["told"].splitlines()
    assert sum(line.split()[0] in COMPONENTS for line in told) == len(COMPONENTS)
    epochs = [line for line in told if line.startswith("  epoch ")]
    assert len(epochs) == 3 and all("loss" in line and "accuracy" in line for line in epochs)
    assert len(told) == len(COMPONENTS) + 3, finished.document["told"]


@pytest.mark.slow
def test_a_second_run_reuses_everything_and_writes_nothing(ann: Ann, finished: Finished) -> None:
    served, reports = finished.root / "serving", finished.root / "reports"
    artifacts = finished.root / "pipelines" / "lenet5" / "Trainer"
    before = {folder: files_below(folder) for folder in (served, reports, artifacts)}
    second = ann.run(*finished.arguments)
    assert set(second["reused"]) == COMPONENTS
    for name in ("version", "run", "report", "serving_dir", "metrics", "blessed"):
        assert second[name] == finished.document[name]
    assert {folder: files_below(folder) for folder in before} == before


def test_the_report_is_found_and_a_prediction_comes_back(ann: Ann, finished: Finished, digit: Path) -> None:
    found = ann("report", "--root", finished.root)
    assert found.code == 0 and Path(found.out.strip()).is_file()
    for more in ((), ("--grpc",)):
        answer = ann("predict", "lenet5", digit, digit, "--root", finished.root, "--json", *more)
        assert (answer.code, answer.err) == (0, "")
        assert [one["label"] for one in answer.document] == ["0", "0"]
        assert len(answer.document[0]["probabilities"]) == 10


@pytest.mark.slow
def test_a_worse_model_is_not_blessed_and_the_last_good_one_stays(ann: Ann, finished: Finished) -> None:
    served = files_below(finished.root / "serving")
    worse = ann.run(*finished.arguments, "--set", "epochs=1", "--set", "learning_rate=1e-6", code=1)
    assert worse["blessed"] is False and worse["version"] is None and worse["serving_dir"] is None
    (reason,) = worse["reasons"]
    assert reason.startswith("accuracy is worse by ") and "than the last blessed model's, at most 0.02 passes" in reason
    assert set(worse["metrics"]["test"]) == {"accuracy", "cross_entropy"}
    assert Path(worse["report"]).is_file() and "not blessed" in Path(worse["report"]).read_text().lower()
    assert files_below(finished.root / "serving") == served
    again = ann.run(*finished.arguments)
    assert again["blessed"] is True and again["version"] == finished.document["version"]
    assert set(again["reused"]) == COMPONENTS


@pytest.mark.slow
def test_a_threshold_that_is_missed_is_named(ann: Ann, tmp_path: Path) -> None:
    missed = ann("run", "linear", "--root", tmp_path, "--set", "epochs=1", "--set", "min_accuracy=1.0")
    assert missed.code == 1 and missed.err == ""
    assert "not blessed: accuracy is 0." in missed.out and "at least 1 passes" in missed.out
    assert not (tmp_path / "serving" / "linear").exists()
    # Asked again, the answer is the same.
    again = ann.run("linear", "--root", tmp_path, "--set", "epochs=1", "--set", "min_accuracy=1.0", code=1)
    assert again["blessed"] is False and set(again["reused"]) == COMPONENTS
