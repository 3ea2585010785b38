"""The embedded digits."""

from __future__ import annotations

import io
import pickle

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from ann_keras.datasets import digits


def test_every_row_is_scikit_learns() -> None:
    dataset, bundled = digits.load(), load_digits()
    rows = [row for shard in pickle.loads(pickle.dumps(dataset.shards())) for row in shard.read()]
    index = dataset.index()
    assert [row.key for row in rows] == index.keys.tolist()
    assert [row.values["label"] for row in rows] == index.labels.tolist() == bundled.target.tolist()
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(row.values["image"]))) for row in rows])
    np.testing.assert_array_equal(np.round(pixels / 255 * 16), bundled.images)
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_what_it_says_of_itself() -> None:
    dataset = digits.load()
    assert dataset.features["image"].shape == (8, 8, 1)
    assert dataset.features["label"].classes == tuple("0123456789")
    assert dataset.fingerprint() == digits.load().fingerprint()
    assert len(np.unique(dataset.index().keys)) == len(dataset.index()) == 1797
    assert dataset.shards()[-1].stop == 1797
    assert "Alpaydin" in dataset.citation
