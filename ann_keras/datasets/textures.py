"""What drawn scenes are painted with: the ground behind everything, and the surfaces of objects."""

from __future__ import annotations

import numpy as np

GROUNDS = ("mottled", "shaded", "grainy")
"""Smooth noise, a gradient from one side to the other, and grain of one pixel."""

TEXTURES = ("plain", "striped", "checked", "speckled")

COLOURS = {
    "red": (208, 44, 46),
    "orange": (240, 136, 32),
    "yellow": (240, 214, 64),
    "green": (52, 160, 72),
    "blue": (44, 98, 212),
    "purple": (134, 66, 176),
    "pink": (240, 130, 180),
}
"""Red, green and blue of an object's main tone, 0 to 255, before it is lightened or darkened a little."""

NOISE = 3.0
"""Standard deviation of what every pixel and channel of an image is off by, of 255."""


LIGHT = (-0.8, -0.6)
"""Light falls from the upper left: the direction (y, x) that it comes from."""

RELIEF = 0.25
"""The share by which the faces of an object that look into the light are lighter, and those that look away darker."""


def ground(rng: np.random.Generator, kind: str, height: int, width: int) -> np.ndarray:
    """Paints the ground: two greyish tones, mixed as its kind says.

    Args:
        rng: what is drawn from.
        kind: one of `GROUNDS`.
        height: in pixels.
        width: in pixels.

    Returns:
        float32 [height, width, 3] in [0, 255].
    """
    grey = rng.uniform(75, 180)
    first = grey + rng.uniform(-16, 16, 3)
    second = grey + rng.choice((-1, 1)) * rng.uniform(30, 50) + rng.uniform(-16, 16, 3)
    if kind == "mottled":
        mix = _smooth_noise(rng, height, width, int(rng.integers(4, 9)))
    elif kind == "shaded":
        mix = _ramp(height, width, rng.uniform(0, 2 * np.pi))
    else:
        mix = rng.random((height, width), np.float32)
    return _mixed(first, second, mix)


def surface(rng: np.random.Generator, texture: str, colour: str, height: int, width: int) -> np.ndarray:
    """Paints the surface of an object, as if it filled the whole image: its colour and a lighter or darker tone of it.

    Args:
        rng: what is drawn from.
        texture: one of `TEXTURES`.
        colour: a key of `COLOURS`.
        height: in pixels; stripes and checks are 2.5 to 4 pixels wide in an image of 64 pixels.
        width: in pixels.

    Returns:
        float32 [height, width, 3] in [0, 255].
    """
    main = np.array(COLOURS[colour]) * rng.uniform(0.9, 1.05)
    other = main * 0.65 if rng.random() < 0.5 else main + 0.45 * (255 - main)
    angle = rng.uniform(0, np.pi)
    step = rng.uniform(2.5, 4) * min(height, width) / 64
    if texture == "plain":
        mix = np.zeros((height, width), np.float32)
    elif texture == "striped":
        mix = _soft(_wave(height, width, angle, step))
    elif texture == "checked":
        mix = _soft(_wave(height, width, angle, step) * _wave(height, width, angle + np.pi / 2, step))
    else:
        mix = (rng.random((height, width), np.float32) < 0.25).astype(np.float32)
    return _mixed(main, other, mix)


def finish(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Adds `NOISE` to float32 [height, width, 3] and rounds to uint8."""
    noisy = image + np.float32(NOISE) * rng.standard_normal(image.shape, np.float32)
    return np.rint(np.clip(noisy, 0, 255)).astype(np.uint8)


def _mixed(first: np.ndarray, second: np.ndarray, mix: np.ndarray) -> np.ndarray:
    start, end = (np.clip(colour, 0, 255).astype(np.float32) for colour in (first, second))
    return start + mix[..., None] * (end - start)


def _centres(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32) + np.float32(0.5)


def _ramp(height: int, width: int, angle: float) -> np.ndarray:
    """float32 [height, width], from 0 to 1 in the direction of `angle`."""
    along = np.float32(np.sin(angle)) * _centres(height)[:, None] + np.float32(np.cos(angle)) * _centres(width)
    return (along - along.min()) / np.ptp(along)


def _wave(height: int, width: int, angle: float, step: float) -> np.ndarray:
    """float32 [height, width] in [-1, 1], of which every half wave is `step` pixels long."""
    along = np.float32(np.sin(angle)) * _centres(height)[:, None] + np.float32(np.cos(angle)) * _centres(width)
    return np.sin(along * np.float32(np.pi / step))


def _soft(wave: np.ndarray) -> np.ndarray:
    """A wave as 0 and 1, with an edge about a pixel wide between them."""
    return np.clip(0.5 + 1.5 * wave, 0, 1)


def _smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """float32 [height, width] in [0, 1]: random values at the corners of cells x cells cells, eased between them."""
    corners = rng.random((cells + 1, cells + 1), np.float32)
    return _easing(height, cells) @ corners @ _easing(width, cells).T


def _easing(pixels: int, cells: int) -> np.ndarray:
    """float32 [pixels, cells + 1]: the weights of the two corners that a pixel's centre lies between; 3 t^2 - 2 t^3."""
    place = _centres(pixels) * cells / pixels
    corner = place.astype(np.int64)
    t = place - corner
    weights = np.zeros((pixels, cells + 1), np.float32)
    rows = np.arange(pixels)
    weights[rows, corner + 1] = t * t * (3 - 2 * t)
    weights[rows, corner] = 1 - weights[rows, corner + 1]
    return weights
