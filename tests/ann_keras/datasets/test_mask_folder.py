"""Folders of images with a mask each."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ann_keras.datasets import mask_folder, masks
from ann_keras.datasets.base import DatasetError, Row


def write(path: Path, pixels: np.ndarray | list[list[int]], **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, getattr(pixels, "dtype", np.uint8))).save(path, **options)


def pair(root: Path, image: str, mask: str, values: list[list[int]]) -> None:
    write(root / image, np.full((*np.shape(values), 3), 90, np.uint8))
    write(root / mask, values)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    pair(tmp_path, "images/a.jpg", "masks/a.png", [[0, 0], [0, 1]])
    pair(tmp_path, "images/b.png", "masks/b.bmp", [[2, 2, 1]])
    pair(tmp_path, "images/c.gif", "masks/c.gif", [[1, 255]])
    pair(tmp_path, "images/d.bmp", "masks/d.png", [[2]])
    return tmp_path


def rows(folder: Path) -> dict[str, Row]:
    shards = pickle.loads(pickle.dumps(mask_folder.load(str(folder)).shards()))
    return {row.key: row for shard in shards for row in shard.read()}


def error(folder: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        _ = mask_folder.load(str(folder)).features
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_formats_sizes_classes_and_index(cells: Path) -> None:
    dataset = mask_folder.load(str(cells))
    mask = dataset.features["mask"]
    assert (mask.kind, mask.shape, mask.classes) == ("mask", (None, None), ("class 0", "class 1", "class 2"))
    assert mask.palette == masks.colour_map(3)
    assert dataset.features["image"].shape == (None, None, 3)
    found, index = rows(cells), dataset.index()
    assert list(found) == index.keys.tolist()
    assert not any(row.problem for row in found.values())
    place = {str(key): number for number, key in enumerate(index.keys)}
    order = [place[f"images/{name}"] for name in ("a.jpg", "b.png", "c.gif", "d.bmp")]
    assert index.labels[order].tolist() == [0, 2, 1, 2]
    assert index.contains is not None
    assert index.contains[order].astype(int).tolist() == [[1, 1, 0], [0, 1, 1], [0, 1, 0], [0, 0, 1]]
    assert index.names == mask.classes
    assert set(index.official) == {""}
    assert masks.pixels(found["images/c.gif"].values["mask"]).tolist() == [[1, 255]]


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}/1.png", "{}annot/1.png"),
        ("{}/images/1.png", "{}/masks/1.png"),
        ("{}/image/1.png", "{}/label/1.png"),
        ("images/{}/1.png", "masks/{}/1.png"),
    ],
)
def test_splits_are_kept_and_one_without_masks_is_left_out(tmp_path: Path, image: str, mask: str) -> None:
    for split in ("train", "val"):
        pair(tmp_path, image.format(split), mask.format(split), [[0, 255]])
    write(tmp_path / image.format("test"), [[0]])
    dataset = mask_folder.load(str(tmp_path))
    index = dataset.index()
    official = dict(zip(index.keys.tolist(), index.official.tolist(), strict=True))
    assert official == {image.format("train"): "train", image.format("val"): "validation"}
    assert dataset.features["mask"].classes == ("background", "foreground")
    assert masks.pixels(rows(tmp_path)[image.format("train")].values["mask"]).tolist() == [[0, 1]]


def test_a_classes_file(cells: Path) -> None:
    (cells / "classes.txt").write_text("# cells\n2 nucleus #0a0B0c\n1 cell wall\n0 Void\n")
    dataset = mask_folder.load(str(cells))
    mask = dataset.features["mask"]
    assert mask.classes == ("nucleus", "cell wall")
    assert mask.palette == ((10, 11, 12), masks.colour_map(2)[1])
    found = rows(cells)
    assert masks.pixels(found["images/a.jpg"].values["mask"]).tolist() == [[255, 255], [255, 0 + 1]]
    assert masks.pixels(found["images/b.png"].values["mask"]).tolist() == [[0, 0, 1]]
    assert dataset.index().names == mask.classes
    (cells / "classes.txt").write_text("0 ground\n1 cell\n")
    problems = {key: row.problem for key, row in rows(cells).items() if row.problem}
    advice = "the value 2 has no class; give it a line in classes.txt: VALUE NAME, with #rrggbb where masks are RGB"
    assert problems == {"images/b.png": f"masks/b.bmp: {advice}", "images/d.bmp": f"masks/d.png: {advice}"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "4 sky #0000ff\n7 ground #008000\n9 void #000000\n"),
        ("label_colors.txt", "0 0 255\tsky\n0 128 0\tground\n0 0 0\tVoid\n"),
    ],
)
def test_colours_select_the_class_of_rgb_masks(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path / "images/1.png", [[1, 2, 3]])
    write(tmp_path / "masks/1.png", np.array([[[0, 128, 0], [0, 0, 255], [0, 0, 0]]], np.uint8))
    assert "masks/1.png: an RGB mask, and no classes file gives its colours" in error(tmp_path)
    (tmp_path / name).write_text(text)
    assert masks.pixels(rows(tmp_path)["images/1.png"].values["mask"]).tolist() == [[1, 0, 255]]
    assert mask_folder.load(str(tmp_path)).features["mask"].palette == ((0, 0, 255), (0, 128, 0))
    assert mask_folder.load(str(tmp_path)).index().contains.tolist() == [[True, True]]  # type: ignore[union-attr]


def test_a_palette_is_kept(tmp_path: Path) -> None:
    write(tmp_path / "images/1.png", [[1, 2]])
    mask = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    mask.putpalette([1, 2, 3, 200, 100, 0])
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks/1.png")
    assert mask_folder.load(str(tmp_path)).features["mask"].palette == ((1, 2, 3), (200, 100, 0))


def test_what_is_wrong_with_one_pair_is_a_row_with_a_problem(cells: Path) -> None:
    write(cells / "masks/a.png", [[0, 1]])
    write(cells / "masks/b.bmp", [[255, 255, 255]])
    (cells / "masks/c.gif").write_bytes(b"GIF89a")
    (cells / "images/d.bmp").write_bytes(b"")
    pair(cells, "images/e.png", "masks/e.png", [[0, 1, 2]])
    write(cells / "masks/e.png", np.array([[0, 1, 999]], np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    write(cells / "images/f.jpg", np.zeros((2, 3, 3), np.uint8), exif=exif)
    write(cells / "masks/f.png", [[0, 1], [0, 1], [0, 1]])
    pair(cells, "images/g.png", "masks/g.png", [[0, 1]])
    problems = {row.key: row.problem for row in rows(cells).values() if row.problem}
    assert problems == {
        "images/a.jpg": "masks/a.png: the mask is 2 x 1 pixels, its image 2 x 2",
        "images/b.png": "masks/b.bmp: every pixel is void: nothing to learn from",
        "images/c.gif": "masks/c.gif: a truncated or corrupt GIF",
        "images/d.bmp": "an empty file",
        "images/e.png": "masks/e.png: the value 999 is over 255; a mask has at most 255 classes",
        "images/f.jpg": "masks/f.png: the mask is 2 x 3 pixels, its image 3 x 2 as stored: its EXIF orientation 6 is "
        "not applied; turn the pixels of the image",
    }
    assert len(mask_folder.load(str(cells)).index()) == 7


def test_partners(cells: Path) -> None:
    (cells / "masks/b.bmp").rename(cells / "masks/z.bmp")
    assert error(cells) == f"{cells}/images/b.png has no mask; expected masks/b.png"
    pair(cells, "images/z.png", "masks/b.png", [[1]])
    (cells / "images/z.png").unlink()
    assert error(cells) == f"{cells}/masks/z.bmp has no image; expected images/z.png or .jpg"
    (cells / "masks/z.bmp").rename(cells / "masks/b.gif")
    assert "differ in suffix alone" in error(cells)
    (cells / "masks/b.gif").rename(cells / "masks/b.jpg")
    (cells / "masks/b.png").unlink()
    assert error(cells) == f"{cells}/masks/b.jpg: a mask may not be a JPEG, which changes values; save it as PNG"


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    assert "does not exist; give images/ and masks/" in error(tmp_path / "none")
    assert "has no folder of masks beside one of images" in error(tmp_path)
    pair(tmp_path, "val/1.png", "valannot/1.png", [[0, 1]])
    assert "has masks for val but none to train on" in error(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    assert f"{tmp_path / 'images'} has no images" in error(tmp_path)
    pair(tmp_path, "images/1.png", "masks/1.png", [[3, 255]])
    assert "the values in its masks, 3, 255, give 1 classes; expected 2 to 255 besides void" in error(tmp_path)
    (tmp_path / "masks/1.png").write_bytes(b"hello")
    assert "not one of its 1 masks can be used: masks/1.png: not a PNG, BMP or GIF image" in error(tmp_path)
    pair(tmp_path, "images/1.png", "masks/1.png", [[3, 4]])
    (tmp_path / "images/1.png").write_bytes(b"hello")
    assert "not one of its 1 files is a readable image" in error(tmp_path)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0 a\n300 b\n", "line 2, '300 b': the value 300 is not a whole number from 0 to 255"),
        ("0 a\n0 b\n", "line 2, '0 b': the value 0 is given twice"),
        ("0 a\n1 a\n", "line 2, '1 a': the name 'a' is given twice"),
        ("0 a #000000\n1 b #000000\n", "line 2, '1 b #000000': the colour #000000 is given twice"),
        ("0 a #00zz00\n", "line 1, '0 a #00zz00': the colour #00zz00 is not of the form #rrggbb"),
        ("0\n", "line 1, '0': expected VALUE NAME, and a colour #rrggbb if there is one"),
        ("0 a\n1 void\n2 ignore\n", "its lines give 1 classes; expected 2 to 255 besides void"),
    ],
)
def test_a_wrong_classes_file(cells: Path, text: str, wrong: str) -> None:
    (cells / "classes.txt").write_text(text)
    assert f"{cells / 'classes.txt'}" in error(cells)
    assert wrong in error(cells)


@pytest.mark.parametrize("touched", ["images/a.jpg", "masks/a.png", "classes.txt"])
def test_the_fingerprint_sees_a_changed_file(cells: Path, touched: str) -> None:
    (cells / "classes.txt").write_text("0 a\n1 b\n2 c\n")
    before = mask_folder.load(str(cells)).fingerprint()
    assert mask_folder.load(str(cells)).fingerprint() == before
    os.utime(cells / touched, ns=(1, 1))
    assert mask_folder.load(str(cells)).fingerprint() != before
