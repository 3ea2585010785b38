"""What the folders of images and of masks share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ann_keras.datasets import folder_files, image_folder, mask_folder
from ann_keras.datasets.base import DatasetError

NOT_UTF8 = os.fsdecode(b"\xff\xfe.png")


def write(path: Path, shape: tuple[int, ...] = (3, 2)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(*shape[:2], dtype=np.uint8) if len(shape) == 2 else np.zeros(shape, np.uint8)).save(path)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        write(tmp_path / name / NOT_UTF8)
        write(tmp_path / name / "b.png")
    for dataset in (image_folder.load(str(tmp_path)), mask_folder.load(str(tmp_path))):
        rows = [row for shard in dataset.shards() for row in shard.read()]
        assert f"images/{NOT_UTF8}" in [row.key for row in rows] == dataset.index().keys.tolist()
        assert not any(row.problem for row in rows)
        assert dataset.fingerprint()


def test_the_shape_of_all_files(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", (3, 2, 3))
    (tmp_path / "c.png").write_bytes(b"nothing")
    assert folder_files.image_shape(tmp_path, ["a.png", "b.png", "c.png"]) == (3, 2, 3)
    write(tmp_path / "d.png", (2, 2))
    assert folder_files.image_shape(tmp_path, ["a.png", "d.png"]) == (None, None, 1)
    with pytest.raises(DatasetError, match="not one of its 1 files is a readable image"):
        folder_files.image_shape(tmp_path, ["c.png"])


def test_by_stem_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("a/1.png", "a.png", ".b.png", ".c/2.png"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    assert folder_files.by_stem(tmp_path) == {"a": "a.png", "a/1": "a/1.png"}
    assert folder_files.folders(tmp_path) == ["a"]
    write(tmp_path / "a.bmp")
    with pytest.raises(DatasetError, match=r"a\.png and .*a\.bmp differ in suffix alone; remove one"):
        folder_files.by_stem(tmp_path)
