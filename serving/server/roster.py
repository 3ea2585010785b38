"""Which models there are, and the version of them that a request means, by number or by label."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from serving.errors import Code, ServingError
from serving.server.config import ModelConfig
from serving.server.servable import Servable
from serving.server.versions import Model


class ModelSpec(NamedTuple):
    """Which model a request means, and which of its versions, by number or by label; else the newest that serves."""

    name: str
    version: int | None = None
    label: str = ""


class Roster:
    """The models that are to be served, and those that are. Requests ask it from any thread.

    Args:
        allows_labels_early: new labels may name versions that do not serve (yet).
    """

    def __init__(self, allows_labels_early: bool = False) -> None:
        self._allows_labels_early = allows_labels_early
        self._adopting = threading.Lock()
        self._configs: Mapping[str, ModelConfig] = {}
        self._models: dict[str, Model] = {}

    def _adopt(self, configs: Mapping[str, ModelConfig]) -> bool:
        """Makes these the models to serve; the next look acts on it. Returns whether anything is new."""
        with self._adopting:
            for name, one in configs.items():
                for label, version in one.labels.items():
                    self._check_label(name, label, version)
            changed = configs != self._configs
            self._configs = configs
        return changed

    def _check_label(self, name: str, label: str, version: int) -> None:
        if self.model(name).is_available(version):
            return
        known = self._configs.get(name, ModelConfig("")).labels.get(label, version)
        if not self._allows_labels_early or known != version:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {name}, which is not currently available for "
                "inference",
            )

    def __contains__(self, name: str) -> bool:
        return name in self._models

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

    def resolve(self, spec: ModelSpec) -> ModelSpec:
        """Returns a spec without a label: its version in the label's place.

        Raises:
            ServingError: INVALID_ARGUMENT where the label is not known, or no model is named.
        """
        if not spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        if not spec.label:
            return spec
        version = self._configs.get(spec.name, ModelConfig("")).labels.get(spec.label)
        if version is None:
            raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.label}")
        return ModelSpec(spec.name, version)

    @contextlib.contextmanager
    def use(self, spec: ModelSpec) -> Iterator[tuple[int, Servable]]:
        """Gives the version that a request means, kept loaded meanwhile; NOT_FOUND where there is none."""
        found = self.resolve(spec)
        with self.model(found.name).use(found.version) as used:
            yield used
