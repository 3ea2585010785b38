"""Scenes of discs, boxes and triangles that hide each other in part, drawn with everything that is known about them.

Places are (y, x) in pixels, as in `outlines`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from ann_keras.datasets import textures
from ann_keras.datasets.outlines import CLASSES, Outline, box, disc, triangle

LEAST_PIXELS = 20
LEAST_SHARE = 0.5
"""An object of which fewer pixels, or a lesser share of its pixels, would be visible is left out of its scene."""


@dataclass(frozen=True)
class Object:
    """An object of a scene: its outline, the name of its colour and of its texture (see `textures`)."""

    outline: Outline
    colour: str
    texture: str

    def __str__(self) -> str:
        words = [self.colour, self.texture, CLASSES[self.outline.shape]]
        article = "an" if self.colour[0] in "aeiou" else "a"
        return " ".join([article, *(word for word in words if word != "plain")])


@dataclass(frozen=True, eq=False)
class Layout:
    """What lies where, before it is painted.

    Attributes:
        objects: from the rearmost to the foremost, every one of them visible; no two have the same colour.
        whole: bool [objects, height, width], the pixels whose centre an object covers, hidden ones too.
        instances: uint8 [height, width], 0 for ground, k for a pixel where `objects[k - 1]` is the foremost.
    """

    objects: tuple[Object, ...]
    whole: np.ndarray
    instances: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """uint8 [objects], the index of each object's class."""
        return np.array([item.outline.shape for item in self.objects], np.uint8)

    @property
    def mask(self) -> np.ndarray:
        """uint8 [height, width], the index of each pixel's class."""
        return np.concatenate([[np.uint8(0)], self.classes])[self.instances]

    @property
    def boxes(self) -> np.ndarray:
        """float32 [objects, 4], y0, x0, y1 and x1 of the box that the visible pixels of an object just fill."""
        boxes = np.empty((len(self.objects), 4), np.float32)
        for place in range(len(self.objects)):
            visible = self.instances == place + 1
            rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
            boxes[place] = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
        return boxes

    @property
    def points(self) -> np.ndarray:
        """float32 [objects, 3, 2], the key points of each object in the order of `POINTS`."""
        return np.stack([item.outline.points() for item in self.objects])

    def caption(self) -> str:
        """The objects, the one with the most visible pixels first, and how each stands to the next."""
        areas = np.bincount(self.instances.ravel(), minlength=len(self.objects) + 1)[1:]
        order = np.argsort(-areas, kind="stable")
        words = [str(self.objects[order[0]])]
        for one, other in itertools.pairwise(order):
            words += [self.relation(one, other), str(self.objects[other])]
        return " ".join(words)

    def relation(self, one: int, other: int) -> str:
        """How an object stands to another, by their places in `objects`.

        Returns:
            "in front of" or "behind" where a pixel of the one hides the other; else "left of", "right of", "above" or
            "below", by the direction in which their centres differ more.
        """
        if (self.whole[other] & (self.instances == one + 1)).any():
            return "in front of"
        if (self.whole[one] & (self.instances == other + 1)).any():
            return "behind"
        (y, x), (other_y, other_x) = self.objects[one].outline.centre, self.objects[other].outline.centre
        if abs(x - other_x) >= abs(y - other_y):
            return "left of" if x < other_x else "right of"
        return "above" if y < other_y else "below"


@dataclass(frozen=True, eq=False)
class Scene:
    """A painted scene.

    Attributes:
        image: uint8 [height, width, 3], with the edges of objects smoothed.
        layout: what it shows.
        ground: one of `textures.GROUNDS`.
        caption: a sentence that is true of it: "a red striped disc left of a blue box on grainy ground".
    """

    image: np.ndarray
    layout: Layout
    ground: str
    caption: str


@dataclass(frozen=True)
class Scenes:
    """A generator of scenes, each of which follows from these settings and its number alone.

    Attributes:
        seed: 0 to 2^32 - 1.
        height, width: in pixels, 32 at least.
        most: objects in a scene are 1 to `most`, 7 at the most: as many as there are colours.
    """

    seed: int = 0
    height: int = 64
    width: int = 64
    most: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed={self.seed}: it is 0 to {2**32 - 1}")
        if min(self.height, self.width) < 32:
            raise ValueError(f"height={self.height}, width={self.width}: a scene has at least 32 x 32 pixels")
        if not 1 <= self.most <= len(textures.COLOURS):
            raise ValueError(f"most={self.most}: a scene has 1 to {len(textures.COLOURS)} objects at most")

    def layout(self, number: int) -> Layout:
        """What lies where in a scene, without painting it.

        Raises:
            ValueError: for a number outside 0 to 2^32 - 1.
        """
        rng = self._rng(number, 0)
        colours = rng.permutation(list(textures.COLOURS))[: rng.integers(1, self.most + 1)]
        hidden = np.zeros((self.height, self.width), bool)
        kept: list[tuple[Object, np.ndarray, np.ndarray]] = []
        # From the foremost: one that is left out uncovers nothing but what lies behind it.
        for colour in colours:
            item = Object(self._outline(rng), str(colour), textures.TEXTURES[rng.integers(len(textures.TEXTURES))])
            whole = item.outline.distance(self.height, self.width) <= 0
            visible = whole & ~hidden
            if visible.sum() >= max(LEAST_PIXELS, LEAST_SHARE * whole.sum()):
                kept.insert(0, (item, whole, visible))
                hidden |= whole
        instances = np.zeros((self.height, self.width), np.uint8)
        for place, (_, _, visible) in enumerate(kept):
            instances[visible] = place + 1
        return Layout(tuple(item for item, _, _ in kept), np.stack([whole for _, whole, _ in kept]), instances)

    def scene(self, number: int) -> Scene:
        """Lays a scene out and paints it.

        Raises:
            ValueError: for a number outside 0 to 2^32 - 1.
        """
        layout, rng = self.layout(number), self._rng(number, 1)
        ground = textures.GROUNDS[rng.integers(len(textures.GROUNDS))]
        image = textures.ground(rng, ground, self.height, self.width)
        for item in layout.objects:
            surface = textures.surface(rng, item.texture, item.colour, self.height, self.width)
            light = item.outline.light(self.height, self.width, textures.LIGHT).astype(np.float32)
            surface *= 1 + np.float32(textures.RELIEF) * light[..., None]
            # The share of a pixel that a straight edge at this distance from its centre leaves to the object.
            cover = np.clip(0.5 - item.outline.distance(self.height, self.width), 0, 1).astype(np.float32)
            image += cover[..., None] * (surface - image)
        return Scene(textures.finish(rng, image), layout, ground, f"{layout.caption()} on {ground} ground")

    def _rng(self, number: int, stream: int) -> np.random.Generator:
        if not 0 <= number < 2**32:
            raise ValueError(f"number={number}: scenes are numbered 0 to {2**32 - 1}")
        return np.random.default_rng((self.seed, number, stream))

    def _outline(self, rng: np.random.Generator) -> Outline:
        """A shape of random kind, size and angle that lies wholly inside the image."""
        shape, place, angle = CLASSES[rng.integers(1, len(CLASSES))], rng.random(2), rng.uniform(0, 2 * np.pi)
        side = min(self.height, self.width)
        room = np.array([self.height, self.width])
        if shape == "disc":
            radius = side * rng.uniform(0.16, 0.28)
            y, x = (radius + place * (room - 2 * radius)).tolist()
            return disc((y, x), radius)
        if shape == "box":
            longer = side * rng.uniform(0.17, 0.28)
            drawn = box((0.0, 0.0), (longer, longer * rng.uniform(0.55, 1)), angle)
        else:
            angles = angle + np.deg2rad(np.array([0, 120, 240]) + rng.uniform(-18, 18, 3))
            drawn = triangle(side * rng.uniform(0.26, 0.38) * np.stack([np.sin(angles), np.cos(angles)], axis=1))
        low, high = drawn.corners.min(axis=0), drawn.corners.max(axis=0)
        return drawn.moved(place * (room - (high - low)) - low)
