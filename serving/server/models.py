"""The models that a server serves: where their list comes from, and the thread that keeps them up to date."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from serving.errors import Code, ServingError
from serving.server.servable import Servable
from serving.server.versions import All, Latest, Model, ModelConfig, Specific, VersionPolicy, version_folders

Source = Callable[[], Mapping[str, ModelConfig]]


class ModelSpec(NamedTuple):
    """Which model a request means, and which of its versions; labels are a seam."""

    name: str
    version: int | None = None
    label: str = ""


def from_root(root: str) -> Source:
    """Returns a source of every folder of `root`/serving that has a version directory."""
    folder = os.path.join(root, "serving")

    def models() -> dict[str, ModelConfig]:
        found = {}
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with contextlib.suppress(OSError):
                if version_folders(os.path.join(folder, name)):
                    found[name] = ModelConfig(os.path.join(folder, name))
        return found

    return models


def _policy(config: Any) -> VersionPolicy:
    choice = config.model_version_policy.WhichOneof("policy_choice")
    if choice == "all":
        return All()
    if choice == "specific":
        return Specific(frozenset(config.model_version_policy.specific.versions))
    return Latest(config.model_version_policy.latest.num_versions if choice == "latest" else 1)


def read_config_file(path: str) -> dict[str, ModelConfig]:
    """Returns the models of a ModelServerConfig in TF Serving's text format.

    Raises:
        ServingError: where it cannot be read, naming the file and what is wrong.
    """
    from google.protobuf import text_format

    from serving import protos

    server = protos.model_server_config_pb2.ModelServerConfig()
    try:
        with open(path, encoding="utf-8") as file:
            text_format.Parse(file.read(), server)
    except OSError as error:
        raise ServingError(Code.NOT_FOUND, f"model config file {path}: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ServingError(Code.INVALID_ARGUMENT, f"model config file {path}: {error}") from None
    models: dict[str, ModelConfig] = {}
    for config in server.model_config_list.config:
        if not config.name or not config.base_path or config.name in models:
            wrong = "is named twice" if config.name in models else "needs a name and a base_path"
            raise ServingError(Code.INVALID_ARGUMENT, f"model config file {path}: model {config.name!r} {wrong}")
        models[config.name] = ModelConfig(config.base_path, _policy(config))
    return models


class ModelManager:
    """Loads the models of a source and follows it and their folders.

    Args:
        source: says which models there are; asked again at each poll.
        poll_seconds: time between two looks at the disk; 0 looks once.
        announce: called with one line whenever what is served changes.
    """

    def __init__(self, source: Source, poll_seconds: float = 1.0, announce: Callable[[str], None] = print) -> None:
        self._source, self._poll_seconds, self._announce = source, poll_seconds, announce
        self._models: dict[str, Model] = {}
        self._stop, self._looked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="models", daemon=True)
        self._seen: dict[tuple[str, int], tuple[str, str]] = {}

    def start(self) -> None:
        """Starts loading, without waiting for it."""
        self._thread.start()

    def wait_for_first_look(self, timeout: float | None = None) -> bool:
        """Waits until every model that was there at the start has loaded or failed."""
        return self._looked.wait(timeout)

    def stop(self) -> None:
        """Stops following the disk, and waits for a load that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="load") as pool:
            while not self._stop.is_set():
                try:
                    self._look(pool)
                except Exception:
                    traceback.print_exc()  # the next look may succeed; those being served go on
                self._looked.set()
                if self._poll_seconds <= 0:
                    return
                self._stop.wait(self._poll_seconds)

    def _look(self, pool: ThreadPoolExecutor) -> None:
        configs = self._source()
        for name, config in configs.items():
            if name in self._models:
                self._models[name].config = config
            else:
                self._models = {**self._models, name: Model(name, config)}
        gone = [model for name, model in self._models.items() if name not in configs]
        self._models = {name: model for name, model in self._models.items() if name in configs}
        list(pool.map(Model.reconcile, self._models.values()))
        for model in gone:
            model.unload_all()
        self._tell_changes()

    def _tell_changes(self) -> None:
        for name, model in self._models.items():
            with contextlib.suppress(ServingError):
                for status in model.statuses():
                    key, now = (name, status.version), (status.state, status.message)
                    if self._seen.get(key) == now:
                        continue
                    self._seen[key] = now
                    failure = f" ({status.code.name}: {status.message})" if status.code else ""
                    self._announce(f"{name} version {status.version}: {status.state}{failure}")

    def serving(self) -> dict[str, list[int]]:
        """Returns the versions that answer now, newest first, by model."""
        answer: dict[str, list[int]] = {}
        for name, model in self._models.items():
            answer[name] = []
            with contextlib.suppress(ServingError):
                answer[name] = [s.version for s in model.statuses() if s.state == "AVAILABLE"]
        return answer

    def model(self, name: str) -> Model:
        """Returns a model by name, one without versions where it is not known."""
        return self._models.get(name) or Model(name, ModelConfig(""))

    @contextlib.contextmanager
    def use(self, spec: ModelSpec) -> Iterator[tuple[int, Servable]]:
        """Gives the version that a request means, kept loaded meanwhile; NOT_FOUND where there is none."""
        if spec.label:
            message = f"Unrecognized servable version label: {spec.label}"
            raise ServingError(Code.INVALID_ARGUMENT, message)
        with self.model(spec.name).use(spec.version) as found:
            yield found

    def predict(
        self, servable: Servable, signature_name: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Runs a signature of a version in use. The one way in to a model: batching belongs here."""
        return servable.run(signature_name, inputs, outputs)


def announce_to_stderr(line: str) -> None:
    """Writes one line for the server's log."""
    print(line, file=sys.stderr, flush=True)
