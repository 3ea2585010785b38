"""A folder of generated files: each is replaced whole, only where it changes, and nothing else is touched."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from collections.abc import Callable
from pathlib import Path


class Output:
    """Writes files into a folder.

    Args:
        folder: made where it does not exist.

    Attributes:
        folder: the same.
        files: the paths that were given, relative to the folder, with "/".
        changed: those of them that were not there as they are now.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.files: list[str] = []
        self.changed: list[str] = []
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str) -> None:
        """Makes `name` hold the text."""
        content = text.encode("utf-8")
        path = self._path(name)
        if not (path.is_file() and path.read_bytes() == content):
            self._replace(name, _writing(content))

    def copy(self, original: Path, name: str) -> None:
        """Makes `name` hold what a file holds, as a hard link where the file system has them."""
        path = self._path(name)
        if not (path.is_file() and filecmp.cmp(original, path, shallow=False)):
            self._replace(name, _linking(original))

    def _path(self, name: str) -> Path:
        self.files.append(name)
        return self.folder / name

    def _replace(self, name: str, make: Callable[[Path], object]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            make(fresh)
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        self.changed.append(name)


def _writing(content: bytes) -> Callable[[Path], object]:
    def write(fresh: Path) -> None:
        fresh.write_bytes(content)
        fresh.chmod(0o644)  # a container reads prometheus.yml as another user

    return write


def _linking(original: Path) -> Callable[[Path], object]:
    def link(fresh: Path) -> None:
        fresh.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another file system, or one without hard links
            os.link(os.path.realpath(original), fresh)
            return
        shutil.copyfile(original, fresh)

    return link
