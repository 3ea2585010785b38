"""TensorFlow Datasets: the prepared fashion_mnist, and small builders written here."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ann_keras.datasets import tfds_source
from ann_keras.datasets.base import Dataset, DatasetError
from ann_keras.datasets.splits import Plan


@pytest.fixture
def fashion(tfds_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_dir))
    return tfds_source.load("fashion_mnist")


def test_features_of_fashion_mnist(fashion: Dataset) -> None:
    assert fashion.name == "tfds:fashion_mnist"
    assert fashion.features["image"].shape == (28, 28, 1)
    assert fashion.features["label"].classes[:2] == ("T-shirt/top", "Trouser")
    assert "Zalando" in fashion.description
    assert "Xiao" in fashion.citation


@pytest.mark.slow
def test_index_and_shards_of_fashion_mnist(fashion: Dataset) -> None:
    index, shards = fashion.index(), fashion.shards()
    assert len(np.unique(index.keys)) == len(index) == 70_000
    assert int((index.official == "test").sum()) == 10_000
    assert [shard.start for shard in shards] == [0, *(shard.stop for shard in shards[:-1])]
    assert shards[-1].stop == 70_000
    split = Plan().assign(index, fashion.features["label"].classes)
    assert {name: int((split == name).sum()) for name in set(split)} == {"train": 51_000, "eval": 9_000, "test": 10_000}
    shard = pickle.loads(pickle.dumps(shards[14]))
    rows = list(shard.read())
    assert [row.key for row in rows] == index.keys[shard.start : shard.stop].tolist()
    assert [row.values["label"] for row in rows] == index.labels[shard.start : shard.stop].tolist()
    assert not any(row.problem for row in rows)


def test_a_path_is_the_same_dataset(fashion: Dataset, tfds_dir: Path) -> None:
    for path in (tfds_dir / "fashion_mnist", tfds_dir / "fashion_mnist" / "3.0.1"):
        assert tfds_source.load(str(path)).fingerprint() == fashion.fingerprint()


def prepare(tmp_path: Path, features: dict[str, Any], rows: dict[str, list[dict[str, Any]]], **info: Any) -> str:
    """Writes a builder with these features and rows; returns its directory."""

    class Small(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> tfds.core.DatasetInfo:
            kinds = tfds.features.FeaturesDict(features)
            return tfds.core.DatasetInfo(builder=self, features=kinds, disable_shuffling=True, **info)

        def _split_generators(self, dl_manager: Any, pipeline: Any = None) -> dict[str, Any]:
            return {split: list(enumerate(split_rows)) for split, split_rows in rows.items()}

        def _generate_examples(self, **_: Any) -> None:
            raise NotImplementedError

    builder = Small(data_dir=str(tmp_path))
    builder.download_and_prepare()
    return str(builder.data_dir)


IMAGE = np.zeros((4, 5, 3), np.uint8)


def small(**values: Any) -> dict[str, Any]:
    return {"image": IMAGE, "label": 0, **values}


def test_unlabelled_rows_are_left_out(tmp_path: Path) -> None:
    features = {"image": tfds.features.Image(shape=(4, 5, 3)), "label": tfds.features.ClassLabel(names=["a", "b"])}
    rows = {
        "train": [small(label=label) for label in (0, -1, 1, 1, -1)],
        "test": [small(label=-1)],
        "unsupervised": [small(label=0)],
    }
    dataset = tfds_source.load(prepare(tmp_path, features, rows))
    index = dataset.index()
    assert index.labels.tolist() == [0, 1, 1]
    assert index.official.tolist() == ["train"] * 3
    read = [row for shard in dataset.shards() for row in shard.read()]
    assert [row.key for row in read] == index.keys.tolist() == ["train/00000000", "train/00000002", "train/00000003"]
    assert [(shard.start, shard.stop) for shard in dataset.shards()] == [(0, 3)]


def test_missing_roles_are_left_out(tmp_path: Path) -> None:
    features = {"image": tfds.features.Image(shape=(4, 5, 3)), "score": tfds.features.Scalar(np.int64)}
    dataset = tfds_source.load(prepare(tmp_path, features, {"train": [{"image": IMAGE, "score": 1}]}))
    assert set(dataset.features) == {"image"}
    with pytest.raises(DatasetError, match="has no label"):
        dataset.index()


def test_supervised_keys_decide_between_two_labels(tmp_path: Path) -> None:
    kinds = {"label": tfds.features.ClassLabel(names=["a"]), "breed": tfds.features.ClassLabel(names=["x", "y"])}
    features = {"image": tfds.features.Image(shape=(None, None, 3)), **kinds}
    rows = {"train": [small(breed=1)]}
    dataset = tfds_source.load(prepare(tmp_path / "one", features, rows, supervised_keys=("image", "breed")))
    assert dataset.features["label"].classes == ("x", "y")
    assert dataset.features["image"].shape == (None, None, 3)
    assert set(tfds_source.load(prepare(tmp_path / "two", features, rows)).features) == {"image"}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("no_such_dataset", "TFDS knows no dataset 'no_such_dataset', and none is prepared in TFDS_DATA_DIR="),
        ("fashion_mnist:9.9.9", "cannot be loaded at version 9.9.9"),
        ("/no/such/folder", "/no/such/folder does not exist"),
        (".", "is not a prepared TFDS directory"),
    ],
)
def test_errors(argument: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError) as caught:
        tfds_source.load(argument)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_network_is_one_line_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr(tfds_source.socket, "create_connection", refuse)
    with pytest.raises(DatasetError, match=r"cannot download 'mnist': no connection to .*TFDS_DATA_DIR"):
        tfds_source.load("mnist")
