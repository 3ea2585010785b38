"""Which changes recompute what, and what a person is told of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pipelines.conftest import Ann, Finished, copy_of_packages

pytestmark = pytest.mark.slow

DATA = {"StratifiedExampleGen", "TaskSchema", "StatisticsGen", "ExampleValidator", "Transform"}
MODEL = {"Trainer", "InfraValidator", "Evaluator", "Pusher", "Reporter"}
MODELS = "ann_keras/models"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def line_of(component: str, told: str) -> str:
    return next(line for line in told.splitlines() if line.startswith(component))


# The shared root must stay as it was for other tests: what is blessed there would be the next baseline. So these models
# are so bad that they are not blessed.


def test_a_setting_recomputes_from_the_trainer_on(ann: Ann, finished: Finished) -> None:
    changed = ann("run", *finished.arguments, "--set", "learning_rate=1e-06", "--json")
    assert changed.code == 1 and changed.document["blessed"] is False
    assert set(changed.document["reused"]) == DATA
    assert "learning_rate 0.002 -> 1e-06" in line_of("Trainer", changed.err)
    assert "model changed" in line_of("Evaluator", changed.err)


def test_changed_code(ann: Ann, finished: Finished, tmp_path: Path) -> None:
    edited = Ann(copy_of_packages(tmp_path / "edited", ann.package), tmp_path)
    code = edited.package / "ann_keras"
    edit(code / "models/feed_forward/mlp.py", '"""', '"""Another word. ')
    unrelated = edited.run(*finished.arguments)
    assert set(unrelated["reused"]) == DATA | MODEL

    edit(code / "models/convolutional/lenet5.py", "lecun_uniform", "zeros")
    model = edited("run", *finished.arguments, "--json")
    assert set(model.document["reused"]) == DATA
    assert "source of ann_keras.models.convolutional.lenet5 changed" in line_of("Trainer", model.err)

    edit(code / "datasets/digits.py", "SHARD_ROWS = 1024", "SHARD_ROWS = 512")
    reader = edited("run", *finished.arguments, "--json")
    assert set(reader.document["reused"]) == {"TaskSchema"}
    assert "source of ann_keras.datasets.digits changed" in line_of("StratifiedExampleGen", reader.err)


def test_what_the_user_deleted_is_made_again_and_everything_without_the_cache(ann: Ann, tmp_path: Path) -> None:
    arguments = ("linear", "--root", tmp_path, "--set", "epochs=2", "--set", "min_accuracy=0")
    first = ann.run(*arguments)
    shutil.rmtree(tmp_path / "serving" / "linear")
    # As a killed Pusher leaves it: no graph.
    (tmp_path / "serving" / "linear" / "12" / "variables").mkdir(parents=True)
    pushed = ann.run(*arguments)
    assert set(pushed["reused"]) == DATA | MODEL - {"Pusher", "Reporter"}
    assert "its result is gone" in line_of("Pusher", pushed["told"])
    assert [path.name for path in (tmp_path / "serving" / "linear").iterdir()] == [pushed["version"]]
    assert pushed["version"] != first["version"]

    shutil.rmtree(tmp_path / "pipelines" / "linear" / "Trainer")
    trained = ann.run(*arguments)
    assert set(trained["reused"]) == DATA
    assert trained["blessed"] is True and trained["metrics"]["train"] == first["metrics"]["train"]

    anew = ann.run(*arguments, "--no-cache")
    assert anew["reused"] == [] and "the cache is off" in line_of("StratifiedExampleGen", anew["told"])
    # The same seed gives the same weights.
    assert anew["metrics"] == first["metrics"]
