"""`ann run --folds` and `--tune`."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from tests.pipelines.conftest import Ann

pytestmark = pytest.mark.slow


def test_folds_give_mean_and_spread_and_do_not_leak(ann: Ann, tmp_path: Path) -> None:
    document = ann.run("linear", "--root", tmp_path, "--folds", "3", "--set", "epochs=2", "--set", "min_accuracy=0")
    accuracy = document["folds"]["accuracy"]
    assert len(accuracy["values"]) == 3 and len(set(accuracy["values"])) > 1
    assert accuracy["mean"] == pytest.approx(statistics.mean(accuracy["values"]))
    assert accuracy["deviation"] == pytest.approx(statistics.stdev(accuracy["values"]))
    assert "fold 1/3 Trainer" in document["told"] and "fold 3/3 Evaluator" in document["told"]
    assert f"{accuracy['values'][0]:.4f}" in Path(document["report"]).read_text()

    tested: set[bytes] = set()
    for fold in range(1, 4):
        folder = tmp_path / "pipelines" / f"linear-fold{fold}of3"
        keys = _check_analyzers(folder)
        assert not tested & keys
        tested |= keys
    assert len(tested) == 1797  # every example was tested once


def _check_analyzers(folder: Path) -> set[bytes]:
    """What Transform found is of the training split alone. Returns the keys of the test split."""
    import tensorflow as tf

    from ann_keras.datasets import images
    from pipelines.entrypoints import TransformGraph

    (examples,) = (folder / "StratifiedExampleGen" / "examples").iterdir()
    spec = {"image": tf.io.FixedLenFeature([], tf.string), "key": tf.io.FixedLenFeature([], tf.string)}
    parsed = {}
    for split in ("train", "eval", "test"):
        files = [str(path) for path in (examples / f"Split-{split}").iterdir()]
        records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
        parsed[split] = tf.io.parse_example(records, spec)
    keys = {split: set(rows["key"].numpy()) for split, rows in parsed.items()}
    assert not keys["train"] & keys["test"] and not keys["train"] & keys["eval"]

    (transform,) = (folder / "Transform" / "transform_graph").iterdir()
    graph = TransformGraph(str(transform / "transform_fn"))
    pixels = images.decode(parsed["train"]["image"], 8, 8, 1).numpy()
    got = graph({"image": parsed["test"]["image"]})["image"].numpy()
    raw = images.decode(parsed["test"]["image"], 8, 8, 1).numpy()
    assert abs(got - (raw - pixels.mean()) / pixels.std()).max() < 1e-4
    everything = tf.concat([rows["image"] for rows in parsed.values()], 0)
    others = images.decode(everything, 8, 8, 1).numpy()
    assert abs(got - (raw - others.mean()) / others.std()).max() > 1e-4  # it would show
    return keys["test"]


def test_tuning_tries_settings_and_tells_of_them(ann: Ann, tmp_path: Path) -> None:
    tune = ("--tune", "--trials", "2", "--set", "epochs=2", "--set", "min_accuracy=0")
    document = ann.run("linear", "--root", tmp_path, *tune)
    assert "trial 1/2, epoch 1/2" in document["told"] and "trial 2/2, epoch 2/2" in document["told"]
    assert "Tuner" in document["seconds"]
    (course,) = (tmp_path / "pipelines" / "linear" / "Trainer" / "model_run").glob("*/fit.json")
    tuned = json.loads(course.read_text())["tuned"]
    assert "learning_rate" in tuned
    page = Path(document["report"]).read_text()
    assert "learning_rate" in page and "trial" in page.lower()
