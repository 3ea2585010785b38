"""Folders of images of the user's own."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ann_keras.datasets import image_folder, images
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.splits import Plan


def write(path: Path, size: tuple[int, int] = (8, 6), grey: bool = False, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if grey else (*size, 3)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for number, suffix in enumerate(["jpg", "JPEG", "png", "bmp", "GIF", "png", "jpg", "png"]):
        write(tmp_path / "dog" / f"{number}.{suffix}", (8 + number, 6), seed=number)
        write(tmp_path / "cat" / "indoors" / f"{number}.{suffix}", seed=number + 100)
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"")
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    write(tmp_path / ".thumbnails" / "1.png")
    return tmp_path


def read(folder: Path) -> list:  # type: ignore[type-arg]
    return [
        row for shard in pickle.loads(pickle.dumps(image_folder.load(str(folder)).shards())) for row in shard.read()
    ]


def test_all_formats_and_sizes(pets: Path) -> None:
    dataset = image_folder.load(str(pets))
    assert dataset.name == f"images:{pets}"
    assert dataset.features["image"].shape == (None, None, 3)
    assert dataset.features["label"].classes == ("cat", "dog")
    rows, index = read(pets), dataset.index()
    assert [row.key for row in rows] == index.keys.tolist()
    assert {str(key) for key in index.keys} >= {"dog/0.jpg", "cat/indoors/4.GIF"}
    assert [row.values["label"] for row in rows] == index.labels.tolist()
    assert [int(row.key.startswith("dog")) for row in rows] == index.labels.tolist()
    assert len(rows) == 16
    assert not any(row.problem for row in rows)
    assert {images.sniff(row.values["image"]) for row in rows} == {"JPEG", "PNG"}
    kept = next(row for row in rows if row.key == "dog/0.jpg")
    assert kept.values["image"] == (pets / "dog" / "0.jpg").read_bytes()
    assert np.ptp(index.labels[:8]) == 1, "classes are mixed"


def test_one_size_of_grey_images(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.bmp", "b/1.png"):
        write(tmp_path / name, (5, 4), grey=True)
    assert image_folder.load(str(tmp_path)).features["image"].shape == (5, 4, 1)


def test_official_splits(tmp_path: Path) -> None:
    for split, number in (("train", 5), ("val", 2), ("test", 3)):
        for kind in ("a", "b"):
            for row in range(number):
                write(tmp_path / split / kind / f"{row}.png", seed=row)
    dataset = image_folder.load(str(tmp_path))
    index = dataset.index()
    assert dataset.features["label"].classes == ("a", "b")
    split = Plan().assign(index)
    folders = {"train": "train", "eval": "val", "test": "test"}
    assert all(str(key).startswith(folders[name] + "/") for key, name in zip(index.keys, split, strict=True))


def test_broken_files_are_rows_with_a_problem(pets: Path) -> None:
    whole = (pets / "dog" / "0.jpg").read_bytes()
    (pets / "dog" / "0.jpg").write_bytes(whole[: len(whole) // 2])
    (pets / "cat" / "empty.png").write_bytes(b"")
    (pets / "cat" / "gone.png").symlink_to(pets / "nowhere.png")
    problems = {row.key: row.problem for row in read(pets) if row.problem}
    assert problems == {
        "dog/0.jpg": "a truncated or corrupt JPEG",
        "cat/empty.png": "an empty file",
        "cat/gone.png": "cannot be read: No such file or directory",
    }


def test_the_fingerprint_sees_a_changed_file(pets: Path) -> None:
    before = image_folder.load(str(pets)).fingerprint()
    assert image_folder.load(str(pets)).fingerprint() == before
    os.utime(pets / "dog" / "2.png", ns=(1, 1))
    assert image_folder.load(str(pets)).fingerprint() != before


def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    def error(path: Path) -> str:
        with pytest.raises(DatasetError) as caught:
            _ = image_folder.load(str(path)).features
        assert "\n" not in str(caught.value)
        return str(caught.value)

    folder = tmp_path / "data"
    assert "does not exist" in error(folder)
    (tmp_path / "file").write_text("")
    assert "is not a folder" in error(tmp_path / "file")
    folder.mkdir()
    assert "is empty" in error(folder)
    write(folder / "1.png")
    assert "has images but no sub-folders" in error(folder)
    write(folder / "a" / "1.png")
    assert "only one class, 'a'" in error(folder)
    (folder / "b").mkdir()
    assert f"{folder / 'b'} has no images" in error(folder)
    (folder / "b" / "1.png").write_bytes(b"nothing")
    (folder / "a" / "1.png").write_bytes(b"nothing")
    assert "not one of its 2 files is a readable image" in error(folder)


def test_a_class_of_the_test_split_alone(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "test/c/1.png"):
        write(tmp_path / name)
    with pytest.raises(DatasetError, match="class 'c' is not among the classes of train/"):
        image_folder.load(str(tmp_path))
