"""`ann predict --input`: the server's answers in the order of the inputs, whatever the formats, and what goes wrong."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.bulk import command
from pipelines.console import Lines
from serving.client import Client
from serving.process import ModelServer
from tests import translations
from tests.pipelines.bulk.conftest import COUNT, Inputs, Run, example, read, write_records
from tests.pipelines.conftest import Ann

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def served(root: Path, inputs: Inputs) -> tuple[list[str], np.ndarray]:
    """What the server answers: labels and probabilities."""
    with (
        ModelServer({"mlp": root / "serving" / "mlp"}, embedded=True) as server,
        Client(server.rest_url, "mlp") as client,
    ):
        answers = client.predict({"image": inputs.pictures})
    return list(answers["label"]), np.asarray(answers["probabilities"])


def test_lines_are_translated(predict: Run, tmp_path: Path) -> None:
    translations.spell(tmp_path / "root" / "serving" / "transformer" / "1")
    (tmp_path / "lines.txt").write_bytes(b"a man mans\n\n\xff a\n")
    given = ("--root", tmp_path / "root", "--input", "lines.txt", "--output", "out.jsonl")
    answer = predict(*given, model="transformer")
    assert (answer.code, answer.err) == (0, "")
    first, second, third = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert [row["translation"] for row in (first, second, third)] == ["A MAN MANS", "", "\ufffd A"]
    assert (first["key"], first["candidates"], len(first["alignment"])) == ("1", ["A MAN MANS", "a man mans"], 4)
    assert (second["tokens"], second["alignment"], third["source_tokens"]) == ([], [], ["<unk>", "\u2581a"])


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tfrecord"])
@pytest.mark.parametrize("kind", ["folder", "csv", "tfrecord"])
def test_answers_are_the_servers(
    kind: str, suffix: str, predict: Run, inputs: Inputs, served: tuple[list[str], np.ndarray], tmp_path: Path
) -> None:
    answer = predict("--input", inputs.paths[kind], "--output", f"out.{suffix}", "--json")
    assert (answer.code, answer.err) == (0, "")
    document = answer.document
    assert document.pop("seconds") > 0
    assert document == {
        "model": "mlp",
        "version": 1,
        "input": str(inputs.paths[kind]),
        "output": f"out.{suffix}",
        "predicted": COUNT,
        "failed": 0,
    }
    found = read(tmp_path / f"out.{suffix}")
    assert found.keys == inputs.keys[kind]
    assert found.labels == served[0]
    np.testing.assert_allclose(found.shares, served[1], rtol=0, atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [f"out.{suffix}"]


def test_what_a_person_is_told(predict: Run, inputs: Inputs) -> None:
    answer = predict("--input", inputs.paths["csv"], "--output", "out.csv", "--batch-size", 1000)
    assert answer.code == 0
    (line,) = answer.out.splitlines()
    assert line.startswith("mlp 1: 300 answers and 0 errors in out.csv, ")
    assert answer.err == ""


def test_bad_pictures_do_not_touch_the_others(predict: Run, inputs: Inputs, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    good = inputs.pictures[:5]
    for name, content in zip("bdfhj", good, strict=True):
        (tmp_path / "in" / f"{name}.png").write_bytes(content)
    bad = {"a.jpg": b"nothing", "e.png": good[0][:40], "k.gif": b""}
    for name, content in bad.items():
        (tmp_path / "in" / name).write_bytes(content)
    (tmp_path / "in" / "c.png").symlink_to("nowhere.png")
    answer = predict("--input", "in", "--output", "out.jsonl", "--json")
    assert answer.code == 1
    assert (answer.document["predicted"], answer.document["failed"]) == (5, 4)
    (line,) = answer.err.splitlines()
    assert "4 of 9 inputs have no answer, more than --max-bad-fraction=0 allows: a.jpg: not a JPEG" in line
    assert line.endswith("; and 1 more; out.jsonl has the error of each")
    found = read(tmp_path / "out.jsonl")
    assert found.keys == sorted([*bad, "c.png", *(f"{name}.png" for name in "bdfhj")])
    assert found.errors == {
        "a.jpg": "not a JPEG, PNG, BMP or GIF image",
        "c.png": "No such file or directory",
        "e.png": "a truncated or corrupt PNG",
        "k.gif": "an empty file",
    }
    assert len(found.labels) == 5
    assert predict("--input", "in", "--output", "out.jsonl", "--max-bad-fraction", 0.5).code == 0
    assert predict("--input", "in", "--output", "out.jsonl", "--max-bad-fraction", 0.4).code == 1


def test_bad_records_do_not_touch_the_others(predict: Run, inputs: Inputs, tmp_path: Path) -> None:
    good = list(map(example, inputs.pictures[:4]))
    write_records(tmp_path / "a.tfrecord", [good[0], b"\xff\xff", good[1], b"", example(b"nothing"), good[2]])
    write_records(tmp_path / "b.tfrecord", good)
    content = bytearray((tmp_path / "b.tfrecord").read_bytes())
    content[-5] ^= 1
    (tmp_path / "b.tfrecord").write_bytes(content)
    assert predict("--input", "*.tfrecord", "--output", "out.csv").code == 1
    found = read(tmp_path / "out.csv")
    assert found.keys == [*(f"a.tfrecord:{row}" for row in range(6)), *(f"b.tfrecord:{row}" for row in range(4))]
    assert len(found.labels) == 6
    assert found.errors["a.tfrecord:1"] == "no serialized tf.Example"
    assert "Feature: image" in found.errors["a.tfrecord:3"]
    assert found.errors["a.tfrecord:4"].startswith("Unknown image file format")
    assert "corrupted record at" in found.errors["b.tfrecord:3"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tfrecord"])
def test_empty_inputs(suffix: str, predict: Run, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in.csv").write_text("image\n")
    (tmp_path / "in.tfrecord").touch()
    for given in ("in", "in.csv", "in.tfrecord"):
        answer = predict("--input", given, "--output", f"out.{suffix}", "--json")
        assert answer.code == 0, answer.err
        assert (answer.document["predicted"], answer.document["failed"]) == (0, 0)
        assert read(tmp_path / f"out.{suffix}").keys == []


def test_a_second_run_replaces_the_output(predict: Run, inputs: Inputs, root: Path, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("old")
    (tmp_path / "out.jsonl.partial").mkdir()
    (tmp_path / "out.jsonl.partial" / "left").write_text("by a run that was killed")
    for _ in range(2):
        assert predict("--input", inputs.paths["csv"], "--output", "out.jsonl").code == 0
        assert len(read(tmp_path / "out.jsonl").keys) == COUNT
        assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_the_newest_version_answers_or_the_one_that_is_asked_for(
    predict: Run, inputs: Inputs, root: Path, tmp_path: Path
) -> None:
    base = tmp_path / "other" / "serving" / "mlp"
    for version in ("9", "10"):
        shutil.copytree(root / "serving" / "mlp" / "1", base / version)
    (base / "11" / "variables").mkdir(parents=True)  # still being copied
    given = ("--root", tmp_path / "other", "--input", inputs.paths["csv"], "--output", "out.csv", "--json")
    assert predict(*given).document["version"] == 10
    assert predict(*given, "--version", 9).document["version"] == 9
    assert "the versions there are 9, 10" in predict(*given, "--version", 11).err


def test_a_model_that_does_not_load_leaves_the_old_output(
    predict: Run, inputs: Inputs, root: Path, tmp_path: Path
) -> None:
    version = tmp_path / "other" / "serving" / "mlp" / "1"
    shutil.copytree(root / "serving" / "mlp" / "1", version)
    shutil.rmtree(version / "variables")
    (tmp_path / "out.csv").write_text("old")
    answer = predict("--root", tmp_path / "other", "--input", inputs.paths["csv"], "--output", "out.csv")
    assert (answer.code, answer.out) == (1, "")
    (line,) = answer.err.splitlines()
    assert "variables" in line
    assert (tmp_path / "out.csv").read_text() == "old"
    assert not (tmp_path / "out.csv.partial").exists()


def test_counts_are_told_seldom_where_nobody_sees_them_live(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((100.0, 110.0, 131.0, 140.0, 162.0))
    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: next(times)))
    counts = command.Counts(Lines(sys.stdout))
    for text in "1234":
        counts.detail(text)
    assert capsys.readouterr().out.split() == ["2", "4"]


@pytest.mark.slow
def test_several_workers_answer_in_the_same_order(
    ann: Ann, inputs: Inputs, predict: Run, root: Path, tmp_path: Path
) -> None:
    assert predict("--input", inputs.paths["folder"], "--output", "one.jsonl").code == 0
    workers = ("--beam-arg=--direct_num_workers=2", "--beam-arg=--direct_running_mode=multi_processing")
    given = ("--root", root, "--input", inputs.paths["folder"], "--output", tmp_path / "two.jsonl")
    answer = ann("predict", "mlp", *given, *workers)
    assert answer.code == 0, answer.err
    one, two = read(tmp_path / "one.jsonl"), read(tmp_path / "two.jsonl")
    assert (one.keys, one.labels) == (two.keys, two.labels)
    np.testing.assert_allclose(one.shares, two.shares, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_ends_half_way_leaves_the_old_output(
    number: signal.Signals, ann: Ann, inputs: Inputs, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("image\n" + f"{inputs.paths['folder']}/0/0001.png\n" * 400_000)
    output = tmp_path / "out.jsonl"
    output.write_text("old")
    process = ann.start("predict", "mlp", "--root", root, "--input", tmp_path / "in.csv", "--output", output)
    try:
        while len(list((tmp_path / "out.jsonl.partial").glob("parts/*"))) < 3:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert output.read_text() == "old"
    if number is signal.SIGINT:
        assert (process.returncode, out, err) == (130, "", "ann: interrupted\n")
        assert not (tmp_path / "out.jsonl.partial").exists()
    (tmp_path / "in.csv").write_text(f"image\n{inputs.paths['folder']}/0/0001.png\n")
    answer = ann("predict", "mlp", "--root", root, "--input", tmp_path / "in.csv", "--output", output)
    assert answer.code == 0, answer.err
    assert [json.loads(line)["key"] for line in output.read_text().splitlines()] == ["1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.jsonl"]
