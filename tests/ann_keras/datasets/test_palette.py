from __future__ import annotations

import io

import numpy as np
from PIL import Image

from ann_keras.datasets import masks
from ann_keras.datasets.palette import VOID_COLOUR, coloured_png, colours_of


def test_a_palette_is_filled_up_and_cut() -> None:
    assert colours_of((), 3).tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    assert colours_of([[9, 8, 7]], 2).tolist() == [[9, 8, 7], [128, 0, 0]]
    assert colours_of(((1, 2, 3), (4, 5, 6)), 1).tolist() == [[1, 2, 3]]
    assert colours_of((), 0).shape == (0, 3)


def test_a_coloured_mask_keeps_its_values() -> None:
    mask = np.array([[0, 1, 255], [2, 1, 0]], np.uint8)
    encoded = coloured_png(mask, np.array([[1, 1, 1], [250, 0, 0], [0, 0, 250]], np.uint8))
    np.testing.assert_array_equal(masks.pixels(encoded), mask)
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.mode == "P"
        shown = np.asarray(image.convert("RGB"))
    assert [tuple(map(int, colour)) for colour in shown[0]] == [(1, 1, 1), (250, 0, 0), VOID_COLOUR]
