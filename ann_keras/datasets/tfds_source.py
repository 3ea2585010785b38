"""Any TensorFlow Datasets name or prepared directory that has an image and a class label; its test split is kept.

`tfds:fashion_mnist`, `tfds:name/config:version` or `tfds:PATH`. Prepared data is looked for in TFDS_DATA_DIR
(~/tensorflow_datasets without it), and downloaded there if it is missing.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ann_keras.datasets import images
from ann_keras.datasets.base import Dataset, DatasetError, Index, Row, Shard
from ann_keras.task import Feature

OFFICIAL = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
"""Names of splits, and what they are. Others ("unsupervised", "extra") are left out if there is a "train"."""

SHARD_ROWS = 4096
READ_BATCH = 32
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class TfdsShard(Shard):
    """Rows [start, stop) of the index: the labelled ones of [first, last) of one split, in the order of its files."""

    start: int
    stop: int
    directory: str
    split: str
    first: int
    last: int
    image: str
    label: str

    def read(self) -> Iterator[Row]:
        """Yields the rows with the bytes that TFDS stored."""
        position = self.first
        for batch in _read(self.directory, self.split, self.first, self.last, self.label, self.image, READ_BATCH):
            for encoded, label in zip(batch[self.image], batch[self.label].tolist(), strict=True):
                if label >= 0:
                    kept, problem = images.checked(encoded)
                    yield Row(_key(self.split, position), {"image": kept, "label": label}, problem)
                position += 1


class TfdsDataset(Dataset):
    """A prepared TFDS builder, read in the order of its files and never decoded by TFDS."""

    def __init__(self, name: str, builder: Any) -> None:
        self.name = name
        self._builder = builder
        info = builder.info
        self.description = _one_line(info.description).split(". ")[0]
        self.citation = _one_line(info.citation)
        self.licence = _one_line(getattr(info.redistribution_info, "license", "") or "")
        self._names = _roles(info.features, info.supervised_keys)
        self.features = {role: _feature(role, info.features[key]) for role, key in self._names.items()}
        available = [split for split in info.splits if info.splits[split].num_examples]
        if "train" in available:
            available = [split for split in available if split in OFFICIAL]
        self._splits = [split for split in available if split != "unsupervised"]

    def fingerprint(self) -> str:
        """The digest of name, version, and the sizes and times of the files."""
        digest = hashlib.blake2b(self._builder.info.full_name.encode(), digest_size=8)
        for file in sorted(self._builder.data_path.iterdir()):
            stat = file.stat()
            digest.update(f"{file.name}\0{stat.length}\0{stat.mtime}\0".encode())
        return digest.hexdigest()

    def index(self) -> Index:
        """Keys (split and row number) and labels; reads the labels alone."""
        labels = self._labels()
        known = {split: rows[rows >= 0] for split, rows in labels.items()}
        official = [OFFICIAL.get(split, "") if "train" in known else "" for split, rows in known.items() for _ in rows]
        return Index(
            np.concatenate([_keys(split, np.flatnonzero(rows >= 0)) for split, rows in labels.items()]),
            np.concatenate(list(known.values())).astype(np.int64),
            np.array(official, dtype=object),
        )

    def shards(self) -> Sequence[Shard]:
        """Runs of `SHARD_ROWS` rows of each split."""
        shards: list[Shard] = []
        start = 0
        for split, labels in self._labels().items():
            for first in range(0, len(labels), SHARD_ROWS):
                last = min(first + SHARD_ROWS, len(labels))
                stop = start + int((labels[first:last] >= 0).sum())
                place = (str(self._builder.data_dir), split, first, last)
                shards.append(TfdsShard(start, stop, *place, self._names["image"], self._names["label"]))
                start = stop
        return shards

    @functools.cache  # noqa: B019  a dataset lives as long as the process
    def _labels(self) -> Mapping[str, np.ndarray]:
        """Labels, int64 [rows], by split; -1 where there is none, and no split without any."""
        missing = [role for role in ("image", "label") if role not in self._names]
        if missing or not self._splits:
            raise DatasetError(f"dataset {self.name!r} has no {' and no '.join(missing) or 'examples'}")
        key = self._names["label"]
        found = {}
        for split in self._splits:
            rows = self._builder.info.splits[split].num_examples
            batches = [batch[key] for batch in _read(str(self._builder.data_dir), split, 0, rows, key)]
            labels = np.concatenate(batches).astype(np.int64)
            if (labels >= 0).any():
                found[split] = labels
        if not found:
            raise DatasetError(f"dataset {self.name!r} has no labelled examples")
        return found


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
        return TfdsDataset(f"tfds:{argument}", tfds.builder_from_directory(str(prepared.resolve())))
    if path.is_absolute() or argument.startswith((".", "~")):
        raise DatasetError(f"{argument} does not exist; give a TFDS name or the path of a prepared TFDS directory")
    data_dir = os.environ.get("TFDS_DATA_DIR") or None
    try:
        builder = tfds.builder(argument, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError:
        raise DatasetError(f"TFDS knows no dataset {argument!r}, and none is prepared in {_place(data_dir)}") from None
    except Exception as error:  # a bad configuration or version raises whatever the builder thinks fit
        raise DatasetError(f"TFDS cannot open {argument!r}: {_one_line(str(error))[:300]}") from None
    if not builder.is_prepared():
        _download(builder, argument, _place(data_dir))
    return TfdsDataset(f"tfds:{argument}", builder)


def _download(builder: Any, argument: str, place: str) -> None:
    advice = f"it is not prepared in {place}; point TFDS_DATA_DIR at a folder where it is"
    hosts = {urlsplit(url).hostname for url in getattr(builder, "url_infos", {})} - {None}
    # TFDS itself tries for more than three minutes before it says that there is no network.
    if hosts and not any(name.lower() == "https_proxy" for name in os.environ) and not any(map(_answers, hosts)):
        raise DatasetError(f"TFDS cannot download {argument!r}: no connection to {sorted(hosts)[0]}; {advice}")
    try:
        builder.download_and_prepare()
    except Exception as error:  # network, disk, checksums, manual downloads: each has its own
        raise DatasetError(f"TFDS cannot prepare {argument!r}: {_one_line(str(error))[:300]}; {advice}") from None


def _answers(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _place(data_dir: str | None) -> str:
    return f"TFDS_DATA_DIR={data_dir}" if data_dir else "~/tensorflow_datasets (TFDS_DATA_DIR is not set)"


def _newest_version(path: Path) -> Path | None:
    found = [info.parent for info in path.glob("*/dataset_info.json")]
    return max(found, key=lambda folder: [int(part) for part in re.findall(r"\d+", folder.name)], default=None)


def _roles(features: Any, supervised_keys: Any) -> dict[str, str]:
    """The keys of the image and the class label by role, without those that are missing or that nobody singles out."""
    from tensorflow_datasets import features as kinds

    candidates: dict[str, list[str]] = {"image": [], "label": []}
    for key, feature in features.items():
        # A LabeledImage, which is a subclass, is a segmentation mask.
        if type(feature) is kinds.Image and np.dtype(feature.np_dtype) in (np.uint8, np.uint16):
            candidates["image"].append(key)
        elif isinstance(feature, kinds.ClassLabel) and feature.num_classes:
            candidates["label"].append(key)
    roles = {}
    for role, keys in candidates.items():
        chosen = [key for key in keys if key in (supervised_keys or ())] if len(keys) > 1 else keys
        if len(chosen) == 1:
            roles[role] = chosen[0]
    return roles


def _feature(role: str, feature: Any) -> Feature:
    if role == "label":
        return Feature(role, "label", (), "int64", tuple(feature.names))
    height, width, channels = feature.shape
    return Feature(role, "image", (height, width, 1 if channels == 1 else 3), "uint8")


def _read(
    directory: str, split: str, first: int, last: int, label: str, image: str = "", batch: int = SHARD_ROWS
) -> Iterator[dict[str, np.ndarray]]:
    """Yields batches of rows [first, last) of a split in the order of its files: labels, and images if asked."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    wanted = {label: True, **({image: True} if image else {})}
    decoders = {image: tfds.decode.SkipDecoding()} if image else None
    data = tfds.builder_from_directory(directory).as_dataset(
        split=tfds.core.ReadInstruction(split, from_=first, to=last, unit="abs"),
        decoders=tfds.decode.PartialDecoding(wanted, decoders=decoders),
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
        shuffle_files=False,
    )
    # One thread: with many, each leaves freed memory in an arena of its own, and the peak grows with every shard.
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    try:
        yield from data.batch(batch).with_options(options).as_numpy_iterator()
    except tf.errors.OpError as error:
        rows = f"rows {first} to {last} of {split!r}"
        raise DatasetError(f"{directory}: {rows} cannot be read: {_one_line(error.message)}") from None


def _key(split: str, row: int) -> str:
    return f"{split}/{row:08d}"


def _keys(split: str, rows: np.ndarray) -> np.ndarray:
    return np.fromiter((_key(split, row) for row in rows), dtype=f"U{len(split) + 9}", count=len(rows))


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
