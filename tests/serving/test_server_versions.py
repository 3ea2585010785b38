"""Versions on disk: new ones, broken ones, half-copied ones; and models that appear under a root."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.client import Client
from serving.errors import Code, ServingError
from serving.process import ModelServer
from serving.server.config import All, Latest, ModelConfig, Specific, from_root, read_config_file
from serving.server.models import ModelManager
from serving.server.versions import Model

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def base_path(saved_models: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved_models / "half" / "1", tmp_path / "half" / "1")
    return tmp_path / "half"


def answer(model: Model) -> tuple[int, float]:
    with model.use() as (version, servable):
        return version, float(servable.run("", {"x": np.zeros(1, np.float32)})["y"][0])


def states(model: Model) -> dict[int, str]:
    return {status.version: status.state for status in model.statuses()}


def test_a_new_version_replaces_the_old_one(base_path: Path, saved_models: Path) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    assert answer(model) == (1, 2.0)
    shutil.copytree(saved_models / "half" / "2", base_path / "2")
    model.reconcile()
    assert answer(model) == (2, 3.0)
    assert states(model) == {2: "AVAILABLE", 1: "END"}
    model.unload_all()


def test_a_broken_version_is_reported_and_replaces_nothing(base_path: Path, saved_models: Path) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    broken = base_path / "2"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"this is no graph")
    model.reconcile()
    assert answer(model) == (1, 2.0)
    failed, good = model.statuses()
    assert (failed.version, failed.state, good.state) == (2, "END", "AVAILABLE")
    assert failed.code != Code.OK
    assert failed.message
    shutil.copytree(saved_models / "half" / "2", broken, dirs_exist_ok=True)  # repaired: it is tried again
    model.reconcile()
    assert answer(model) == (2, 3.0)
    model.unload_all()


def test_a_half_copied_version_is_left_alone(base_path: Path, saved_models: Path) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    shutil.copytree(saved_models / "half" / "2" / "variables", base_path / "2" / "variables")
    (base_path / "not-a-version").mkdir()
    model.reconcile()
    assert answer(model) == (1, 2.0)
    assert states(model) == {1: "AVAILABLE"}
    model.unload_all()


def test_a_version_stays_loaded_while_a_request_uses_it(base_path: Path, saved_models: Path, wait_until: Wait) -> None:
    model = Model("half", ModelConfig(str(base_path)))
    model.reconcile()
    with model.use() as (version, servable):
        shutil.copytree(saved_models / "half" / "2", base_path / "2")
        thread = threading.Thread(target=model.reconcile)
        thread.start()
        wait_until(lambda: states(model).get(1) == "UNLOADING")
        assert answer(model) == (2, 3.0)
        assert (version, servable.run("", {"x": np.zeros(1, np.float32)})["y"][0]) == (1, 2.0)
    thread.join(20)
    assert states(model) == {2: "AVAILABLE", 1: "END"}
    model.unload_all()


@pytest.mark.parametrize(
    ("policy", "serving"), [(Latest(), [2]), (Latest(2), [2, 1]), (All(), [2, 1]), (Specific(frozenset({1})), [1])]
)
def test_policies(saved_models: Path, policy: Latest | All | Specific, serving: list[int]) -> None:
    model = Model("half", ModelConfig(str(saved_models / "half"), policy))
    model.reconcile()
    assert [status.version for status in model.statuses()] == serving
    model.unload_all()


def test_config_file(tmp_path: Path) -> None:
    path = tmp_path / "models.config"
    path.write_text(
        'model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" }\n'
        'config { name: "b" base_path: "/b" model_type: TENSORFLOW\n'
        "model_version_policy { specific { versions: 3 } } }\n"
        'config { name: "c" base_path: "/c" model_platform: "tensorflow"\n'
        "model_version_policy { latest { num_versions: 2 } } } }"
    )
    models = read_config_file(str(path))
    assert models["a"] == ModelConfig("/a", Latest(1))
    assert models["b"].policy == Specific(frozenset({3}))
    assert models["c"].policy == Latest(2)
    path.write_text("model_config_list {")
    with pytest.raises(ServingError, match=r"models\.config"):
        read_config_file(str(path))


def test_models_appear_and_vanish_under_a_root(saved_models: Path, tmp_path: Path, wait_until: Wait) -> None:
    lines: list[str] = []
    manager = ModelManager(from_root(str(tmp_path)), poll_seconds=0.02, announce=lines.append)
    manager.start()
    assert manager.wait_for_first_look(20)
    assert manager.serving() == {}
    shutil.copytree(saved_models / "half", tmp_path / "serving" / "half")
    (tmp_path / "serving" / "nothing-pushed-yet").mkdir()
    wait_until(lambda: manager.serving() == {"half": [2]})
    wait_until(lambda: "half version 2: AVAILABLE" in lines)
    shutil.rmtree(tmp_path / "serving" / "half")
    wait_until(lambda: manager.serving() == {})
    manager.stop()


@pytest.fixture
def swapping(base_path: Path) -> Iterator[ModelServer]:
    with ModelServer({"half": base_path}, embedded=True, poll_seconds=0.05) as server:
        yield server


def test_no_request_fails_while_versions_change(
    swapping: ModelServer, base_path: Path, saved_models: Path, wait_until: Wait
) -> None:
    wrong: list[object] = []
    stop = threading.Event()

    def keep_asking(address: str, grpc: bool) -> None:
        with Client(address, "half", grpc=grpc) as client:
            while not stop.is_set():
                try:
                    if float(client.predict({"x": [0.0]})["y"][0]) not in (2.0, 3.0):
                        wrong.append("another answer")
                except ServingError as error:
                    wrong.append(error)

    addresses = ((swapping.rest_url, False), (swapping.grpc_address, True))
    threads = [threading.Thread(target=keep_asking, args=one) for one in addresses]
    for thread in threads:
        thread.start()
    with Client(swapping.rest_url, "half") as client:
        for version in range(2, 6):
            shutil.copytree(saved_models / "half" / str(version % 2 + 1), base_path / str(version))
            wait_until(lambda: client.status()[0]["version"] == version and _is_available(client))  # noqa: B023
    stop.set()
    for thread in threads:
        thread.join(20)
    assert wrong == []


def _is_available(client: Client) -> bool:
    return bool(client.status()[0]["state"] == "AVAILABLE")
