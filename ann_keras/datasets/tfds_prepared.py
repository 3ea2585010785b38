"""What all prepared TFDS builders have, whatever their rows hold: a description, files, splits and numbered rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ann_keras.datasets.base import Dataset
from ann_keras.datasets.tfds_reading import one_line

OFFICIAL = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation", "test": "test"}
"""Names of splits, and what they are. Others ("unsupervised", "extra") are left out if there is a "train"."""


class PreparedDataset(Dataset):
    """A prepared builder, read in the order of its files.

    Args:
        name: as `--dataset` spells it.
        builder: a prepared `tfds.core.DatasetBuilder`.
    """

    def __init__(self, name: str, builder: Any) -> None:
        self.name = name
        self._builder = builder
        info = builder.info
        self.description = one_line(info.description).split(". ")[0]
        self.citation = one_line(info.citation)
        self.licence = one_line(getattr(info.redistribution_info, "license", "") or "")
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

    def _rows(self, split: str) -> int:
        return int(self._builder.info.splits[split].num_examples)

    @staticmethod
    def _official(rows: Mapping[str, int]) -> np.ndarray:
        """The official split of each row, object [rows], from the number of rows of each split."""
        known = "train" in rows
        found = [np.full(count, OFFICIAL.get(split, "") if known else "", object) for split, count in rows.items()]
        return np.concatenate(found)


def row_key(split: str, row: int) -> str:
    """The key of a row of a split, by its number."""
    return f"{split}/{row:08d}"


def row_keys(split: str, rows: np.ndarray) -> np.ndarray:
    """The keys, str [rows], of some rows of a split."""
    return np.fromiter((row_key(split, row) for row in rows), dtype=f"U{len(split) + 9}", count=len(rows))
