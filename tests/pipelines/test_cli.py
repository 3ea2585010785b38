"""The contract of the command line: wrong arguments are one line and exit code 2, failures one line and exit code 1."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import asking, cli
from tests.pipelines.conftest import Ann, Answer, write_images


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command line in this process, where TensorFlow is imported once for all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANN_TRACEBACK", raising=False)

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Answer(ended.value.code or 0, out, err)

    return run


def check_one_line(answer: Answer, code: int, *parts: str) -> None:
    assert answer.code == code, answer.err
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("ann: ")
    for part in parts:
        assert part in line, line


WRONG = {
    "run nope": ("unknown model 'nope'; the models are knn, perceptron, linear, mlp, lenet5",),
    "fit nope": ("unknown model 'nope'",),
    "run lenet5 --dataset nope": ("unknown dataset 'nope'; the datasets are digits, ", "masks:PATH, csv:PATH"),
    "run mlp --dataset csv:missing.csv --label x": ("missing.csv does not exist",),
    "run mlp --label x": ("--label goes with --dataset csv:PATH, not with the default dataset",),
    "run mlp --dataset digits --label x": ("--label goes with --dataset csv:PATH, not with digits",),
    "run mlp --dataset csv:t.csv?label=x --label y": ("--label is also in --dataset",),
    "run lenet5 --dataset images": ("unknown dataset 'images'",),
    "run lenet5 --task nope": ("unknown task 'nope'; the tasks are image_classification",),
    "run lenet5 --bogus": ("--bogus",),
    "run lenet5 --set epochs": ("'epochs': expected KEY=VALUE",),
    "run lenet5 --set =3": ("expected KEY=VALUE",),
    "run lenet5 --set colour=red": ("unknown setting 'colour'; the settings are", "learning_rate"),
    "run lenet5 --set epochs=0": ("epochs='0': out of range, expected at least 1",),
    "run lenet5 --set epochs=many": ("epochs='many': expected a whole number",),
    "run lenet5 --set optimizer=newton": ("optimizer='newton': expected one of adam, sgd",),
    "run lenet5 --set image_size=8": ("image_size", "expected height,width"),
    "run lenet5 --folds 1": ("--folds", "x>=2"),
    "run lenet5 --seed -1": ("--seed",),
    "run lenet5 --trials 0": ("--trials",),
    "run lenet5 --eval-fraction 0.6 --test-fraction 0.4": ("leave nothing to train on",),
    "fit lenet5 --eval-fraction 0.6 --test-fraction 0.4": ("leave nothing to train on",),
    "run lenet5 --eval-fraction 0": ("--eval-fraction",),
    "run lenet5 --max-bad-fraction 1": ("--max-bad-fraction",),
    "run lenet5 --dataset images:missing": ("missing does not exist",),
    "run lenet5 --dataset tfds:./missing": ("missing does not exist",),
    "run lenet5 --dataset tfds:nonesuch": ("no dataset 'nonesuch'", "TFDS_DATA_DIR"),
    "fit lenet5 --init-from nope": ("--init-from nope: expected a model of `ann list models`, a .keras file or",),
    "run lenet5 --init-from linear": ("not trained under ./ann-runs; first run `ann run linear --root ./ann-runs`",),
    "run lenet5 --root /proc/nowhere": ("--root /proc/nowhere: ",),
    "fit lenet5 --out /proc/nowhere": ("--out /proc/nowhere: ",),
    "fit lenet5 --epochs 0": ("--epochs",),
    "compile lenet5 --out x.yaml": ("--image",),
    "compile lenet5 --image i --out /proc/nowhere/x.yaml": ("--out /proc/nowhere/x.yaml: ",),
    "predict lenet5 missing.png": ("'missing.png'",),
    "predict lenet5": ("INPUT",),
    "serve --port 70000": ("--port",),
    "serve --model-config-file missing": ("missing",),
    "list nope": ("nope", "tasks", "models", "datasets"),
    "frobnicate": ("No such command 'frobnicate'",),
    "run": ("MODEL",),
}


@pytest.mark.parametrize("given", WRONG)
def test_wrong_arguments_are_one_line(given: str, here, tmp_path: Path) -> None:
    check_one_line(here(*given.split()), 2, *WRONG[given])
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_is_needed(here, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for given in ("run lenet5 --root file", "fit lenet5 --out file", "run lenet5 --root file/below"):
        check_one_line(here(*given.split()), 2, "file")
    check_one_line(here("run", "lenet5", "--dataset", "images:file"), 2, "file is not a folder")
    check_one_line(here("compile", "lenet5", "--image", "i", "--out", tmp_path), 2, "directory")


def test_folders_that_are_no_dataset(here, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_one_line(here("run", "lenet5", "--dataset", "images:empty"), 2, "is empty")
    check_one_line(here("fit", "lenet5", "--dataset", "images:empty"), 2, "is empty")
    check_one_line(here("run", "lenet5", "--dataset", "tfds:./empty"), 2, "not a prepared TFDS directory")
    write_images(tmp_path / "one", classes=1)
    check_one_line(here("run", "lenet5", "--dataset", "images:one"), 2, "only one class, 'class0'")


@pytest.mark.parametrize("missing", ["image", "label"])
def test_features_that_do_not_match_the_task(missing: str, here, tmp_path: Path) -> None:
    import numpy as np
    import tensorflow as tf
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(4, 4, 1)), "label": tfds.features.ClassLabel(names=["a", "b"])}
    features[missing] = tfds.features.Scalar(np.float32)
    rows = {"image": np.zeros((4, 4, 1), np.uint8), "label": 0, missing: np.float32(1)}
    splits = {"train": tf.data.Dataset.from_tensors(rows).repeat(3)}
    tfds.dataset_builders.store_as_tfds_dataset(
        name="odd",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets=splits,
        data_dir=tmp_path / "tfds",
    )
    given = f"tfds:{tmp_path / 'tfds' / 'odd'}"
    check_one_line(here("run", "lenet5", "--dataset", given), 2, f"needs {missing} ({missing})", "its features are")


def test_failures_are_one_line_and_exit_code_1(
    here, tmp_path: Path, digit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_one_line(here("report", "--root", tmp_path), 1, "no report under", "ann run MODEL")
    check_one_line(here("serve", "--root", tmp_path), 1, "no pushed model under", "ann run MODEL")
    monkeypatch.setattr(asking, "REACH_SECONDS", 0.5)
    check_one_line(here("predict", "knn", digit, "--root", tmp_path), 1, "no pushed version", "ann run knn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    check_one_line(here("predict", "knn", digit, "--url", f"http://127.0.0.1:{port}"), 1, f"127.0.0.1:{port}")
    check_one_line(here("predict", "knn", digit, "--grpc", "--url", f"127.0.0.1:{port}"), 1, f"127.0.0.1:{port}")


@pytest.mark.parametrize("option", ["--port", "--rest-api-port"])
def test_a_port_in_use(option: str, here, tmp_path: Path) -> None:
    version = tmp_path / "serving" / "lenet5" / "1"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    other = {"--port": "--rest-api-port", "--rest-api-port": "--port"}[option]
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check_one_line(here("serve", "--root", tmp_path, option, port, other, 0), 1, f"port {port}", option)


def test_an_unexpected_error_is_one_line(here, monkeypatch: pytest.MonkeyPatch) -> None:
    from ann_keras import registry

    def fail(table: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(registry, "describe", fail)
    check_one_line(here("list"), 1, "first second")
    monkeypatch.setenv("ANN_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="first"):
        cli.main(["list"])


def test_list_imports_no_tensorflow(ann: Ann) -> None:
    code = (
        "import sys; from pipelines.cli import cli; cli.main(['list'], standalone_mode=False);"
        "heavy = {'tensorflow', 'keras', 'tfx', 'tensorflow_datasets', 'apache_beam', 'sklearn'};"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)"
    )
    environment = ann.environment()
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ann.folder, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    for name in ("image_classification", "lenet5", "digits", "tfds:NAME", "images:PATH"):
        assert name in ended.stdout


def test_list_as_json(here) -> None:
    everything = here("list", "--json").document
    assert set(everything) == {"tasks", "models", "datasets"}
    for kind, entries in everything.items():
        assert here("list", kind, "--json").document == entries
        assert all(entry["name"] and entry["summary"] for entry in entries)
    (lenet5,) = (entry for entry in everything["models"] if entry["name"] == "lenet5")
    assert lenet5["tasks"] == ["image_classification"]


def test_help_names_every_command(here) -> None:
    out = here("--help").out
    for name in ("list", "fit", "run", "compile", "serve", "predict", "report", "doctor"):
        assert f"\n  {name} " in out


def test_doctor_as_json(here) -> None:
    assert json.loads(here("doctor", "--json").out)
