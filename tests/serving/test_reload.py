"""Labels, and the list of models replaced while the server runs."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from serving import protos
from serving.errors import Code, ServingError
from serving.server import config
from serving.server.config import ModelConfig, Source
from serving.server.models import ModelManager, ModelSpec

Wait = Callable[[Callable[[], bool]], None]
Start = Callable[..., ModelManager]


@pytest.fixture
def start() -> Iterator[Start]:
    running = []

    def begin(source: Source, **given: object) -> ModelManager:
        manager = ModelManager(source, 0.0, lambda line: None, **{"source_poll_seconds": 0.0, **given})  # type: ignore[arg-type]
        running.append(manager)
        manager.start()
        assert manager.wait_for_first_look(20)
        return manager

    yield begin
    for manager in running:
        manager.stop()


def entry(name: str, base_path: Path | str, rest: str = "", platform: str = "tensorflow") -> str:
    return f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "{platform}" {rest} }}\n'


def message(*entries: str) -> object:
    text = f"model_config_list {{ {''.join(entries)} }}"
    return text_format.Parse(text, protos.model_server_config_pb2.ModelServerConfig())


def one(name: str, base_path: Path) -> Source:
    return lambda: {name: ModelConfig(str(base_path))}


def plus(manager: ModelManager, *spec: object) -> float:
    with manager.use(ModelSpec(*spec)) as (_, servable):  # type: ignore[arg-type]
        return float(servable.run("", {"x": np.zeros(1, np.float32)})["y"][0])


def test_a_reload_replaces_the_models(saved_models: Path, start: Start) -> None:
    manager = start(one("half", saved_models / "half"))
    manager.reload(message(entry("other", saved_models / "half"), entry("text", saved_models / "text")))
    assert manager.serving() == {"other": [2], "text": [1]}
    assert plus(manager, "other") == 3.0
    with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(half\)"):
        plus(manager, "half")


def test_a_reload_changes_the_policy(saved_models: Path, start: Start) -> None:
    manager = start(one("half", saved_models / "half"))
    manager.reload(message(entry("half", saved_models / "half", "model_version_policy { specific { versions: 1 } }")))
    assert manager.serving() == {"half": [1]}


@pytest.mark.parametrize(
    ("entries", "code", "text"),
    [
        ((entry("a", "/x"), entry("a", "/y")), Code.INVALID_ARGUMENT, "Illegal to list model a multiple times"),
        (
            (entry("a", "x"),),
            Code.INVALID_ARGUMENT,
            "Expected model a to have an absolute path or URI; got base_path()=x",
        ),
        ((entry("a", "gs://x"),), Code.INVALID_ARGUMENT, "this machine's disk; got base_path()=gs://x"),
        ((entry("", "/x"),), Code.INVALID_ARGUMENT, "has no name"),
        (
            (entry("a", "/x", platform=""),),
            Code.INVALID_ARGUMENT,
            "Illegal setting neither ModelServerConfig::model_type",
        ),
        ((entry("a", "/x", platform="tea"),), Code.INVALID_ARGUMENT, "Model a requests unsupported platform tea"),
        ((entry("a", "/x", "model_type: TENSORFLOW"),), Code.INVALID_ARGUMENT, "Illegal setting both"),
        ((entry("a", "/nowhere"),), Code.INVALID_ARGUMENT, "Could not find base path /nowhere for servable a"),
        ((entry("a", "/"),), Code.NOT_FOUND, "Unable to find a numerical version path for servable a at: /"),
    ],
)
def test_a_bad_reload_changes_nothing(
    entries: tuple[str, ...], code: Code, text: str, saved_models: Path, start: Start
) -> None:
    manager = start(one("half", saved_models / "half"))
    with pytest.raises(ServingError) as raised:
        manager.reload(message(*entries))
    assert raised.value.code == code
    assert text in raised.value.message
    assert manager.serving() == {"half": [2]}


def test_only_model_lists_are_reloaded(saved_models: Path, start: Start) -> None:
    manager = start(one("half", saved_models / "half"))
    with pytest.raises(ServingError, match="Only ModelConfigList is currently supported"):
        manager.reload(protos.model_server_config_pb2.ModelServerConfig())


def test_a_new_model_that_does_not_load_is_told(saved_models: Path, tmp_path: Path, start: Start) -> None:
    manager = start(one("half", saved_models / "half"))
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").write_bytes(b"no graph")
    with pytest.raises(ServingError) as raised:
        manager.reload(message(entry("bad", tmp_path), entry("half", saved_models / "half")))
    assert raised.value.code == Code.UNKNOWN
    assert raised.value.message.startswith(
        "1 model(s) did not become available: {{{name: bad version: 3} due to error: "
    )
    assert manager.serving() == {"half": [2], "bad": []}


LABELS = 'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }'
BOTH = "model_version_policy { all {} }"


def test_labels_name_versions_that_serve(saved_models: Path, start: Start) -> None:
    manager = start(lambda: {"half": ModelConfig(str(saved_models / "half"), config.All())})
    manager.reload(message(entry("half", saved_models / "half", BOTH + LABELS)))
    assert plus(manager, "half", None, "stable") == 2.0
    assert plus(manager, "half", None, "canary") == 3.0
    with pytest.raises(ServingError, match="Unrecognized servable version label: nope") as raised:
        plus(manager, "half", None, "nope")
    assert raised.value.code == Code.INVALID_ARGUMENT
    manager.reload(message(entry("half", saved_models / "half", BOTH)))
    with pytest.raises(ServingError, match="Unrecognized servable version label: stable"):
        plus(manager, "half", None, "stable")


def test_a_label_of_a_version_that_does_not_serve(saved_models: Path, start: Start) -> None:
    manager = start(one("half", saved_models / "half"))
    with pytest.raises(ServingError) as raised:
        manager.reload(message(entry("half", saved_models / "half", LABELS)))
    assert raised.value.code == Code.FAILED_PRECONDITION
    assert raised.value.message == (
        "Request to assign label to version 1 of model half, which is not currently available for inference"
    )
    assert manager.serving() == {"half": [2]}


def test_labels_at_the_start_need_a_flag(saved_models: Path, start: Start) -> None:
    labelled: Source = lambda: {"half": ModelConfig(str(saved_models / "half"), config.All(), {"stable": 1})}  # noqa: E731
    with pytest.raises(ServingError, match="Request to assign label to version 1 of model half"):
        start(labelled)
    manager = start(labelled, allows_labels_early=True)
    assert plus(manager, "half", None, "stable") == 2.0
    with pytest.raises(
        ServingError, match="Request to assign label to version 7"
    ):  # it is in use, with another version
        manager.reload(message(entry("half", saved_models / "half", 'version_labels { key: "stable" value: 7 }')))
    manager.reload(message(entry("half", saved_models / "half", 'version_labels { key: "new" value: 7 }')))
    with pytest.raises(ServingError, match=r"Servable not found for request: Specific\(half, 7\)"):
        plus(manager, "half", None, "new")


def test_the_config_file_is_read_again(saved_models: Path, tmp_path: Path, start: Start, wait_until: Wait) -> None:
    path = tmp_path / "models.config"
    path.write_text(f"model_config_list {{ {entry('a', saved_models / 'half')} }}")
    lines: list[str] = []
    manager = ModelManager(lambda: config.read_config_file(str(path)), 0.0, lines.append, source_poll_seconds=0.05)
    manager.start()
    wait_until(lambda: manager.serving() == {"a": [2]})
    path.write_text("model_config_list {")
    wait_until(lambda: any("the models stay as they are" in line for line in lines))
    path.unlink()
    wait_until(lambda: any("No such file" in line for line in lines))
    assert manager.serving() == {"a": [2]}
    path.write_text(f"model_config_list {{ {entry('b', saved_models / 'half')} }}")
    wait_until(lambda: manager.serving() == {"b": [2]})
    manager.stop()


def test_without_polling_only_a_reload_looks_at_the_disk(saved_models: Path, tmp_path: Path, start: Start) -> None:
    shutil.copytree(saved_models / "half" / "1", tmp_path / "1")
    manager = start(one("half", tmp_path))
    shutil.copytree(saved_models / "half" / "2", tmp_path / "2")
    assert manager.serving() == {"half": [1]}
    manager.reload(message(entry("half", tmp_path), entry("text", saved_models / "text")))
    assert manager.serving()["text"] == [1]


def test_never_looking_loads_nothing(saved_models: Path) -> None:
    manager = ModelManager(one("half", saved_models / "half"), -1.0, lambda line: None, source_poll_seconds=0.0)
    manager.start()
    assert not manager.wait_for_first_look(0.3)
    manager.stop()


def test_reloads_at_the_same_time_all_end(saved_models: Path, start: Start) -> None:
    manager = start(one("half", saved_models / "half"))
    threads = [
        threading.Thread(target=manager.reload, args=(message(entry(f"half{n}", saved_models / "half")),))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert list(manager.serving().values()) == [[2]]
