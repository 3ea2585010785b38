"""Canonical masks: what is read, what is refused, and decoding in the graph."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from ann_keras.datasets import images, masks

SAME = np.arange(256, dtype=np.int16)


def encode(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(encoded: bytes, height: int, width: int) -> np.ndarray:
    return masks.decode(tf.constant([encoded]), height, width).numpy()[0]


ANY = arrays.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 254))


@settings(max_examples=40, deadline=None)
@given(ANY, st.sampled_from(["PNG", "BMP", "GIF"]), st.permutations(range(255)))
def test_canonical_and_decode_give_the_mapped_values(pixels: np.ndarray, kind: str, order: list[int]) -> None:
    lookup = np.array([*order, masks.VOID], np.int16)
    png, problem = masks.canonical(encode(pixels, kind), lookup)
    assert problem == ""
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode) == ("PNG", "L")
    wanted = lookup[pixels]
    np.testing.assert_array_equal(decode(png, *pixels.shape), wanted)
    np.testing.assert_array_equal(masks.pixels(png), wanted)
    np.testing.assert_array_equal(masks.counts(png, 255), [(wanted == index).sum() for index in range(255)])


def test_nearest_neighbour_at_pixel_centres() -> None:
    png = encode(np.array([[1, 2, 3], [4, 5, 255]], np.uint8))
    # Columns (i + 1/2) 3/2 = 0.75, 2.25 and row (0 + 1/2) 2/1 = 1.
    assert decode(png, 1, 2).tolist() == [[4, 255]]
    # Rows (i + 1/2) 2/3 = 0.33, 1, 1.67; columns (i + 1/2) 3/4 = 0.375, 1.125, 1.875, 2.625.
    assert decode(png, 3, 4).tolist() == [[1, 2, 2, 3], [4, 5, 5, 255], [4, 5, 5, 255]]


def test_a_batch_in_a_graph() -> None:
    run = tf.function(lambda batch: masks.decode(batch, 2, 1), input_signature=[tf.TensorSpec([None], tf.string)])
    batch = [encode(np.full((size, 2), size, np.uint8)) for size in (1, 3)]
    assert run(batch).numpy().tolist() == [[[1], [1]], [[3], [3]]]
    assert run(tf.zeros([0], tf.string)).shape == (0, 2, 1)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run([b"no PNG"])


def test_palettes_give_indices_and_their_colours() -> None:
    image = Image.fromarray(np.array([[0, 2], [1, 2]], np.uint8)).convert("P")
    image.putpalette([9, 8, 7, 255, 0, 0, 0, 128, 255])
    for kind in ("PNG", "BMP", "GIF"):
        assert masks.pixels(encode(image, kind)).tolist() == [[0, 2], [1, 2]]
        assert masks.palette_of(encode(image, kind))[:3].tolist() == [[9, 8, 7], [255, 0, 0], [0, 128, 255]]
    assert masks.palette_of(encode(np.zeros((1, 1), np.uint8))).shape == (0, 3)


def test_depths_other_than_eight_bits() -> None:
    bits = np.array([[True, False]])
    assert masks.pixels(encode(bits)).tolist() == [[1, 0]]
    assert masks.pixels(encode(np.array([[0, 7, 255]], np.uint16))).tolist() == [[0, 7, 255]]
    assert masks.canonical(encode(np.array([[0, 300]], np.uint16)), SAME) == (
        b"",
        "the value 300 is over 255; a mask has at most 255 classes",
    )


def test_grey_of_four_bits_gives_its_stored_values() -> None:
    # A PNG by hand: 2 x 1 pixels, depth 4, grey; the row is a filter byte 0 and the nibbles 3 and 12.
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 2, 1, 4, 0, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00\x3c")) + chunk(b"IEND", b"")
    )
    assert masks.pixels(png).tolist() == [[3, 12]]


def test_colours_stand_for_values() -> None:
    rgb = encode(np.array([[[255, 0, 0], [0, 0, 128]]], np.uint8))
    assert masks.pixels(rgb, {0xFF0000: 4, 0x000080: 9}).tolist() == [[4, 9]]
    assert masks.canonical(rgb, SAME, {0xFF0000: 4}) == (b"", "the colour #000080 has no class")
    assert masks.canonical(rgb, SAME)[1].startswith("an RGB mask, and no classes file gives its colours")


def test_what_is_refused() -> None:
    grey = np.random.default_rng(0).integers(0, 3, (40, 40)).astype(np.uint8)
    assert masks.canonical(encode(grey, "JPEG"), SAME)[1] == (
        "a mask may not be a JPEG, which changes values; save it as PNG"
    )
    for kind in ("PNG", "BMP"):
        whole = encode(grey, kind)
        assert masks.canonical(whole[: len(whole) // 2], SAME) == (b"", f"a truncated or corrupt {kind}")
    flipped = bytearray(encode(grey))
    for place in range(45, len(flipped) - 16, 7):
        flipped[place] ^= 0xFF
        assert masks.canonical(bytes(flipped), SAME) == (b"", "a truncated or corrupt PNG")
        flipped[place] ^= 0xFF
    assert masks.canonical(b"", SAME) == (b"", "an empty file")
    assert masks.canonical(b"hello", SAME) == (b"", "not a PNG, BMP or GIF image")
    lookup = np.where(SAME < 2, SAME, -1).astype(np.int16)
    assert masks.canonical(encode(grey), lookup) == (b"", "the value 2 has no class")
    assert masks.canonical(encode(np.full((2, 2), 255, np.uint8)), SAME) == (
        b"",
        "every pixel is void: nothing to learn from",
    )


def test_sizes_that_differ_name_both_and_the_orientation() -> None:
    image, mask = Image.new("RGB", (4, 2)), encode(np.zeros((4, 2), np.uint8))
    assert masks.fits(encode(image), encode(np.zeros((2, 4), np.uint8))) == ""
    assert masks.fits(encode(image, "JPEG"), mask) == "the mask is 2 x 4 pixels, its image 4 x 2"
    exif = Image.Exif()
    exif[0x0112] = 6
    assert masks.fits(encode(image, "JPEG", exif=exif), mask) == (
        "the mask is 2 x 4 pixels, its image 4 x 2 as stored: its EXIF orientation 6 is not applied; "
        "turn the pixels of the image"
    )
    assert images.checked(encode(image, "JPEG", exif=exif))[1] == ""


def test_the_index_by_hand() -> None:
    labels, contains = masks.index_of(np.array([[1, 5, 0], [3, 3, 0], [0, 0, 0], [0, 0, 9]]))
    assert labels.tolist() == [1, 0, 0, 2]
    assert contains.tolist() == [[True, True, False], [True, True, False], [False] * 3, [False, False, True]]


def test_the_colour_map() -> None:
    # 1 = bit 0: red's highest; 6 = bits 1 and 2: green and blue; 8 = bit 3: red's second; 255: bits 0..7.
    colours = masks.colour_map(255)
    assert [colours[index] for index in (0, 1, 6, 8)] == [(0, 0, 0), (128, 0, 0), (0, 128, 128), (64, 0, 0)]
    assert len(set(colours)) == 255


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_one_pixel(kind: str) -> None:
    png, problem = masks.canonical(encode(np.array([[3]], np.uint8), kind), SAME)
    assert (problem, decode(png, 2, 1).tolist()) == ("", [[3], [3]])
