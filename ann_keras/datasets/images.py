"""Encoded images: checked and made uniform before they are written, and decoded in the graph that trains and serves.

Both sides use TensorFlow's decoder, so that what was checked here decodes there. TensorFlow is imported on first use.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey: ITU-R BT.601, section 2.5.1."""

SCALE = np.float32(1 / 255)
"""From a byte to [0, 1]. A product, as the graph optimiser turns a division into one, which rounds otherwise."""

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"})
"""Pillow's modes of images without colour."""

MAGIC = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF87a": "GIF", b"GIF89a": "GIF", b"BM": "BMP"}
"""The first bytes of the formats that are read."""


def sniff(encoded: bytes) -> str:
    """The format of encoded bytes, by their content: "JPEG", "PNG", "BMP" or "GIF"; "" for any other."""
    return next((name for magic, name in MAGIC.items() if encoded.startswith(magic)), "")


def encode_png(pixels: np.ndarray) -> bytes:
    """Encodes uint8 [height, width], [height, width, 1] or [height, width, 3] as PNG."""
    from PIL import Image

    flat = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    buffer = io.BytesIO()
    Image.fromarray(flat).save(buffer, "PNG")
    return buffer.getvalue()


def read_header(path: str | Path) -> tuple[int, int, int] | None:
    """The (height, width, channels) of an image file, without decoding it; channels is 1 if it is grey, else 3.

    Returns:
        None where the header cannot be read.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.height, image.width, 1 if image.mode in GREY_MODES else 3
    except Exception:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more on broken files.
        return None


def checked(encoded: bytes) -> tuple[bytes, str]:
    """Checks an encoded image by decoding it.

    JPEG and PNG bytes are returned as they are if TensorFlow's decoder reads them. BMP and GIF (its first frame) and
    the PNG modes that TensorFlow reads otherwise than Pillow (16 bit, a transparent colour) are encoded again as PNG,
    grey or RGB; transparency is dropped.

    Args:
        encoded: the bytes of a file.

    Returns:
        The bytes to keep and "", or b"" and the reason in one line.
    """
    kind = sniff(encoded)
    if not kind:
        return b"", "not a JPEG, PNG, BMP or GIF image" if encoded else "an empty file"
    if kind in ("BMP", "GIF") or (kind == "PNG" and _is_odd_png(encoded)):
        return _encoded_again(encoded, kind)
    problem = _decoder_problem(encoded, kind)
    return (b"", problem) if problem else (encoded, "")


def decode(encoded: Any, height: int, width: int, channels: int) -> Any:
    """Decodes a batch of images in the graph: JPEG, PNG, BMP or GIF (first frame), of any size and channel count.

    Grey is the ITU-R BT.601 luma of red, green and blue; alpha is dropped. An image of the wanted size keeps its exact
    bytes x SCALE; any other is resized bilinearly with antialiasing. An empty batch is fine; bytes that are no image
    raise an InvalidArgumentError when the graph runs.

    Args:
        encoded: string [batch].
        height: the wanted height in pixels.
        width: the wanted width in pixels.
        channels: 1 for grey, 3 for RGB.

    Returns:
        float32 [batch, height, width, channels] in [0, 1].

    Raises:
        ValueError: for another number of channels.
    """
    import tensorflow as tf

    if channels not in (1, 3):
        raise ValueError(f"channels={channels}: an image is decoded to 1 (grey) or 3 (RGB) channels")
    shape = [height, width, channels]

    def converted(image: Any) -> Any:
        pixels = with_channels(image, channels)
        fits = tf.reduce_all(tf.equal(tf.shape(pixels)[:2], [height, width]))
        return tf.clip_by_value(tf.cond(fits, lambda: pixels, lambda: resize(pixels, height, width)), 0.0, 1.0)

    def decoded(item: Any) -> Any:
        image = pixels_of(item)
        fits = tf.reduce_all(tf.equal(tf.shape(image), shape))
        pixels = tf.cond(fits, lambda: tf.cast(image, tf.float32) * SCALE, lambda: converted(image))
        return tf.ensure_shape(pixels, shape)

    return tf.map_fn(decoded, encoded, fn_output_signature=tf.TensorSpec(shape, tf.float32))


def pixels_of(encoded: Any) -> Any:
    """The pixels of one encoded image as they are, uint8 [height, width, 1 to 4], in the graph; encoded: string []."""
    import tensorflow as tf

    # With channels=1 or 3 decode_image refuses BMP and GIF, so that the conversion has to follow in the graph.
    return tf.io.decode_image(encoded, channels=0, expand_animations=False)


def with_channels(image: Any, channels: int) -> Any:
    """uint8 [height, width, 1 to 4] -> float32 [height, width, channels] in [0, 1], grey or RGB; alpha is dropped."""
    import tensorflow as tf

    coloured = tf.shape(image)[-1] >= 3
    pixels = tf.cast(tf.gather(image, tf.where(coloured, [0, 1, 2], [0, 0, 0]), axis=-1), tf.float32) * SCALE
    if channels == 3:
        return pixels
    weights = tf.where(coloured, tf.constant(LUMA), tf.constant([1.0, 0.0, 0.0]))
    # min: the luma's weights may sum to one and a bit in float32
    return tf.minimum(tf.reduce_sum(pixels * weights, axis=-1, keepdims=True), 1.0)


def resize(pixels: Any, height: int, width: int) -> Any:
    """float32 [rows, columns, channels] -> float32 [height, width, channels], bilinear with antialiasing."""
    import tensorflow as tf

    return tf.image.resize(pixels, [height, width], antialias=True)


def _is_odd_png(encoded: bytes) -> bool:
    # Byte 24 of a PNG is the bit depth; a tRNS chunk, if there is one, comes before the first IDAT.
    return encoded[24:25] == b"\x10" or encoded.find(b"tRNS", 33, max(encoded.find(b"IDAT"), 33)) >= 0


def _decoder_problem(encoded: bytes, kind: str) -> str:
    """Why TensorFlow's decoder does not read the bytes; "" if it does."""
    import tensorflow as tf

    try:
        channels = tf.io.decode_image(encoded, channels=0, expand_animations=False).shape[-1]
    except tf.errors.OpError:
        return f"a truncated or corrupt {kind}"
    return "" if channels in (1, 2, 3, 4) else f"a {kind} with {channels} channels"


def _encoded_again(encoded: bytes, kind: str) -> tuple[bytes, str]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
            if image.mode.startswith("I"):
                # Pillow would clip 16 bits to 255; the decoder keeps the upper eight.
                return encode_png((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)), ""
            wanted = "L" if image.mode in GREY_MODES else "RGB"
            return encode_png(np.asarray(_without_alpha(image).convert(wanted))), ""
    except Exception:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more on broken files.
        return b"", f"a truncated or corrupt {kind}"


def _without_alpha(image: Any) -> Any:
    # With "transparency" left in, Pillow warns and may blend; without it a palette image keeps its colours.
    image.info.pop("transparency", None)
    return image
