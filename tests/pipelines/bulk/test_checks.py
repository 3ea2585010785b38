"""Wrong arguments of `ann predict --input`: one line that names what is wrong, before anything is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.bulk import arguments, checks
from pipelines.bulk.answers import FORMATS
from tests.pipelines.bulk.conftest import Run

OUT = "--output x.csv"
WRONG = {
    "": ("nothing to answer", "INPUT", "--input PATH"),
    "--input in": ("--input needs --output FILE",),
    "--output x.csv": ("--output needs --input",),
    "in/1.png --output x.csv": ("--output needs --input",),
    "in/1.png --version 1": ("--version needs --input",),
    "in/1.png --beam-arg=--x": ("--beam-arg needs --input",),
    f"in/1.png --input in {OUT}": ("both INPUT, 'in/1.png', and --input",),
    f"--input in {OUT} --url http://127.0.0.1:1": ("--url asks a server",),
    f"--input in {OUT} --grpc": ("--grpc asks a server",),
    f"--input nope {OUT}": ("--input nope: there is no such file or folder", "tfrecord:PATH, folder:PATH, csv:PATH"),
    f"--input csv {OUT}": ("there is no such file or folder", "csv:PATH"),
    f"--input csv: {OUT}": ("no path is after csv:",),
    f"--input images:in {OUT}": ("there is no such file or folder",),
    f"--input folder:nope {OUT}": ("nope: there is no such folder",),
    f"--input folder:good.csv {OUT}": ("good.csv: there is no such folder",),
    f"--input nope.csv {OUT}": ("nope.csv: there is no such file",),
    f"--input *.tfrecord {OUT}": ("*.tfrecord: there is no such file",),
    f"--input notes.txt {OUT}": ("notes.txt: a line is one text, and the model reads image (image)",),
    f"--input notes.md {OUT}": ("the name does not tell the format", "tfrecord|folder|csv|text"),
    f"--input csv:good.csv --input-format folder {OUT}": ("--input-format says folder",),
    f"--input in --input-format images {OUT}": ("--input-format", "'images'"),
    f"--input text {OUT}": ("text: no file in it is named .jpg, .jpeg, .png, .bmp, .gif",),
    f"--input bad.csv {OUT}": ("no column 'image'", "its columns are picture, label"),
    f"--input twice.csv {OUT}": ("two columns 'image'",),
    f"--input empty.csv {OUT}": ("no column 'image'", "it is empty"),
    f"--input ?a?.csv {OUT}": ("bad.csv: no column 'image'",),
    "--input in --output x.txt": ("--output x.txt", ".jsonl, .csv, .tfrecord"),
    "--input in --output x": ("--output x:", ".jsonl, .csv, .tfrecord"),
    "--input in --output nope/x.csv": ("--output nope/x.csv: there is no folder nope",),
    "--input in --output taken.csv": ("--output taken.csv: is a folder",),
    "--input good.csv --output good.csv": ("would replace its own input",),
    "--input g*d.csv --output good.csv": ("would replace its own input",),
    f"--input in {OUT} --version 7": ("--version 7", "the versions there are 1"),
    f"--input in {OUT} --batch-size 0": ("--batch-size",),
    f"--input in {OUT} --max-bad-fraction 2": ("--max-bad-fraction",),
    f"--input in {OUT} --beam-arg=--runner=Nope": ("Unexpected pipeline runner: Nope", "FnApiRunner"),
    f"--input in {OUT} --beam-arg=--direct_num_workers=x": (
        "--beam-arg: argument --direct_num_workers: invalid int value: 'x'",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("in", "text", "taken.csv"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "1.png").touch()
    (tmp_path / "text" / "1.txt").touch()
    for name in ("notes.txt", "notes.md"):
        (tmp_path / name).touch()
    tables = {"good": "image\n1.png\n", "bad": "picture,label\n", "twice": "image,image\n", "empty": ""}
    for name, text in tables.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


@pytest.mark.parametrize("given", WRONG)
def test_wrong_arguments_are_one_line(given: str, predict: Run, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    answer = predict(*given.split())
    assert (answer.code, answer.out) == (2, ""), answer.err
    (line,) = answer.err.splitlines()
    assert line.startswith("ann: ")
    for part in WRONG[given]:
        assert part in line, line
    assert sorted(folder.rglob("*")) == before


def test_no_pushed_version(predict: Run, folder: Path) -> None:
    answer = predict("--input", "in", "--output", "x.csv", model="lenet5")
    assert (answer.code, answer.out) == (1, "")
    assert "holds no pushed version; `ann run lenet5 --root" in answer.err


def test_a_model_of_other_features(predict: Run, root: Path, folder: Path) -> None:
    version = folder / "other" / "serving" / "mlp" / "1"
    shutil.copytree(root / "serving" / "mlp" / "1", version)
    description = version / "assets.extra" / "ann_keras.json"
    fields = json.loads(description.read_text())
    fields["features"].append({"name": "speed", "kind": "number", "shape": [], "dtype": "float32"})
    description.write_text(json.dumps(fields))
    given = ("--root", folder / "other", "--output", "x.csv")
    assert "a file holds one feature and the model reads image, speed" in predict(*given, "--input", "in").err
    assert "no column 'speed'" in predict(*given, "--input", "good.csv").err
    description.unlink()
    for path in ("in", "good.csv"):
        answer = predict(*given, "--input", path)
        assert (answer.code, answer.out) == (2, "")
        assert "does not say which features it reads; give it --input tfrecord:PATH" in answer.err


def test_a_model_without_the_signature(predict: Run, folder: Path) -> None:
    from serving import protos

    version = folder / "other" / "serving" / "mlp" / "1"
    version.mkdir(parents=True)
    message = protos.saved_model_pb2.SavedModel()
    message.meta_graphs.add().signature_def["serving_default"].outputs["y"].name = "y"
    (version / "saved_model.pb").write_bytes(message.SerializeToString())
    (folder / "x.tfrecord").touch()
    given = ("--root", folder / "other", "--input", "x.tfrecord", "--output", "x.csv")
    assert "has no signature 'examples'; it has serving_default" in predict(*given).err
    (version / "saved_model.pb").write_bytes(b"\xff\xff")
    answer = predict(*given)
    assert answer.code == 1
    assert "is no SavedModel" in answer.err


def test_the_help_names_the_formats_there_are() -> None:
    assert set(arguments.FORMATS) == set(checks.SOURCES)
    assert set(FORMATS) == {".jsonl", ".csv", ".tfrecord"}


@pytest.mark.parametrize(
    "path",
    ["a.tfrecord", "a.tfrecord.gz", "A.TFRecords", "data_tfrecord-00000-of-00002.gz", "x.tfrecord-00001-of-00002"],
)
def test_names_of_tfrecords(path: str, predict: Run, tmp_path: Path) -> None:
    (tmp_path / path).write_bytes(b"" if not path.endswith("gz") else _gzipped())
    assert predict("--input", path, "--output", "x.jsonl").code == 0


def _gzipped() -> bytes:
    import gzip

    return gzip.compress(b"")
