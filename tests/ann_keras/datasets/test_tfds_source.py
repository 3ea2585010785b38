"""TensorFlow Datasets: the prepared fashion_mnist, and small builders written here."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from ann_keras.datasets import masks, tfds_preparing, tfds_source
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
    split = Plan().assign(index)
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

    monkeypatch.setattr(tfds_preparing.socket, "create_connection", refuse)
    with pytest.raises(DatasetError, match=r"cannot download 'mnist': no connection to .*TFDS_DATA_DIR"):
        tfds_source.load("mnist")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "deep" / "down"))
    writable = os.access
    # The tests may run as root, to whom no folder is closed.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and writable(path, mode))
    with pytest.raises(
        DatasetError, match=r"^TFDS_DATA_DIR=.*/deep/down cannot be written, and 'mnist' is not prep.*$"
    ):
        tfds_source.load("mnist")


NAMES = ["road", "Void", "car"]


def masked(values: list[list[int]], **others: Any) -> dict[str, Any]:
    mask = np.array(values, np.uint8)[..., None]
    return {"image": np.zeros((*mask.shape[:2], 3), np.uint8), "mask": mask, **others}


def mask_features(**others: Any) -> dict[str, Any]:
    image = tfds.features.Image(shape=(None, None, 3))
    return {"image": image, "mask": tfds.features.LabeledImage(labels=NAMES, shape=(None, None, 1)), **others}


def read_all(dataset: Dataset) -> list[Any]:
    return [row for shard in dataset.shards() for row in pickle.loads(pickle.dumps(shard)).read()]


def test_masks_without_a_label(tmp_path: Path) -> None:
    rows = {
        "train": [masked([[0, 1, 2], [2, 2, 255]]), masked([[1, 0]]), masked([[1, 255]]), masked([[0, 7]])],
        "test": [masked([[2]])],
    }
    dataset = tfds_source.load(prepare(tmp_path, mask_features(), rows))
    assert set(dataset.features) == {"image", "mask"}
    assert dataset.features["mask"].classes == ("road", "car")
    assert dataset.features["mask"].shape == (None, None)
    index, read = dataset.index(), read_all(dataset)
    assert index.official.tolist() == ["train"] * 4 + ["test"]
    assert index.names == ("road", "car")
    assert index.labels.tolist() == [1, 0, 0, 0, 1]
    assert index.contains is not None
    assert index.contains.tolist() == [[True, True], [True, False], [False, False], [True, False], [False, True]]
    assert [row.key for row in read] == index.keys.tolist()
    assert masks.pixels(read[0].values["mask"]).tolist() == [[0, 255, 1], [1, 1, 255]]
    assert [row.problem for row in read] == [
        "",
        "",
        "its mask: every pixel is void: nothing to learn from",
        "its mask: the value 7 has no class",
        "",
    ]


def test_image_label_and_mask(tmp_path: Path) -> None:
    features = mask_features(label=tfds.features.ClassLabel(names=["a", "b"]))
    rows = {"train": [masked([[0, 2]], label=label) for label in (1, -1, 0)]}
    dataset = tfds_source.load(prepare(tmp_path, features, rows))
    index, read = dataset.index(), read_all(dataset)
    assert set(dataset.features) == {"image", "label", "mask"}
    assert index.labels.tolist() == [1, 0]
    assert index.names == ("a", "b")
    assert index.contains is None
    assert [row.key for row in read] == index.keys.tolist() == ["train/00000000", "train/00000002"]
    assert [row.values["label"] for row in read] == [1, 0]
    assert masks.pixels(read[1].values["mask"]).tolist() == [[0, 1]]


def numbered(tmp_path: Path, *rows: list[list[int]]) -> Dataset:
    features = {"image": tfds.features.Image(shape=(None, None, 3))}
    features["segmentation_mask"] = tfds.features.Image(shape=(None, None, 1))
    named = [{"segmentation_mask": row.pop("mask"), **row} for row in map(masked, rows)]
    return tfds_source.load(prepare(tmp_path, features, {"train": named}))


def test_values_without_names_are_classes(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, [[1, 3], [2, 2]], [[3, 255]])
    assert dataset.features["image"].shape == (None, None, 3)
    assert dataset.features["mask"].classes == ("class 1", "class 2", "class 3")
    assert dataset.index().labels.tolist() == [1, 2]
    assert [masks.pixels(row.values["mask"]).tolist() for row in read_all(dataset)] == [[[0, 2], [1, 1]], [[2, 255]]]


def test_a_mask_of_0_and_255_has_two_classes(tmp_path: Path) -> None:
    dataset = numbered(tmp_path, [[0, 255]])
    assert dataset.features["mask"].classes == ("class 0", "class 255")
    assert masks.pixels(read_all(dataset)[0].values["mask"]).tolist() == [[0, 1]]


def test_a_mask_of_another_size_is_a_problem(tmp_path: Path) -> None:
    row = {**masked([[0, 2]]), "image": np.zeros((3, 2, 3), np.uint8)}
    dataset = tfds_source.load(prepare(tmp_path, mask_features(), {"train": [row]}))
    assert read_all(dataset)[0].problem == "the mask is 2 x 1 pixels, its image 2 x 3"
