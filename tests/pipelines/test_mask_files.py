"""`ann predict --out`: masks as pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

from ann_keras.datasets import masks
from pipelines import mask_files
from pipelines.exits import UsageError

DESCRIPTION = {"task": "semantic_segmentation", "classes": ["sky", "tree"], "palette": [[1, 2, 3], [200, 0, 0]]}


def columns(*given: Any) -> dict[str, list[bytes]]:
    found = []
    for mask in given:
        buffer = io.BytesIO()
        Image.fromarray(np.array(mask, np.uint8)).save(buffer, format="PNG")
        found.append(buffer.getvalue())
    return {"mask_bytes": found}


def test_masks_are_written_with_their_indices_and_colours(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    names = ("photos/a.jpg", "b.png")
    written = mask_files.write("unet", DESCRIPTION, names, columns([[0, 1]], [[1], [0]]), str(out))
    assert written == ["a.png", "b.png"]
    assert masks.pixels((out / "a.png").read_bytes()).tolist() == [[0, 1]]
    with Image.open(out / "a.png") as image:
        assert (image.mode, np.asarray(image.convert("RGB")).tolist()) == ("P", [[[1, 2, 3], [200, 0, 0]]])


def test_without_a_description_classes_have_the_usual_colours(tmp_path: Path) -> None:
    mask_files.write("unet", {}, ("a.png",), columns([[0, 2]]), str(tmp_path))
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image.convert("RGB")).tolist() == [[[0, 0, 0], [0, 128, 0]]]


def test_what_cannot_be_is_one_line_before_a_server_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--out gets masks, and knn answers none: its task is image_classification$"):
        mask_files.check("knn", {"task": "image_classification"}, ("a.png",), "masks")
    with pytest.raises(UsageError, match=r"one/a.png and two/a.jpg would both be masks/a.png"):
        mask_files.check("unet", DESCRIPTION, ("one/a.png", "two/a.jpg"), "masks")
    image = tmp_path / "a.png"
    image.write_bytes(b"an image")
    with pytest.raises(UsageError, match=r"would replace .*a\.png, an INPUT; name another folder"):
        mask_files.check("unet", DESCRIPTION, (str(image),), str(tmp_path))
    mask_files.check("unet", {}, (str(image),), str(tmp_path / "masks"))


def test_answers_that_are_no_masks_and_a_folder_that_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"^--out gets masks, and half answers none$"):
        mask_files.write("half", {}, ("a.png",), {"value": [1.0]}, str(tmp_path))
    with pytest.raises(click.ClickException, match="unet does not answer as it should: output 'mask_bytes' is no PNG"):
        mask_files.write("unet", {}, ("a.png",), {"mask_bytes": [b"text"]}, str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(click.ClickException, match="cannot be written: "):
        mask_files.write("unet", {}, ("a.png",), columns([[0]]), str(tmp_path / "file" / "deeper"))
