"""Files on this machine or in an object store: what Beam's FileSystems lack, or read otherwise than a shell does."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
from typing import BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems


def is_local(path: str) -> bool:
    """Whether a path lies on this machine's disk, and not in an object store such as gs://."""
    return FileSystems.get_scheme(path) is None


def absolute(path: str) -> str:
    """A path that means the same in any folder."""
    return os.path.abspath(os.path.expanduser(path)) if is_local(path) else path.rstrip("/")


def join(folder: str, *parts: str) -> str:
    """A path below a folder; a part that is itself absolute, or a URL, replaces what is before it."""
    if not is_local(parts[-1]):
        return parts[-1]
    return os.path.join(folder, *parts) if is_local(folder) else "/".join((folder.rstrip("/"), *parts))


def listing(folder: str) -> list[str]:
    """The files below a folder as paths relative to it with "/", sorted; hidden ones and hidden folders left out."""
    if is_local(folder):
        found = []
        for place, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = os.path.relpath(place, folder).replace(os.sep, "/")
            found += [name if below == "." else f"{below}/{name}" for name in files]
    else:
        (match,) = FileSystems.match([f"{folder}/**"])
        found = [one.path[len(folder) + 1 :] for one in match.metadata_list if not one.path.endswith("/")]
    return sorted(path for path in found if not any(part.startswith(".") for part in path.split("/")))


def matching(pattern: str) -> list[str]:
    """The files of a pattern, or the file that has this very name, sorted."""
    if not is_local(pattern):
        (match,) = FileSystems.match([pattern])
        return sorted(one.path for one in match.metadata_list)
    if os.path.isfile(pattern):
        return [pattern]
    return sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))


def below(path: str, pattern: str) -> str:
    """A file of a pattern, relative to the last folder there that has no wildcard in its name."""
    fixed, _, _ = re.split(r"[*?\[]", pattern)[0].rpartition("/")
    return path[len(fixed) :].lstrip("/")


def is_folder(path: str) -> bool:
    """Whether there is such a folder; a store has no folders, and one that holds something is enough there."""
    return os.path.isdir(path) if is_local(path) else bool(listing(path))


def read(path: str, decompress: bool = False) -> BinaryIO:
    """Opens a file; what it holds is decompressed if that is asked for and its name ends in .gz or the like."""
    kind = CompressionTypes.AUTO if decompress else CompressionTypes.UNCOMPRESSED
    return FileSystems.open(path, compression_type=kind)


def write(path: str) -> BinaryIO:
    """Opens a new file, whose bytes are written as they are; the folders above it are made."""
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def replace(new: str, path: str) -> None:
    """Moves a file to a path, in one step on a local disk."""
    if is_local(path):
        os.replace(new, path)
    else:
        FileSystems.rename([new], [path])


def remove(folder: str) -> None:
    """Removes a folder and all below it; it is fine if there is none."""
    if is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        FileSystems.delete([f"{folder}/{path}" for path in listing(folder)])
