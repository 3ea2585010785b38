"""The versions of one model: which are on disk, which are loaded, and what became of the others.

A new version is loaded before an old one is unloaded, an old one goes when its last request is answered, and a version
that fails to load is reported and leaves whatever was serving in place.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from serving.errors import Code, ServingError
from serving.server.servable import Servable

STATES = {"START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}


@dataclass(frozen=True)
class VersionStatus:
    """What GetModelStatus tells of a version: its state, and why it ended where it failed."""

    version: int
    state: str
    code: Code = Code.OK
    message: str = ""


class VersionPolicy(Protocol):
    """Chooses the versions to serve."""

    def wants(self, version: int, newer: int) -> bool:
        """Whether to serve a version, `newer` versions of the model being served already."""


@dataclass(frozen=True)
class Latest:
    """The newest versions that load, `count` of them."""

    count: int = 1

    def wants(self, version: int, newer: int) -> bool:
        """Whether fewer than `count` newer ones are served."""
        return newer < max(self.count, 1)


@dataclass(frozen=True)
class All:
    """Every version."""

    def wants(self, version: int, newer: int) -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class Specific:
    """The versions named."""

    versions: frozenset[int]

    def wants(self, version: int, newer: int) -> bool:
        """Whether it is one of those named."""
        return version in self.versions


@dataclass(frozen=True)
class ModelConfig:
    """Where a model's version directories are, and which of them to serve."""

    base_path: str
    policy: VersionPolicy = Latest()


class _Loaded:
    """A servable and the number of requests that use it."""

    def __init__(self, servable: Servable) -> None:
        self.servable = servable
        self.requests = 0


def version_folders(base_path: str) -> dict[int, str]:
    """Returns the complete version directories under a base path; one still without its graph is not complete.

    Raises:
        OSError: where the base path cannot be read.
    """
    found = {}
    for name in os.listdir(base_path):
        folder = os.path.join(base_path, name)
        graphs = ("saved_model.pb", "saved_model.pbtxt")
        if re.fullmatch(r"[0-9]{1,18}", name) and any(os.path.isfile(os.path.join(folder, g)) for g in graphs):
            found[int(name)] = folder
    return found


def _fingerprint(folder: str) -> frozenset[tuple[str, int, int]]:
    """Returns the names, sizes and times of a version's files; a failed version is tried again once they change."""
    files = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                entry = os.stat(path)
                files.add((path, entry.st_size, entry.st_mtime_ns))
    return frozenset(files)


class Model:
    """One model's versions. `reconcile` is for one thread; everything else is for any.

    Args:
        name: what requests call it.
        config: where it is and what to serve.
    """

    def __init__(self, name: str, config: ModelConfig) -> None:
        self.name = name
        self.config = config
        self._changed = threading.Condition()
        self._loaded: dict[int, _Loaded] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._failed: dict[int, frozenset[tuple[str, int, int]]] = {}

    def reconcile(self) -> None:
        """Loads what the policy wants of what is on disk, then unloads what it does not want any more."""
        try:
            folders = version_folders(self.config.base_path)
        except OSError:
            return  # a base path that is not there yet, or out of reach for a moment, changes nothing
        serving: list[int] = []
        for version in sorted(folders, reverse=True):
            if self.config.policy.wants(version, len(serving)) and self._ensure(version, folders[version]):
                serving.append(version)
        for version in [version for version in self._loaded if version not in serving]:
            self._unload(version)

    def _ensure(self, version: int, folder: str) -> bool:
        """Loads a version unless it is loaded or failed as it stands. Returns whether it serves."""
        if version in self._loaded:
            return True
        before = _fingerprint(folder)
        if self._failed.get(version) == before:
            return False
        self._report(version, "START")
        self._report(version, "LOADING")
        try:
            servable = Servable(folder)
        except Exception as error:
            self._failed[version] = before
            code = error.code if isinstance(error, ServingError) else Code.INTERNAL
            message = error.message if isinstance(error, ServingError) else f"{type(error).__name__}: {error}"
            self._report(version, "END", code, message)
            return False
        self._failed.pop(version, None)
        with self._changed:
            self._loaded[version] = _Loaded(servable)
        self._report(version, "AVAILABLE")
        return True

    def _unload(self, version: int) -> None:
        with self._changed:
            loaded = self._loaded.pop(version)
            self._statuses[version] = VersionStatus(version, "UNLOADING")
            self._changed.wait_for(lambda: loaded.requests == 0)
        loaded.servable.close()
        self._report(version, "END")

    def unload_all(self) -> None:
        """Unloads every version once its requests are answered."""
        for version in list(self._loaded):
            self._unload(version)

    def _report(self, version: int, state: str, code: Code = Code.OK, message: str = "") -> None:
        with self._changed:
            self._statuses[version] = VersionStatus(version, state, code, message)

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
