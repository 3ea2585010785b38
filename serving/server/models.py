"""The models that a server serves, and the thread that keeps them up to date with their list and with the disk."""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving.errors import Code, ServingError
from serving.server import config, folders
from serving.server.config import ModelConfig, Source
from serving.server.roster import ModelSpec, Roster
from serving.server.versions import Loader, Model, VersionStatus

__all__ = ["ModelManager", "ModelSpec", "announce_to_stderr"]


class ModelManager(Roster):
    """Loads the models of a source and follows it and their folders.

    Args:
        source: says which models there are.
        poll_seconds: time between two looks at the disk; 0 looks once, less never.
        announce: called with one line whenever what is served changes.
        source_poll_seconds: time between two questions to the source; None asks before each look, 0 once.
        loader: loads versions.
        allows_labels_early: new labels may name versions that do not serve (yet).
    """

    def __init__(
        self,
        source: Source,
        poll_seconds: float = 1.0,
        announce: Callable[[str], None] = print,
        source_poll_seconds: float | None = None,
        loader: Loader | None = None,
        allows_labels_early: bool = False,
    ) -> None:
        super().__init__(allows_labels_early)
        self._source, self._announce = source, announce
        self._poll_seconds = poll_seconds if poll_seconds > 0 else math.inf
        self._source_poll_seconds = (
            self._poll_seconds if source_poll_seconds is None else source_poll_seconds or math.inf
        )
        self._follows_disk = source_poll_seconds is None
        self._look_due, self._source_due = (0.0 if poll_seconds >= 0 else math.inf), 0.0
        self._loader = loader or Loader()
        self._stop, self._looked, self._wake = threading.Event(), threading.Event(), threading.Event()
        self._ended_look = threading.Condition()
        self._looks_begun = self._looks_ended = 0
        self._thread = threading.Thread(target=self._follow, name="models", daemon=True)
        self._seen: dict[tuple[str, int], VersionStatus] = {}
        self._source_problem = ""

    def start(self) -> None:
        """Reads the list of models and starts loading them, without waiting for it.

        Raises:
            ServingError: where the list is wrong.
        """
        self._adopt(self._source())
        self._source_due = time.monotonic() + self._source_poll_seconds
        self._thread.start()

    def wait_for_first_look(self, timeout: float | None = None) -> bool:
        """Waits until every model that was there at the start has loaded or failed."""
        return self._looked.wait(timeout)

    def stop(self) -> None:
        """Stops following the disk, and waits for a load that is under way."""
        self._stop.set()
        self._wake.set()
        with self._ended_look:
            self._ended_look.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def reload(self, message: Any) -> None:
        """Serves the models of a ModelServerConfig in place of those so far; returns once the new ones serve.

        Raises:
            ServingError: where the message is wrong, and then nothing has changed; UNKNOWN where new models fail.
        """
        if message.WhichOneof("config") != "model_config_list":
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported",
            )
        configs = config.of_message(message)
        new = [name for name in configs if name not in self._configs]
        for name in new:
            _check_present(name, configs[name].base_path)
        self._adopt(configs)
        if self._follows_disk:  # else the next look at the root would undo it
            self._source_poll_seconds = self._source_due = math.inf
        with self._ended_look:
            target = self._looks_begun + 1
            self._wake.set()
            self._ended_look.wait_for(lambda: self._stop.is_set() or self._has_tried(new, target))
        self._raise_failures(new)

    def _has_tried(self, names: list[str], look: int) -> bool:
        return self._looks_ended >= look and not any(self._is_waiting(self.model(name)) for name in names)

    def _raise_failures(self, names: list[str]) -> None:
        failures = []
        for name in names:
            model = self._models.get(name)
            if model is None or model.serves:
                continue
            with contextlib.suppress(ServingError):
                for status in model.statuses():
                    error = f" due to error: {status.code.name}: {status.message}" if status.code else ""
                    failures.append(f"{{{{name: {name} version: {status.version}}}{error}}}, ")
        if failures:
            raise ServingError(
                Code.UNKNOWN, f"{len(failures)} model(s) did not become available: {{{''.join(failures)}}}"
            )

    def _follow(self) -> None:
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="load") as pool:
            while not self._stop.is_set():
                if is_due := self._wake.is_set():
                    self._wake.clear()
                if time.monotonic() >= self._source_due:
                    is_due |= self._ask_source()
                if is_due or time.monotonic() >= self._look_due:
                    self._look(pool)
                left = min(self._look_due, self._source_due) - time.monotonic()
                self._wake.wait(None if left == math.inf else max(0.0, left))

    def _ask_source(self) -> bool:
        """Reads the list of models again. Returns whether it has changed; a wrong one changes nothing."""
        self._source_due = time.monotonic() + self._source_poll_seconds
        try:
            changed = self._adopt(self._source())
            problem = ""
        except (ServingError, OSError) as error:
            changed, problem = False, f"{error}; the models stay as they are"
        if problem not in ("", self._source_problem):
            self._announce(problem)
        self._source_problem = problem
        return changed

    def _look(self, pool: ThreadPoolExecutor) -> None:
        """Brings every model up to date with its folder."""
        began = time.monotonic()
        self._looks_begun += 1
        try:
            self._reconcile(pool, self._configs)
        except Exception:
            traceback.print_exc()  # the next look may succeed; those being served go on
        waits = any(model.waits for model in self._models.values())
        self._look_due = began + min(self._poll_seconds, folders.SETTLE_SECONDS / 5 if waits else math.inf)
        if not any(self._is_waiting(model) for model in self._models.values()):
            self._looked.set()
        with self._ended_look:
            self._looks_ended = self._looks_begun
            self._ended_look.notify_all()

    def _is_waiting(self, model: Model) -> bool:
        """Whether a model would serve if its files were not being written just now."""
        return model.waits and not model.serves

    def _reconcile(self, pool: ThreadPoolExecutor, configs: Mapping[str, ModelConfig]) -> None:
        for name, one in configs.items():
            if name in self._models:
                self._models[name].config = one
            else:
                model = Model(name, one, self._loader, folders.SETTLE_SECONDS)
                self._models = {**self._models, name: model}
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
                    if self._seen.get((name, status.version)) == status:
                        continue
                    self._seen[name, status.version] = status
                    failure = f" ({status.code.name}: {status.message})" if status.code else ""
                    self._announce(f"{name} version {status.version}: {status.state}{failure}")


def _check_present(name: str, base_path: str) -> None:
    """Raises where a new model has no version yet; TF Serving would wait for one for ever."""
    try:
        versions = folders.version_folders(base_path)
    except OSError as error:
        message = f"Could not find base path {base_path} for servable {name} with error {error.strerror}"
        raise ServingError(Code.INVALID_ARGUMENT, message) from None
    if not versions:
        message = f"Unable to find a numerical version path for servable {name} at: {base_path}"
        raise ServingError(Code.NOT_FOUND, message)


def announce_to_stderr(line: str) -> None:
    """Writes one line for the server's log."""
    print(line, file=sys.stderr, flush=True)
