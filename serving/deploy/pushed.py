"""The pushed models of a root, and which of their versions are deployed."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from serving import protos
from serving.deploy.names import check_model
from serving.model_config import models_of_root

_CHUNK = 1 << 20


class PushedModelError(RuntimeError):
    """There is no pushed model, or not the version that was asked for, or it cannot be read."""


@dataclasses.dataclass(frozen=True)
class PushedModel:
    """One version of one model.

    Attributes:
        name: the model's.
        version: the name of its version directory, a number.
        path: the SavedModel.
    """

    name: str
    version: str
    path: Path

    @property
    def folder(self) -> str:
        """Where it lies in the build context and, below /, in the image."""
        return f"models/{self.name}/{self.version}"

    def files(self) -> list[Path]:
        """Returns its files, through links too, in an order that does not change."""
        walked = os.walk(self.path, followlinks=True)
        return sorted(Path(folder, name) for folder, _, names in walked for name in names)

    def size(self) -> int:
        """Returns the bytes of its files."""
        return sum(file.stat().st_size for file in self.files())

    def digest(self) -> str:
        """Returns a hash of where its files lie in the image and of what they hold."""
        total = hashlib.sha256()
        for path in self.files():
            total.update(f"{self.folder}/{path.relative_to(self.path).as_posix()}\n".encode())
            with open(path, "rb") as file:
                while chunk := file.read(_CHUNK):
                    total.update(chunk)
        return total.hexdigest()

    def tensorflow_version(self) -> str:
        """Returns the version of the TensorFlow that wrote it, "" where that is not recorded.

        Raises:
            PushedModelError: where the SavedModel cannot be read.
        """
        file = self.path / "saved_model.pb"
        try:
            meta_graphs = protos.saved_model_pb2.SavedModel.FromString(file.read_bytes()).meta_graphs
        except DecodeError as error:
            raise PushedModelError(f"{file} is no SavedModel: {error}") from error
        return str(meta_graphs[0].meta_info_def.tensorflow_version) if meta_graphs else ""


def find(root: str | os.PathLike[str], wanted: Sequence[str] = ()) -> list[PushedModel]:
    """Returns one version of every model, or of the wanted ones.

    Args:
        root: versions lie at ROOT/serving/<model>/<version>.
        wanted: NAME for a model's newest version, NAME:VERSION for that one. Empty: the newest of every model.

    Raises:
        PushedModelError: where there is no model or not that version.
        ValueError: for a name that is not among the models, or that is wanted twice.
    """
    served = models_of_root(root)
    if not served:
        raise PushedModelError(f"no pushed model under {root}; `ann run MODEL --root {root}` pushes one")
    chosen: dict[str, str] = {}
    for text in wanted or served:
        name, _, version = text.partition(":")
        if name not in served:
            raise ValueError(f"model {name!r} is not pushed under {root}; the models there are {', '.join(served)}")
        if name in chosen:
            raise ValueError(f"model {name!r} is given twice; an image serves one version of it")
        check_model(name)
        chosen[name] = version
    return [_version(name, Path(served[name]), version) for name, version in sorted(chosen.items())]


def _version(name: str, base: Path, wanted: str) -> PushedModel:
    """Returns the wanted version of a model, or its newest. A directory without a SavedModel is still being pushed."""
    found = sorted(
        (entry.name for entry in base.iterdir() if entry.name.isdecimal() and (entry / "saved_model.pb").is_file()),
        key=int,
    )
    if not found:
        raise PushedModelError(f"no version of {name} under {base} holds a saved_model.pb")
    if wanted and wanted not in found:
        raise PushedModelError(f"no version {wanted} of {name} under {base}; the versions there are {', '.join(found)}")
    version = wanted or found[-1]
    return PushedModel(name, version, (base / version).resolve())
