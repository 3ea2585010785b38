"""A folder of the user's own images, one sub-folder a class: JPEG, PNG, BMP, GIF, any sizes.

PATH/cat/1.jpg  PATH/dog/2.png                        the splits are drawn
PATH/train/cat/1.jpg  PATH/test/cat/2.jpg  ...        train/, test/ and val/ (validation/, valid/, eval/) are kept
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ann_keras.datasets import folder_files, images
from ann_keras.datasets.base import Dataset, DatasetError, Index, Row, Shard
from ann_keras.datasets.folder_files import OFFICIAL, SHARD_ROWS, SUFFIXES, files, folders
from ann_keras.task import Feature

LAYOUT = "give a folder with one sub-folder of images a class"


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
        found.sort(key=lambda entry: folder_files.hashed(entry[0]))
        self._keys = [key for key, _, _ in found]
        self._labels = [number[kind] for _, kind, _ in found]
        self._official = [official for _, _, official in found]

    @functools.cached_property
    def features(self) -> dict[str, Feature]:  # type: ignore[override]
        """The image and the label; sizes and channels are those in the headers of all files."""
        shape = folder_files.image_shape(self.root, self._keys)
        return {
            "image": Feature("image", "image", shape, "uint8"),
            "label": Feature("label", "label", (), "int64", self._classes, "The name of the sub-folder."),
        }

    def fingerprint(self) -> str:
        """The digest of the paths, sizes and times of the files."""
        return folder_files.fingerprint(self.root, self._keys)

    def index(self) -> Index:
        """Keys and labels from the paths alone."""
        labels, official = np.array(self._labels, np.int64), np.array(self._official, dtype=object)
        return Index(np.array(self._keys), labels, official, self._classes)

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
    return ImageFolder(f"images:{path}", folder_files.opened(path, LAYOUT))


def _scan(root: Path) -> list[tuple[str, str, str]]:
    """Key, class and official split of every image below `root`."""
    kinds = folders(root)
    if not kinds:
        loose = "has images but no sub-folders" if files(root) else "is empty"
        raise DatasetError(f"{root} {loose}; put the images of each class into a sub-folder of its own")
    official = {"": root}
    if "train" in kinds and set(kinds) <= set(OFFICIAL):
        official = {name: root / name for name in kinds}
    found = []
    for split, base in official.items():
        for kind in folders(base):
            here = files(base / kind)
            if not here:
                raise DatasetError(f"{base / kind} has no images ({', '.join(SUFFIXES)}); remove it or fill it")
            prefix = f"{split}/{kind}/" if split else f"{kind}/"
            found += [(prefix + file, kind, OFFICIAL.get(split, "")) for file in here]
    trained = {kind for _, kind, split in found if split in ("", "train")}
    untrained = sorted({kind for _, kind, _ in found} - trained)
    if untrained:
        raise DatasetError(f"{root}: class {untrained[0]!r} is not among the classes of train/")
    if len(trained) < 2:
        have = f"only one class, {next(iter(trained))!r}" if trained else "no sub-folders of images"
        raise DatasetError(f"{root} has {have}; at least two classes are needed, each in a sub-folder of its own")
    return found
