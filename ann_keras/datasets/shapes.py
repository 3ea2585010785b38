"""1,600 drawn scenes of discs, boxes and triangles with exact masks, instances, boxes, key points and captions.

They are drawn when they are read (see `scenes`): no download, and nothing on disk.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ann_keras.datasets import images, masks
from ann_keras.datasets.base import Dataset, Index, Row, Shard
from ann_keras.datasets.outlines import CLASSES, POINTS
from ann_keras.datasets.scenes import Scenes
from ann_keras.task import Feature

COUNT = 1600
SHARD_ROWS = 150

PALETTE = ((64, 64, 72), (230, 85, 60), (60, 120, 220), (245, 190, 50))
"""Colours of `CLASSES` in a drawn mask."""

FINGERPRINTED = 4
"""So many scenes tell whether scenes are drawn otherwise than before."""


@dataclass(frozen=True)
class ShapesShard(Shard):
    """Scenes [start, stop)."""

    start: int
    stop: int
    scenes: Scenes

    def read(self) -> Iterator[Row]:
        """Yields the rows, drawn and encoded as PNG."""
        for number in range(self.start, self.stop):
            scene = self.scenes.scene(number)
            values = {
                "image": images.encode_png(scene.image),
                "mask": images.encode_png(scene.layout.mask),
                "instances": images.encode_png(scene.layout.instances),
                "boxes": scene.layout.boxes,
                "object_classes": scene.layout.classes.astype(np.float32),
                "points": scene.layout.points,
                "caption": scene.caption.encode(),
            }
            yield Row(key(number), values)


class Shapes(Dataset):
    """The embedded default of what looks at every pixel or object: no official split.

    Args:
        count: the number of scenes.
        scenes: what draws them.

    Raises:
        ValueError: for a count below 1.
    """

    name = "shapes"
    description = "Drawn scenes of overlapping discs, boxes and triangles in several colours and textures."
    licence = "MIT"

    def __init__(self, count: int = COUNT, scenes: Scenes | None = None) -> None:
        if count < 1:
            raise ValueError(f"count={count}: there is 1 scene at least")
        self.count = count
        self.scenes = scenes or Scenes()
        self.features = _features(self.scenes.height, self.scenes.width)

    def fingerprint(self) -> str:
        """The digest of the count, the generator's settings and the first scenes."""
        settings = json.dumps([self.count, dataclasses.asdict(self.scenes)])
        digest = hashlib.blake2b(settings.encode(), digest_size=8)
        for number in range(min(FINGERPRINTED, self.count)):
            scene = self.scenes.scene(number)
            for array in (scene.image, scene.layout.instances, scene.layout.classes, scene.layout.points):
                digest.update(array.tobytes())
            digest.update(scene.caption.encode())
        return digest.hexdigest()

    def index(self) -> Index:
        """Keys, the classes that each scene holds, and no official split; nothing is painted."""
        labels, contains = masks.index_of(_counts(self.scenes, self.count))
        keys = np.array([key(number) for number in range(self.count)])
        return Index(keys, labels, np.full(self.count, "", dtype=object), names=CLASSES, contains=contains)

    def shards(self) -> Sequence[Shard]:
        """Runs of `SHARD_ROWS` scenes."""
        starts = range(0, self.count, SHARD_ROWS)
        return [ShapesShard(start, min(start + SHARD_ROWS, self.count), self.scenes) for start in starts]


def load() -> Dataset:
    """Opens the scenes."""
    return Shapes()


def key(number: int) -> str:
    """The key of a scene, by its number."""
    return f"shapes/{number:04d}"


@functools.cache
def _counts(scenes: Scenes, count: int) -> np.ndarray:
    """int64 [count, classes], the pixels of each class in each scene."""
    flat = (scenes.layout(number).mask.ravel() for number in range(count))
    return np.stack([np.bincount(mask, minlength=len(CLASSES)) for mask in flat])


def _features(height: int, width: int) -> dict[str, Feature]:
    points = ", ".join(POINTS)
    features = (
        Feature("image", "image", (height, width, 3), "uint8", description="A drawn scene."),
        Feature("mask", "mask", (height, width), "uint8", CLASSES, "What every pixel shows.", palette=PALETTE),
        Feature(
            "instances",
            "mask",
            (height, width),
            "uint8",
            description="The object that every pixel shows, 1 for the rearmost; 0 for ground.",
        ),
        Feature(
            "boxes",
            "tensor",
            (None, 4),
            "float32",
            description="y0, x0, y1 and x1 of the visible part of each object, in pixels; in the order of instances.",
        ),
        Feature("object_classes", "tensor", (None,), "float32", description="Each object's class, as in the mask."),
        Feature(
            "points",
            "tensor",
            (None, len(POINTS), 2),
            "float32",
            description=f"The places (y, x) of each object's key points ({points}), hidden or not, in pixels.",
        ),
        Feature("caption", "text", (), "string", description="What the scene shows, in words."),
    )
    return {feature.name: feature for feature in features}
