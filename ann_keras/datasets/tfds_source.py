"""Any TensorFlow Datasets name or prepared directory with an image and a class label or a mask, or with two texts.

Splits are kept. `tfds:fashion_mnist`, `tfds:name/config:version` or `tfds:PATH`. Prepared data is looked for in
TFDS_DATA_DIR (~/tensorflow_datasets without it), and downloaded there if it is missing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ann_keras.datasets import images, masks, tfds_preparing, tfds_reading, tfds_roles
from ann_keras.datasets.base import Dataset, DatasetError, Index, Row, Shard
from ann_keras.datasets.tfds_prepared import PreparedDataset, row_key, row_keys
from ann_keras.datasets.tfds_texts import TfdsTexts
from ann_keras.task import Feature

SHARD_ROWS = 4096


@dataclass(frozen=True)
class TfdsShard(Shard):
    """Rows [start, stop) of the index: the labelled ones of [first, last) of one split, in the order of its files.

    `roles` are pairs of a role and its key, `lookup` the class of each stored value of a mask.
    """

    start: int
    stop: int
    directory: str
    split: str
    first: int
    last: int
    roles: tuple[tuple[str, str], ...]
    lookup: tuple[int, ...] = ()

    def read(self) -> Iterator[Row]:
        """Yields the rows with the image's bytes that TFDS stored and the canonical mask."""
        keys = dict(self.roles)
        numbers = [keys["label"]] if "label" in keys else []
        encoded = [key for role, key in self.roles if role != "label"]
        lookup = np.array(self.lookup, np.int16)
        position = self.first
        for batch in tfds_reading.batches(self.directory, self.split, self.first, self.last, numbers, encoded):
            for row in range(len(batch[keys["image"]])):
                stored = {role: batch[key][row] for role, key in self.roles}
                if stored.get("label", 0) >= 0:
                    yield _row(row_key(self.split, position), stored, lookup)
                position += 1


class TfdsDataset(PreparedDataset):
    """A prepared TFDS builder, read in the order of its files; no image is decoded by TFDS."""

    def __init__(self, name: str, builder: Any, palette: tuple[tuple[int, int, int], ...] = ()) -> None:
        super().__init__(name, builder)
        self._palette = palette
        self._keys = tfds_roles.roles(builder.info.features, builder.info.supervised_keys)

    @functools.cached_property
    def features(self) -> dict[str, Feature]:  # type: ignore[override]
        """The features; of a mask whose classes have no names all rows are read first, once in a process."""
        found = {}
        for role, key in self._keys.items():
            feature = self._builder.info.features[key]
            if role == "mask":
                found[role] = tfds_roles.mask_feature(feature, self._mask_classes[0], self._palette)
            else:
                found[role] = (tfds_roles.image_feature if role == "image" else tfds_roles.label_feature)(feature)
        return found

    def index(self) -> Index:
        """Keys (split and row number) and labels: the class labels, which alone are read, or else from the masks."""
        labels = self._labels()
        known = {split: rows[rows >= 0] for split, rows in labels.items()}
        official = self._official({split: len(rows) for split, rows in known.items()})
        rows_named = np.concatenate([row_keys(split, np.flatnonzero(rows >= 0)) for split, rows in labels.items()])
        if "label" in self._keys:
            names = tuple(self._builder.info.features[self._keys["label"]].names)
            return Index(rows_named, np.concatenate(list(known.values())), official, names)
        classes, lookup = self._mask_classes
        tables = [tfds_roles.class_counts(*self._values(split), lookup, len(classes)) for split in labels]
        dominant, contains = masks.index_of(np.concatenate(tables))
        return Index(rows_named, dominant, official, classes, contains)

    def shards(self) -> Sequence[Shard]:
        """Runs of `SHARD_ROWS` rows of each split."""
        shards: list[Shard] = []
        start = 0
        lookup = tuple(self._mask_classes[1].tolist()) if "mask" in self._keys else ()
        for split, labels in self._labels().items():
            for first in range(0, len(labels), SHARD_ROWS):
                last = min(first + SHARD_ROWS, len(labels))
                stop = start + int((labels[first:last] >= 0).sum())
                place = (str(self._builder.data_dir), split, first, last)
                shards.append(TfdsShard(start, stop, *place, tuple(self._keys.items()), lookup))
                start = stop
        return shards

    @functools.cache  # noqa: B019  a dataset lives as long as the process
    def _labels(self) -> Mapping[str, np.ndarray]:
        """Labels, int64 [rows], by split; -1 where there is none, and no split without any. 0 without the role."""
        missing = [] if "image" in self._keys else ["image"]
        if not {"label", "mask"} & set(self._keys):
            missing += ["label", "mask"]
        if missing or not self._splits:
            raise DatasetError(f"dataset {self.name!r} has no {' and no '.join(missing) or 'examples'}")
        key = self._keys.get("label")
        found = {}
        for split in self._splits:
            rows = self._builder.info.splits[split].num_examples
            labels = np.zeros(rows, np.int64)
            if key is not None:
                read = tfds_reading.batches(str(self._builder.data_dir), split, 0, rows, numbers=[key])
                labels = np.concatenate([batch[key] for batch in read]).astype(np.int64)
            if (labels >= 0).any():
                found[split] = labels
        if not found:
            raise DatasetError(f"dataset {self.name!r} has no labelled examples")
        return found

    @functools.cached_property
    def _mask_classes(self) -> tuple[tuple[str, ...], np.ndarray]:
        """Names of the mask's classes and the lookup of its stored values."""
        try:
            names = tfds_roles.names_of(self._builder.info.features[self._keys["mask"]])
            if names:
                return tfds_roles.named_classes(names)
            return tfds_roles.numbered_classes(
                value for split in self._splits for value in self._values(split)[0].tolist()
            )
        except DatasetError as error:
            raise DatasetError(f"dataset {self.name!r}: {error}") from None

    def _values(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        rows = self._builder.info.splits[split].num_examples
        return tfds_reading.mask_values(
            str(self._builder.data_dir), split, rows, self._keys["mask"], self.fingerprint()
        )


def load(argument: str) -> Dataset:
    """Opens a TFDS dataset by name or by the path of its prepared directory.

    Raises:
        DatasetError: for an unknown name, a folder that TFDS did not prepare, or a download that fails.
    """
    import tensorflow_datasets as tfds

    path = Path(argument).expanduser()
    if path.is_dir():
        prepared = path if (path / "dataset_info.json").exists() else _newest_version(path)
        if prepared is None:
            raise DatasetError(f"{argument} is not a prepared TFDS directory: it has no dataset_info.json")
        return _opened(f"tfds:{argument}", tfds.builder_from_directory(str(prepared.resolve())))
    if path.is_absolute() or argument.startswith((".", "~")):
        raise DatasetError(f"{argument} does not exist; give a TFDS name or the path of a prepared TFDS directory")
    builder = tfds_preparing.prepared(functools.partial(tfds.builder, argument), argument)
    return _opened(f"tfds:{argument}", builder)


def load_own(builder: Any) -> Dataset:
    """Opens a dataset whose builder this package has, prepared where TFDS's are; its name is the builder's.

    Args:
        builder: subclass of `tfds.core.DatasetBuilder`, with the colours of its mask's classes as PALETTE.

    Raises:
        DatasetError: as `load`.
    """
    return TfdsDataset(builder.name, tfds_preparing.prepared(builder, builder.name), builder.PALETTE)


def _opened(name: str, builder: Any) -> Dataset:
    """The dataset of a prepared builder: pairs of texts, where it has two and neither image nor label."""
    texts = tfds_roles.texts(builder.info.features, builder.info.supervised_keys)
    return TfdsTexts(name, builder, *texts) if texts else TfdsDataset(name, builder)


def _newest_version(path: Path) -> Path | None:
    found = [info.parent for info in path.glob("*/dataset_info.json")]
    return max(found, key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.name)], default=None)


def _row(key: str, stored: Mapping[str, Any], lookup: np.ndarray) -> Row:
    """The row of stored values by role, checked; a problem of its mask says so."""
    values = {**stored}
    values["image"], problem = images.checked(stored["image"])
    if "label" in stored:
        values["label"] = int(stored["label"])
    if "mask" in stored:
        values["mask"], strange = masks.canonical(stored["mask"], lookup)
        problem = problem or (f"its mask: {strange}" if strange else masks.fits(values["image"], values["mask"]))
    return Row(key, values, problem)
