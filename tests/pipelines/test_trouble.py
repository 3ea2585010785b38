"""Runs that are killed, meet each other, bad data or a full disk: nothing is corrupted, the next run is fine."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.conftest import Ann, write_images

pytestmark = pytest.mark.slow

QUICK = ("linear", "--set", "epochs=1", "--set", "min_accuracy=0")


def test_a_killed_run_goes_on_from_its_last_epoch(ann: Ann, tmp_path: Path) -> None:
    arguments = ("lenet5", "--root", tmp_path, "--set", "epochs=40", "--set", "patience=40", "--set", "min_accuracy=0")
    process = ann.start("run", *arguments)
    checkpoints = tmp_path / "pipelines" / "lenet5" / "checkpoints"
    deadline = time.monotonic() + 300
    while not list(checkpoints.glob("*/epoch-[3-9]")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "serving").exists()

    document = ann.run(*arguments)
    (course,) = (tmp_path / "pipelines" / "lenet5" / "Trainer" / "model_run").glob("*/fit.json")
    fit = json.loads(course.read_text())
    assert fit["resumed_epoch"] >= 4
    assert len(fit["history"]["loss"]) == 40
    assert document["told"].count("  epoch ") == 40 - fit["resumed_epoch"]
    assert "its earlier run did not finish" in document["told"]
    assert not list(checkpoints.glob("*"))


def test_two_runs_at_once_on_one_root(ann: Ann, tmp_path: Path) -> None:
    both = [ann.start("run", *QUICK, "--root", tmp_path, "--json") for _ in range(2)]
    answers = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    waited = [f"waiting for another run under {tmp_path} to end" in err for _, err in answers]
    assert sorted(waited) == [False, True]
    first, second = (json.loads(answers[waited.index(late)][0]) for late in (False, True))
    assert first["reused"] == [] and len(second["reused"]) == len(second["seconds"])
    assert first["version"] == second["version"]


def test_a_truncated_picture_is_named_and_left_out_where_that_is_allowed(ann: Ann, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", each=20)
    broken = folder / "class1" / "7.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    arguments = ("run", *QUICK, "--root", tmp_path / "root", "--dataset", f"images:{folder}")
    refused = ann(*arguments)
    assert refused.code == 1
    (line,) = refused.err.splitlines()
    assert line.startswith("ann: StratifiedExampleGen failed: 1 of 40 examples cannot be read")
    assert "class1/7.jpg: a truncated or corrupt JPEG" in line and "(log: " in line
    assert Path(line.rsplit("(log: ", 1)[1].rstrip(")")).is_file()

    allowed = ann.run(*arguments[1:], "--max-bad-fraction", "0.05")
    assert "class1/7.jpg" in Path(allowed["report"]).read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for the data, but not for all that a run makes of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command")
    made = subprocess.run([mount, "-t", "tmpfs", "-o", "size=700k", "tmpfs", folder], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"mounting a small file system needs rights that this user lacks: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_one_line_and_the_next_run_with_space_is_fine(ann: Ann, small_disk: Path) -> None:
    failed = ann("run", *QUICK, "--root", small_disk)
    assert failed.code == 1
    (line,) = failed.err.splitlines()
    assert "space" in line.lower() or "disk" in line.lower(), line
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    assert ann.run(*QUICK, "--root", small_disk)["blessed"] is True


def test_ctrl_c_is_one_line_and_the_next_run_is_fine(ann: Ann, tmp_path: Path) -> None:
    process = ann.start("run", *QUICK, "--root", tmp_path)
    assert process.stdout is not None
    process.stdout.readline()  # the first component ended
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "ann: interrupted\n")
    assert ann.run(*QUICK, "--root", tmp_path)["blessed"] is True
