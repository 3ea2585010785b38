"""The images in a folder of the user's own: which there are, their order, their shape, and whether they changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from ann_keras.datasets import images
from ann_keras.datasets.base import DatasetError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
OFFICIAL = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "eval": "validation",
    "test": "test",
}
"""Name of a folder -> the split that it holds, as `base.Index` calls it."""
SHARD_ROWS = 1024


def opened(path: str, advice: str) -> Path:
    """The folder `path`, absolute.

    Args:
        path: as the user gave it.
        advice: what to give, for the message.

    Raises:
        DatasetError: if there is none.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        lacks = "is not a folder" if root.exists() else "does not exist"
        raise DatasetError(f"{path} {lacks}; {advice}")
    return root.resolve()


def folders(path: Path) -> list[str]:
    """The names of the folders in a folder, sorted; hidden ones are left out."""
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def files(path: Path) -> list[str]:
    """The images below a folder, sorted, as paths relative to it with "/"; hidden files and folders are left out."""
    found = []
    for place, inner, names in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".")]
        pictures = [name for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")]
        found += [Path(place, name).relative_to(path).as_posix() for name in pictures]
    return sorted(found)


def by_stem(path: Path) -> dict[str, str]:
    """`files` by their paths without the suffix.

    Raises:
        DatasetError: for two that differ in suffix alone.
    """
    found: dict[str, str] = {}
    for file in files(path):
        stem = str(PurePosixPath(file).with_suffix(""))
        if stem in found:
            raise DatasetError(f"{path / file} and {path / found[stem]} differ in suffix alone; remove one")
        found[stem] = file
    return found


def hashed(key: str) -> bytes:
    """What rows are ordered by, so that every shard holds all classes and no file only one.

    Names that are not UTF-8 have a hash too.
    """
    return hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8).digest()


def fingerprint(root: Path, keys: Iterable[str]) -> str:
    """The digest of the paths, relative to `root`, sizes and times of files."""
    digest = hashlib.blake2b(digest_size=8)
    for key in keys:
        stat = os.stat(root / key)
        digest.update(f"{key}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def image_shape(root: Path, keys: Sequence[str]) -> tuple[int | None, int | None, int]:
    """Height, width, None where they vary, and the most channels, from the headers of files.

    Raises:
        DatasetError: where not one of them is a readable image.
    """
    headers = [header for key in keys if (header := images.read_header(root / key))]
    if not headers:
        raise DatasetError(f"{root}: not one of its {len(keys)} files is a readable image")
    sizes = {header[:2] for header in headers}
    height, width = sizes.pop() if len(sizes) == 1 else (None, None)
    return height, width, max(header[2] for header in headers)
