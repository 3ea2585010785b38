"""A folder of the user's own images, one sub-folder a class: JPEG, PNG, BMP, GIF, any sizes.

PATH/cat/1.jpg  PATH/dog/2.png                        the splits are drawn
PATH/train/cat/1.jpg  PATH/test/cat/2.jpg  ...        train/, test/ and val/ (validation/, valid/, eval/) are kept
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ann_keras.datasets import images
from ann_keras.datasets.base import Dataset, DatasetError, Index, Row, Shard
from ann_keras.task import Feature

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif")
OFFICIAL = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "eval": "validation",
    "test": "test",
}
SHARD_ROWS = 1024


@dataclass(frozen=True)
class FolderShard(Shard):
    """Rows [start, stop): files below `root`, with their labels."""

    start: int
    stop: int
    root: str
    keys: tuple[str, ...]
    labels: tuple[int, ...]

    def read(self) -> Iterator[Row]:
        """Yields the rows; a file that cannot be read is a row with a problem."""
        for key, label in zip(self.keys, self.labels, strict=True):
            try:
                encoded, problem = images.checked(Path(self.root, key).read_bytes())
            except OSError as error:
                encoded, problem = b"", f"cannot be read: {error.strerror}"
            yield Row(key, {"image": encoded, "label": label}, problem)


class ImageFolder(Dataset):
    """The images below one folder. Keys are their paths relative to it, with "/"."""

    description = "A folder of images, one sub-folder a class."

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        found = _scan(root)
        self._classes = tuple(sorted({kind for _, kind, _ in found}))
        number = {kind: label for label, kind in enumerate(self._classes)}
        # In the order of hashed keys, so that every shard holds all classes and no file only one.
        found.sort(key=lambda entry: hashlib.blake2b(entry[0].encode(), digest_size=8).digest())
        self._keys = [key for key, _, _ in found]
        self._labels = [number[kind] for _, kind, _ in found]
        self._official = [official for _, _, official in found]

    @functools.cached_property
    def features(self) -> dict[str, Feature]:  # type: ignore[override]
        """The image and the label; sizes and channels are those in the headers of all files."""
        headers = [header for key in self._keys if (header := images.read_header(self.root / key))]
        if not headers:
            raise DatasetError(f"{self.root}: not one of its {len(self._keys)} files is a readable image")
        sizes = {header[:2] for header in headers}
        height, width = sizes.pop() if len(sizes) == 1 else (None, None)
        shape = (height, width, max(header[2] for header in headers))
        return {
            "image": Feature("image", "image", shape, "uint8"),
            "label": Feature("label", "label", (), "int64", self._classes, "The name of the sub-folder."),
        }

    def fingerprint(self) -> str:
        """The digest of the paths, sizes and times of the files."""
        digest = hashlib.blake2b(digest_size=8)
        for key in self._keys:
            stat = os.stat(self.root / key)
            digest.update(f"{key}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def index(self) -> Index:
        """Keys and labels from the paths alone."""
        return Index(np.array(self._keys), np.array(self._labels, np.int64), np.array(self._official, dtype=object))

    def shards(self) -> Sequence[Shard]:
        """Runs of `SHARD_ROWS` files."""
        shards = []
        for start in range(0, len(self._keys), SHARD_ROWS):
            stop = min(start + SHARD_ROWS, len(self._keys))
            keys, labels = tuple(self._keys[start:stop]), tuple(self._labels[start:stop])
            shards.append(FolderShard(start, stop, str(self.root), keys, labels))
        return shards


def load(path: str) -> Dataset:
    """Opens a folder of images.

    Raises:
        DatasetError: if there is no such folder, it has no images, only one class, or a class without images.
    """
    root = Path(path).expanduser()
    if not root.exists():
        raise DatasetError(f"{path} does not exist; give a folder with one sub-folder of images a class")
    if not root.is_dir():
        raise DatasetError(f"{path} is not a folder; give a folder with one sub-folder of images a class")
    return ImageFolder(f"images:{path}", root.resolve())


def _scan(root: Path) -> list[tuple[str, str, str]]:
    """Key, class and official split of every image below `root`."""
    folders = _folders(root)
    if not folders:
        loose = "has images but no sub-folders" if _files(root) else "is empty"
        raise DatasetError(f"{root} {loose}; put the images of each class into a sub-folder of its own")
    official = {"": root}
    if "train" in folders and set(folders) <= set(OFFICIAL):
        official = {name: root / name for name in folders}
    found = []
    for split, base in official.items():
        for kind in _folders(base):
            files = _files(base / kind)
            if not files:
                raise DatasetError(f"{base / kind} has no images ({', '.join(SUFFIXES)}); remove it or fill it")
            prefix = f"{split}/{kind}/" if split else f"{kind}/"
            found += [(prefix + file, kind, OFFICIAL.get(split, "")) for file in files]
    trained = {kind for _, kind, split in found if split in ("", "train")}
    untrained = sorted({kind for _, kind, _ in found} - trained)
    if untrained:
        raise DatasetError(f"{root}: class {untrained[0]!r} is not among the classes of train/")
    if len(trained) < 2:
        have = f"only one class, {next(iter(trained))!r}" if trained else "no sub-folders of images"
        raise DatasetError(f"{root} has {have}; at least two classes are needed, each in a sub-folder of its own")
    return found


def _folders(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _files(path: Path) -> list[str]:
    """The images below a folder, sorted, as paths relative to it with "/"; hidden files and folders are left out."""
    found = []
    for place, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        images_here = [file for file in files if file.lower().endswith(SUFFIXES) and not file.startswith(".")]
        found += [Path(place, file).relative_to(path).as_posix() for file in images_here]
    return sorted(found)
