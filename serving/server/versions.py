"""The versions of one model: which are on disk, which are loaded, and what became of the others.

A new version is loaded and warmed before an old one is unloaded, an old one goes when its last request is answered, and
a version that fails to load is reported and leaves whatever was serving in place.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from serving.errors import Code, ServingError
from serving.server import folders
from serving.server.config import ModelConfig
from serving.server.monitoring import Metrics
from serving.server.servable import Servable

STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}


@dataclass(frozen=True)
class VersionStatus:
    """What GetModelStatus tells of a version: its state, and why it ended where it failed."""

    version: int
    state: str
    code: Code = Code.OK
    message: str = ""


@dataclass(frozen=True)
class Loader:
    """How versions become servables.

    Args:
        warms_up: a version answers the requests of its warm-up file first.
        metrics: counts attempts and times.
        retries: how often a version that failed is tried again although its files are the same, for failures that pass.
        retry_seconds: the time between two attempts.
    """

    warms_up: bool = True
    metrics: Metrics | None = None
    retries: int = 5
    retry_seconds: float = 60.0

    def load(self, folder: str) -> Servable:
        """Returns a version ready to serve.

        Raises:
            ServingError: where it does not load, or one of its warm-up requests fails.
        """
        started = time.monotonic()
        succeeded = False
        try:
            folders.check_variables(folder)
            servable = Servable(folder)
            succeeded = True
        finally:
            if self.metrics:
                self.metrics.loaded(folder, succeeded, time.monotonic() - started)
        if self.warms_up:
            self._warm_up(servable, folder)
        return servable

    def _warm_up(self, servable: Servable, folder: str) -> None:
        from serving.server.warmup import warm_up

        started, status = time.monotonic(), "OK"
        try:
            if not warm_up(servable, folder):
                return
        except Exception as error:
            status = str(error)
            servable.close()
            raise
        finally:
            if self.metrics:
                self.metrics.warmed(folder, status, time.monotonic() - started)


@dataclass(eq=False)
class _Loaded:
    """A servable, the files that it was loaded from, and the number of requests that use it."""

    servable: Servable
    files: frozenset[tuple[str, int, int]]
    requests: int = 0


@dataclass(frozen=True)
class _Failure:
    """How often in a row a version has failed to load from the same files, and when it was last tried."""

    files: frozenset[tuple[str, int, int]]
    attempts: int
    when: float


class Model:
    """One model's versions. `reconcile` is for one thread; everything else is for any.

    Args:
        name: what requests call it.
        config: where it is and what to serve.
        loader: loads its versions.
        settle_seconds: how long the files of a version must have rested before it is loaded.

    Attributes:
        waits: a version to serve is still being written.
    """

    def __init__(
        self, name: str, config: ModelConfig, loader: Loader | None = None, settle_seconds: float = 0.0
    ) -> None:
        self.name = name
        self.config = config
        self.waits = False
        self._loader = loader or Loader()
        self._settling = folders.Settling(settle_seconds)
        self._changed = threading.Condition()
        self._loaded: dict[int, _Loaded] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._failed: dict[int, _Failure] = {}

    def reconcile(self) -> None:
        """Loads what the policy wants of what is on disk, then unloads what it does not want any more."""
        try:
            found = folders.version_folders(self.config.base_path)
        except OSError:
            return  # a base path that is not there yet, or out of reach for a moment, changes nothing
        policy, serving = self.config.policy, list[int]()
        self.waits = False
        for version in sorted(found, reverse=True):
            if policy.wants(version, len(serving)) and self._ensure(version, found[version]):
                serving.append(version)
        if not serving and any(policy.wants(version, 0) for version in found):
            return  # until one of those loads, what serves goes on
        for version in [version for version in self._loaded if version not in serving]:
            self._unload(version)

    def _ensure(self, version: int, folder: str) -> bool:
        """Loads a version unless it is loaded, failed as it stands, or is being written. Returns whether it serves."""
        loaded, seen = self._loaded.get(version), folders.look(folder)
        if (loaded and loaded.files == seen.files) or self._is_hopeless(version, seen.files):
            return loaded is not None
        if not self._settling.rests(version, seen):
            self.waits = True
            return loaded is not None
        if loaded is None:
            self._report(version, "START")
            self._report(version, "LOADING")
        try:
            servable = self._loader.load(folder)
        except Exception as error:
            attempts = failure.attempts if (failure := self._failed.get(version)) and failure.files == seen.files else 0
            self._failed[version] = _Failure(seen.files, attempts + 1, time.monotonic())
            if loaded is None:
                code = error.code if isinstance(error, ServingError) else Code.INTERNAL
                message = error.message if isinstance(error, ServingError) else f"{type(error).__name__}: {error}"
                self._report(version, "END", code, message)
            return loaded is not None
        self._failed.pop(version, None)
        with self._changed:
            self._loaded[version] = _Loaded(servable, seen.files)
            self._statuses[version] = VersionStatus(version, "AVAILABLE")
        if loaded:
            self._close(loaded)
        return True

    def _is_hopeless(self, version: int, files: frozenset[tuple[str, int, int]]) -> bool:
        """Whether these files have failed to load, and it is not time to try them again."""
        failure = self._failed.get(version)
        if failure is None or failure.files != files:
            return False
        is_due = time.monotonic() - failure.when >= self._loader.retry_seconds
        return not is_due or failure.attempts > self._loader.retries

    def _unload(self, version: int) -> None:
        with self._changed:
            loaded = self._loaded.pop(version)
            self._statuses[version] = VersionStatus(version, "UNLOADING")
        self._close(loaded)
        self._report(version, "END")

    def _close(self, loaded: _Loaded) -> None:
        """Frees a version that no new request gets, once its last one is answered."""
        with self._changed:
            self._changed.wait_for(lambda: loaded.requests == 0)
        loaded.servable.close()

    def unload_all(self) -> None:
        """Unloads every version once its requests are answered."""
        for version in list(self._loaded):
            self._unload(version)

    def _report(self, version: int, state: str, code: Code = Code.OK, message: str = "") -> None:
        with self._changed:
            self._statuses[version] = VersionStatus(version, state, code, message)

    @property
    def serves(self) -> bool:
        """Whether any version does."""
        return bool(self._loaded)

    def is_available(self, version: int) -> bool:
        """Whether a version serves."""
        return version in self._loaded

    @contextlib.contextmanager
    def use(self, version: int | None = None) -> Iterator[tuple[int, Servable]]:
        """Gives a version, the newest that serves where none is named, and keeps it loaded meanwhile.

        Raises:
            ServingError: NOT_FOUND where it is not serving.
        """
        with self._changed:
            chosen = max(self._loaded, default=None) if version is None else version
            loaded = self._loaded.get(chosen) if chosen is not None else None
            if chosen is None or loaded is None:
                asked = f"Latest({self.name})" if version is None else f"Specific({self.name}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")
            loaded.requests += 1
        try:
            yield chosen, loaded.servable
        finally:
            with self._changed:
                loaded.requests -= 1
                self._changed.notify_all()

    def statuses(self, version: int | None = None) -> list[VersionStatus]:
        """Returns the status of a version, or of all, newest first.

        Raises:
            ServingError: NOT_FOUND where there is none to tell.
        """
        with self._changed:
            known = dict(self._statuses)
        if version is not None:
            if version not in known:
                raise ServingError(Code.NOT_FOUND, f"Could not find version {version} of model {self.name}")
            return [known[version]]
        if not known:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {self.name}")
        return [known[number] for number in sorted(known, reverse=True)]
