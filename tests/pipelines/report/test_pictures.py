from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from pipelines.report import blocks, pictures


def encode(kind: str, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, format=kind)
    return buffer.getvalue()


def decode(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp"])
def test_the_mime_type_comes_from_the_first_bytes(kind):
    data = encode(kind)
    assert pictures.mime_type(data) == f"image/{kind}"
    assert pictures.data_uri(data) == f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def test_other_formats_are_refused_and_shown_as_absent():
    with pytest.raises(ValueError, match="neither PNG, JPEG, GIF nor BMP: it starts with b'<svg'"):
        pictures.data_uri(b"<svg")
    assert "cannot be shown" in blocks.pictures([(b"<svg", "", "a drawing")])


def test_a_large_picture_becomes_a_thumbnail():
    for kind, mode in (("png", "RGBA"), ("png", "I;16"), ("jpeg", "CMYK"), ("bmp", "RGB"), ("gif", "P")):
        data = encode(kind, (800, 400), mode)
        uri = pictures.data_uri(data)
        assert decode(uri).shape == (96, 192, 3), (kind, mode)
        assert len(uri) < len(data)


def test_a_large_broken_picture_is_refused():
    with pytest.raises(ValueError, match="cannot be decoded"):
        pictures.data_uri(b"\x89PNG\r\n\x1a\n" + bytes(100_000))


def test_png_holds_the_pixels():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(pictures.png(pixels)))), pixels)


def test_signed_values_go_from_blue_over_white_to_red():
    drawn = np.asarray(Image.open(io.BytesIO(pictures.signed_png(np.array([[-2.0, 0.0, 2.0]])))))
    (blue, white, red) = drawn[0].astype(int)
    assert blue[2] > blue[0] + 100
    assert red[0] > red[2] + 100
    assert len(set(white)) == 1 and white[0] > 240


def test_a_common_scale_keeps_pictures_comparable():
    drawn = np.asarray(Image.open(io.BytesIO(pictures.signed_png(np.array([[0.1]]), scale=10.0))))
    assert drawn.min() > 230


@pytest.mark.parametrize(("channels", "zero"), [(1, 247), (3, 128), (4, 247)])
def test_channels(channels, zero):
    drawn = np.asarray(Image.open(io.BytesIO(pictures.signed_png(np.zeros((2, 2, channels))))))
    assert drawn.shape == (2, 2, 3)
    assert set(drawn.flat) == {zero}


def test_a_vector_is_no_picture():
    with pytest.raises(ValueError, match=r"not of shape \(4,\)"):
        pictures.signed_png(np.zeros(4))


def test_a_wide_picture_is_larger_and_a_drawn_one_stays_as_it_is():
    photo = encode("png", (800, 400))
    assert decode(pictures.data_uri(photo, 480)).shape == (240, 480, 3)
    assert 'src="data:image/jpeg' in blocks.pictures([(photo, "", "a photo")], "four")
    drawn = encode("png", (400, 300), "P")
    assert len(drawn) > pictures.SMALL_BYTES
    assert pictures.data_uri(drawn) == f"data:image/png;base64,{base64.b64encode(drawn).decode()}"


def test_a_scale_goes_from_dark_to_bright_and_stays_at_its_ends():
    drawn = np.asarray(Image.open(io.BytesIO(pictures.scale_png(np.array([[-5.0, 0.0, 1.5, 3.0, 9.0]]), 0.0, 3.0))))
    assert drawn[0].tolist() == [[68, 1, 84], [68, 1, 84], [33, 145, 140], [253, 231, 37], [253, 231, 37]]
    same = np.asarray(Image.open(io.BytesIO(pictures.scale_png(np.ones((1, 1)), 1.0, 1.0))))
    assert same[0, 0].tolist() == [68, 1, 84]
    assert "rgb(68, 1, 84), rgb(59, 82, 139)" in blocks.scale("0", "3")


def test_nearest_takes_values_at_the_centres_of_pixels():
    values = np.arange(8).reshape(2, 4)
    assert pictures.nearest(values, 4) is values
    assert pictures.nearest(values, 2).tolist() == [[5, 7]]
    assert pictures.nearest(np.zeros((1, 1000)), 10).shape == (1, 10)
