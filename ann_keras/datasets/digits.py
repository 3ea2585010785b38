"""1,797 real scans of handwritten digits, 8 x 8 grey, bundled with scikit-learn: no download.

The test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998): forms filled in by 43 people,
normalised to 32 x 32 and counted in 4 x 4 blocks, so that a pixel is 0 to 16.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ann_keras.datasets import images
from ann_keras.datasets.base import Dataset, Index, Row, Shard
from ann_keras.task import Feature

CLASSES = tuple("0123456789")
SHARD_ROWS = 1024


@functools.cache
def _bundled() -> tuple[np.ndarray, np.ndarray]:
    """Pixels, uint8 [1797, 8, 8] in [0, 255], and labels, int64 [1797]."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    return np.round(scans.images * 255 / 16).astype(np.uint8), scans.target.astype(np.int64)


@dataclass(frozen=True)
class DigitsShard(Shard):
    """Rows [start, stop) of the digits."""

    start: int
    stop: int

    def read(self) -> Iterator[Row]:
        """Yields the rows, encoded as PNG."""
        pixels, labels = _bundled()
        for row in range(self.start, self.stop):
            yield Row(_key(row), {"image": images.encode_png(pixels[row]), "label": int(labels[row])})


class Digits(Dataset):
    """The embedded default: no official split, ten classes of 174 to 183 examples."""

    name = "digits"
    features = {
        "image": Feature("image", "image", (8, 8, 1), "uint8", description="A scanned handwritten digit."),
        "label": Feature("label", "label", (), "int64", CLASSES, "The digit that was written."),
    }
    description = "1,797 scans of digits that 43 people wrote, 8 x 8 pixels of 17 grey levels."
    licence = "CC BY 4.0"
    citation = (
        "E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. "
        "UCI Machine Learning Repository. https://doi.org/10.24432/C50P49"
    )

    def fingerprint(self) -> str:
        """The digest of the pixels and labels."""
        pixels, labels = _bundled()
        return hashlib.blake2b(pixels.tobytes() + labels.tobytes(), digest_size=8).hexdigest()

    def index(self) -> Index:
        """Keys, labels, and no official split."""
        labels = _bundled()[1]
        keys = np.array([_key(row) for row in range(len(labels))])
        return Index(keys, labels, np.full(len(labels), "", dtype=object), CLASSES)

    def shards(self) -> Sequence[Shard]:
        """Runs of `SHARD_ROWS` rows."""
        rows = len(_bundled()[1])
        return [DigitsShard(start, min(start + SHARD_ROWS, rows)) for start in range(0, rows, SHARD_ROWS)]


def load() -> Dataset:
    """Opens the digits."""
    return Digits()


def _key(row: int) -> str:
    return f"digits/{row:04d}"
