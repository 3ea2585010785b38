"""Which models a server serves, and which of their versions: from a root folder, a config file or a request."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from serving.errors import Code, ServingError
from serving.server.folders import version_folders

PLATFORM = "tensorflow"


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
    """Where a model's version directories are, which of them to serve, and what requests may call them.

    Attributes:
        base_path: the folder of the version directories.
        policy: chooses among them.
        labels: versions by label.
    """

    base_path: str
    policy: VersionPolicy = Latest()
    labels: Mapping[str, int] = field(default_factory=dict)


Source = Callable[[], Mapping[str, ModelConfig]]


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


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def _check_platform(config: Any) -> None:
    platform = config.model_platform
    if config.model_type:
        if platform:
            raise _invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and ModelServerConfig::model_platform."
            )
        if config.model_type != 1:  # TENSORFLOW
            raise _invalid(f"ModelServerConfig::model_type choice {config.model_type} not supported.")
        platform = PLATFORM
    if not platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    if platform != PLATFORM:
        raise _invalid(f"Model {config.name} requests unsupported platform {platform}")


def of_message(message: Any) -> dict[str, ModelConfig]:
    """Returns the models of a ModelServerConfig message.

    Raises:
        ServingError: INVALID_ARGUMENT, in TF Serving's words, where the message contradicts itself or asks for what
            this server cannot serve.
    """
    if message.WhichOneof("config") == "custom_model_config":
        raise _invalid("ModelServer does not yet support custom model config.")
    models: dict[str, ModelConfig] = {}
    for config in message.model_config_list.config:
        if not config.name:
            raise _invalid(f"Model at base_path {config.base_path!r} has no name")
        if config.name in models:
            raise _invalid(f"Illegal to list model {config.name} multiple times in config list")
        if not os.path.isabs(config.base_path):
            reason = f"have an absolute path or URI; got base_path()={config.base_path}"
            if re.match(r"[a-z][a-z0-9+.-]*://", config.base_path):
                reason = f"lie on this machine's disk; got base_path()={config.base_path}"
            raise _invalid(f"Expected model {config.name} to {reason}")
        _check_platform(config)
        models[config.name] = ModelConfig(config.base_path, _policy(config), dict(config.version_labels))
    return models


def read_config_file(path: str) -> dict[str, ModelConfig]:
    """Returns the models of a ModelServerConfig in TF Serving's text format.

    Raises:
        ServingError: where it cannot be read, naming the file and what is wrong.
    """
    from serving.server.config_protos import read_model_server_config

    message = read_model_server_config(path)
    try:
        return of_message(message)
    except ServingError as error:
        raise ServingError(error.code, f"model config file {path}: {error.message}") from None
