"""CamVid and ISBI 2012: the real files, and small folders made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ann_keras import registry
from ann_keras.datasets import images, masks, tfds_preparing
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.builders import camvid, isbi2012
from ann_keras.datasets.splits import Plan


@pytest.fixture
def manual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TFDS_DATA_DIR; returns its manual directory. No network, no ANN_DATA_DIR."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    for variable in ("ANN_DATA_DIR", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(tfds_preparing.socket, "create_connection", refuse)
    return tmp_path / "tfds" / "downloads" / "manual"


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(pixels))


def sections(root: Path, count: int, foreground: int = 255) -> None:
    """Sections N of the grey value N, the upper half cell."""
    label = np.zeros((512, 512), np.uint8)
    label[:256] = foreground
    for number in range(count):
        write(root / "train" / "image" / f"{number}.png", np.full((512, 512), number, np.uint8))
        write(root / "train" / "label" / f"{number}.png", label)


def test_isbi2012_from_the_manual_directory(manual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isbi2012.Isbi2012, "COUNT", 11)
    sections(manual / "isbi2012", 11)
    dataset = registry.open_dataset("isbi2012")
    rows = [row for shard in dataset.shards() for row in shard.read()]
    assert dataset.name == "isbi2012"
    assert not any(row.problem for row in rows)
    # In the order of the sections: 10 comes after 9.
    assert [int(masks.pixels(row.values["image"])[0, 0]) for row in rows] == list(range(11))
    half = np.repeat([1, 0], 256)
    assert (masks.pixels(rows[0].values["mask"]) == half[:, None]).all()


@pytest.mark.parametrize(
    ("count", "foreground", "removed", "message"),
    [
        (1, 255, "", "train/image has 1 images, expected 2"),
        (2, 254, "", "train/label/0.png: the value 254; expected 0 for membrane and 255 for cell"),
        (2, 255, "train/label/1.png", "train/image/1.png has no partner of that name in"),
        (2, 255, "train/image/0.png", "train/label/0.png has no partner of that name in"),
    ],
)
def test_bad_files(
    count: int, foreground: int, removed: str, message: str, manual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isbi2012.Isbi2012, "COUNT", 2)
    sections(manual / "isbi2012", count, foreground)
    if removed:
        (manual / "isbi2012" / removed).unlink()
    with pytest.raises(DatasetError) as caught:
        isbi2012.load()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "folder"), [("camvid", "camvid"), ("isbi2012", "isbi2012_membrane")])
def test_neither_files_nor_network(name: str, folder: str, manual: Path) -> None:
    expected = f"^TFDS cannot download '{name}': no connection to github.com; .*ANN_DATA_DIR/{folder}"
    with pytest.raises(DatasetError, match=expected):
        registry.open_dataset(name)


def test_the_colours_of_camvid_are_told_apart() -> None:
    assert len(set(camvid.Camvid.PALETTE)) == len(camvid.CLASSES) == camvid.VOID == 11


@pytest.mark.slow
def test_camvid(data_dir: Path, manual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANN_DATA_DIR", str(data_dir))
    dataset = registry.open_dataset("camvid")
    mask, index = dataset.features["mask"], dataset.index()
    split = Plan().assign(index)
    assert {name: int((split == name).sum()) for name in set(split)} == {"train": 367, "eval": 101, "test": 233}
    assert mask.classes == index.names == tuple(camvid.CLASSES)
    assert mask.shape == dataset.features["image"].shape[:2] == (360, 480)
    assert mask.palette[3] == (128, 64, 128)
    shard = dataset.shards()[-1]
    rows = list(shard.read())
    assert [row.key for row in rows] == index.keys[shard.start : shard.stop].tolist()
    assert not any(row.problem for row in rows)
    stored = np.concatenate([np.unique(masks.pixels(row.values["mask"])) for row in rows])
    assert set(stored.tolist()) == {*range(11), masks.VOID}
    counts = masks.counts(rows[0].values["mask"], 11)
    assert (index.contains is not None) and index.contains[shard.start].tolist() == (counts > 0).tolist()
    assert index.labels[shard.start] == counts.argmax()


@pytest.mark.slow
def test_isbi2012(data_dir: Path, manual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANN_DATA_DIR", str(data_dir))
    dataset = registry.open_dataset("isbi2012")
    index = dataset.index()
    assert len(index) == 30
    assert index.names == ("membrane", "cell")
    rows = [row for shard in dataset.shards() for row in shard.read()]
    assert not any(row.problem for row in rows)
    label = masks.pixels((data_dir / "isbi2012_membrane" / "train" / "label" / "17.png").read_bytes())
    assert (masks.pixels(rows[17].values["mask"]) * 255 == label).all()
    assert rows[17].values["image"] == (data_dir / "isbi2012_membrane" / "train" / "image" / "17.png").read_bytes()
