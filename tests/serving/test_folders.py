"""Version directories that are being copied, and the SavedModels that they would be meanwhile."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serving.errors import Code
from serving.server import folders
from serving.server.config import ModelConfig
from serving.server.models import ModelManager
from serving.server.versions import Loader, Model

Wait = Callable[[Callable[[], bool]], None]


def test_which_folders_are_versions(tmp_path: Path) -> None:
    for name in ("1", "007", "x", "-2", "9223372036854775807", "9223372036854775808", "5"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "5" / "saved_model.pb").unlink()
    (tmp_path / "6").touch()
    assert sorted(folders.version_folders(str(tmp_path))) == [1, 7, 9223372036854775807]


def test_a_version_rests_once_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "saved_model.pb"
    path.write_bytes(b"1")
    clock = [1000.0]
    monkeypatch.setattr(folders.time, "monotonic", lambda: clock[0])
    settling = folders.Settling(5.0)
    assert not settling.rests(1, folders.look(str(tmp_path)))
    clock[0] += 4
    path.write_bytes(b"12")
    assert not settling.rests(1, folders.look(str(tmp_path)))
    clock[0] += 4
    assert not settling.rests(1, folders.look(str(tmp_path)))
    clock[0] += 2
    assert settling.rests(1, folders.look(str(tmp_path)))


def test_a_version_that_rested_long_ago_needs_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "saved_model.pb").touch()
    os.utime(tmp_path / "saved_model.pb", (1, 1))  # as cp -p would
    assert not folders.Settling(5.0).rests(1, folders.look(str(tmp_path)))
    now = folders.time.time()
    monkeypatch.setattr(folders.time, "time", lambda: now + 6)
    assert folders.Settling(5.0).rests(1, folders.look(str(tmp_path)))


@pytest.fixture
def base_path(saved_models: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved_models / "half" / "1", tmp_path / "half" / "1")
    return tmp_path / "half"


def plus(model: Model) -> tuple[int, float]:
    with model.use() as (version, servable):
        return version, float(servable.run("", {"x": np.zeros(1, np.float32)})["y"][0])


def test_a_version_in_the_making_waits_and_the_old_one_serves(base_path: Path, saved_models: Path) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    model._settling = folders.Settling(3600.0)
    shutil.copytree(saved_models / "half" / "2", base_path / "2")
    model.reconcile()
    assert model.waits
    assert plus(model) == (1, 2.0)
    assert [status.version for status in model.statuses()] == [1]
    model._settling = folders.Settling(0.0)
    model.reconcile()
    assert not model.waits
    assert plus(model) == (2, 3.0)
    model.unload_all()


def test_a_copy_that_stops_before_the_variables_is_no_version(base_path: Path, saved_models: Path) -> None:
    """TensorFlow loads a graph without its variables, and fails at each request."""
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    (base_path / "2").mkdir()
    shutil.copy(saved_models / "half" / "2" / "saved_model.pb", base_path / "2")
    model.reconcile()
    assert plus(model) == (1, 2.0)
    failed = model.statuses(2)[0]
    assert (failed.state, failed.code) == ("END", Code.NOT_FOUND)
    assert "variables.index is absent" in failed.message
    shutil.copytree(saved_models / "half" / "2" / "variables", base_path / "2" / "variables")
    model.reconcile()
    assert plus(model) == (2, 3.0)
    model.unload_all()


def test_a_copy_that_stops_within_an_asset_is_loaded_again(saved_models: Path, tmp_path: Path) -> None:
    """Nothing tells that a vocabulary is cut short, but for the rest of it that comes later."""
    shutil.copytree(saved_models / "tf1" / "1", tmp_path / "1")
    asset = tmp_path / "1" / "assets" / "vocabulary.txt"
    whole = asset.read_bytes()
    asset.write_bytes(whole[:4])

    def index(model: Model) -> int:
        with model.use() as (_, servable):
            return int(servable.run("lookup", {"word": np.array([b"dog"], object)})["index"][0])

    model = Model("tf1", ModelConfig(str(tmp_path)))
    model.reconcile()
    assert index(model) == -1
    asset.write_bytes(whole)
    model.reconcile()
    assert index(model) == 1
    assert [status.state for status in model.statuses()] == ["AVAILABLE"]
    model.unload_all()


def test_a_version_that_is_damaged_while_it_serves_goes_on(base_path: Path) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    (base_path / "1" / "saved_model.pb").write_bytes(b"overwritten")
    model.reconcile()
    assert plus(model) == (1, 2.0)
    assert [status.state for status in model.statuses()] == ["AVAILABLE"]
    model.unload_all()


def test_what_serves_goes_on_where_nothing_of_a_new_place_loads(base_path: Path, tmp_path: Path) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    (tmp_path / "new" / "5").mkdir(parents=True)
    (tmp_path / "new" / "5" / "saved_model.pb").write_bytes(b"no graph")
    model.config = ModelConfig(str(tmp_path / "new"))
    model.reconcile()
    assert plus(model) == (1, 2.0)
    shutil.rmtree(tmp_path / "new")  # a base path that is gone for a moment
    model.reconcile()
    assert plus(model) == (1, 2.0)
    (tmp_path / "new").mkdir()  # all versions deleted
    model.reconcile()
    assert not model.serves


def test_a_failure_is_tried_again_so_many_times(base_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def fail(self: Loader, folder: str) -> None:
        attempts.append(folder)
        raise MemoryError("none left")

    monkeypatch.setattr(Loader, "load", fail)
    model = Model("half", ModelConfig(str(base_path)), Loader(retries=2, retry_seconds=0.0))
    for _ in range(5):
        model.reconcile()
    assert len(attempts) == 3
    assert model.statuses(1)[0].message == "MemoryError: none left"


def test_a_slow_copy_is_served_once_it_is_whole(
    base_path: Path, saved_models: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    """The graph arrives first, the variables byte by byte; the old version answers until the new one can."""
    monkeypatch.setattr(folders, "SETTLE_SECONDS", 0.4)
    lines: list[str] = []
    manager = ModelManager(lambda: {"half": ModelConfig(str(base_path))}, 0.02, lines.append)
    manager.start()
    wait_until(lambda: manager.serving() == {"half": [1]})
    (base_path / "2" / "variables").mkdir(parents=True)
    variables = ("variables/variables.index", "variables/variables.data-00000-of-00001")
    for name in ("saved_model.pb", "fingerprint.pb", *variables):
        data = (saved_models / "half" / "2" / name).read_bytes()
        part = len(data) // 3 + 1
        with open(base_path / "2" / name, "wb", buffering=0) as file:
            for start in range(0, len(data), part):
                time.sleep(0.05)
                file.write(data[start : start + part])
                assert plus(manager.model("half")) == (1, 2.0)
    wait_until(lambda: manager.serving() == {"half": [2]})
    assert plus(manager.model("half")) == (2, 3.0)
    manager.stop()
    assert not any("END (" in line for line in lines)
