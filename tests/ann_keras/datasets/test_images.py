"""Checking and decoding of encoded images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ann_keras.datasets import images

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (9, 7), dtype=np.uint8)
RGB = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)


def encode(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decode(encoded: bytes, height: int = 9, width: int = 7, channels: int = 3) -> np.ndarray:
    run = tf.function(lambda batch: images.decode(batch, height, width, channels))
    return run(tf.constant([encoded])).numpy()[0]


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    whole = np.round(pixels * 255)
    np.testing.assert_allclose(whole, pixels * 255, atol=1e-4)
    return whole.astype(np.uint8)


def test_the_scale_is_exact_at_both_ends() -> None:
    assert np.float32(255) * images.SCALE == 1
    np.testing.assert_allclose(np.arange(256) * images.SCALE, np.arange(256) / 255, rtol=1e-7)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("pixels", [GREY, RGB])
def test_png_and_jpeg_are_kept_as_they_are(kind: str, pixels: np.ndarray) -> None:
    encoded = encode(pixels, kind)
    assert images.checked(encoded) == (encoded, "")


@pytest.mark.parametrize("kind", ["BMP", "GIF"])
def test_bmp_and_gif_become_png(kind: str) -> None:
    kept, problem = images.checked(encode(GREY, kind))
    assert problem == ""
    assert images.sniff(kept) == "PNG"
    assert (to_bytes(decode(kept, channels=1)[..., 0]) == GREY).all()


def test_first_frame_of_a_gif() -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (40, 200)]
    kept, _ = images.checked(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert (np.asarray(Image.open(io.BytesIO(kept)).convert("L")) == 40).all()


def test_odd_modes_become_png() -> None:
    deep = encode(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG")
    kept, problem = images.checked(deep)
    assert (problem, (to_bytes(decode(kept, channels=1)[..., 0]) == GREY).all()) == ("", True)
    palette = Image.fromarray(RGB).convert("P")
    kept, problem = images.checked(encode(palette, "PNG", transparency=0))
    assert (problem, (to_bytes(decode(kept)) == np.asarray(palette.convert("RGB"))).all()) == ("", True)


def test_cmyk_is_read_as_pillow_reads_it() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8], pixels[8:] = (200, 30, 60), (20, 180, 240)
    encoded = encode(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95)
    kept, problem = images.checked(encoded)
    assert problem == ""
    np.testing.assert_allclose(decode(kept, 16, 16) * 255, pixels, atol=8)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_that_is_kept_decodes_as_pillow_reads_it(mode: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    kept, problem = images.checked(encode(image, "PNG"))
    assert problem == ""
    np.testing.assert_array_equal(to_bytes(decode(kept)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_a_problem(kind: str, part: float) -> None:
    encoded = encode(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), kind)
    kept, problem = images.checked(encoded[: int(len(encoded) * part)])
    assert (kept, problem) == (b"", f"a truncated or corrupt {kind}")


def test_what_is_no_image() -> None:
    assert images.checked(b"") == (b"", "an empty file")
    assert images.checked(b"hello, world") == (b"", "not a JPEG, PNG, BMP or GIF image")
    assert images.checked(encode(GREY, "TIFF"))[1] == "not a JPEG, PNG, BMP or GIF image"
    flipped = bytearray(encode(RGB, "PNG"))
    flipped[len(flipped) // 2] ^= 0xFF
    assert images.checked(bytes(flipped))[1] == "a truncated or corrupt PNG"


def test_headers(tmp_path: Path) -> None:
    for name, pixels, channels in (("grey.png", GREY, 1), ("colour.gif", RGB, 3), ("grey.bmp", GREY, 1)):
        Image.fromarray(pixels).save(tmp_path / name)
        assert images.read_header(tmp_path / name) == (9, 7, channels if name != "colour.gif" else 3)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert images.read_header(tmp_path / "broken.png") is None
    assert images.read_header(tmp_path / "missing.png") is None


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_decode_keeps_exact_bytes(kind: str, channels: int) -> None:
    pixels = decode(encode(GREY, kind), channels=channels)
    assert pixels.shape == (9, 7, channels)
    assert pixels.dtype == np.float32
    if kind == "GIF":  # always RGB, so that grey is its luma, whose weights do not sum to one exactly
        np.testing.assert_allclose(pixels, np.repeat(GREY[..., None], channels, -1) / 255, atol=1e-6)
    else:
        np.testing.assert_array_equal(pixels, np.repeat(GREY[..., None], channels, -1) * images.SCALE)


def test_grey_is_the_luma_of_bt_601() -> None:
    luma = (RGB @ np.array(images.LUMA)) / 255
    for image in (Image.fromarray(RGB), Image.fromarray(RGB).convert("RGBA")):
        np.testing.assert_allclose(decode(encode(image, "PNG"), channels=1)[..., 0], luma, atol=1e-6)


def test_resizing_is_antialiased_and_stays_in_range() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (16, 8))
    small = decode(encode(stripes, "PNG"), 4, 4, 1)
    assert 0.4 < small.min() <= small.max() < 0.6
    large = decode(encode(RGB, "PNG"), 20, 31)
    assert large.shape == (20, 31, 3)
    assert 0 <= large.min() <= large.max() <= 1


def test_a_batch_of_mixed_images_and_an_empty_one() -> None:
    run = tf.function(lambda batch: images.decode(batch, 5, 6, 3), input_signature=[tf.TensorSpec([None], tf.string)])
    mixed = [encode(GREY, "PNG"), encode(RGB, "JPEG"), encode(RGB, "GIF"), encode(GREY, "BMP")]
    assert run(tf.constant(mixed)).shape == (4, 5, 6, 3)
    assert run(tf.constant([], tf.string)).shape == (0, 5, 6, 3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        run(tf.constant([b"no image"]))
    with pytest.raises(ValueError, match="channels=2"):
        images.decode(tf.constant(mixed), 5, 6, 2)


def test_decode_in_a_tf1_session_after_export(tmp_path: Path) -> None:
    module = tf.Module()
    module.serve = tf.function(
        lambda image: {"pixels": images.decode(image, 4, 4, 1)}, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path), {"serving_default": module.serve})
    mixed = [encode(GREY, "PNG"), encode(RGB, "JPEG"), encode(RGB, "GIF")]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        signature = loaded.signature_def["serving_default"]
        (given,), answer = signature.inputs.values(), signature.outputs["pixels"].name
        found = session.run(answer, {given.name: mixed})
        assert session.run(answer, {given.name: np.array([], object)}).shape == (0, 4, 4, 1)
    expected = np.stack([decode(image, 4, 4, 1) for image in mixed])
    np.testing.assert_allclose(found, expected, atol=1e-6)
