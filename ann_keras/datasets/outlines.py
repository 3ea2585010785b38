"""Outlines of discs, boxes and triangles: exact masks by the pixels' centres, and key points.

A place is (y, x) in pixels from the top left corner of the image, y downwards: the pixel in row i and column j reaches
from i to i + 1 and from j to j + 1, and has its centre at (i + 0.5, j + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASSES = ("ground", "disc", "box", "triangle")
"""By class index, as in masks."""

POINTS = ("centre", "top", "right")
"""The key points of an object, of the whole of it, be it hidden or not.

Disc: its centre, and the top-most and the right-most place of its edge. Box and triangle: the mean of the corners, and
the top-most and the right-most corner, which may be one and the same.
"""


@dataclass(frozen=True)
class Outline:
    """The edge of an object, which belongs to it.

    Attributes:
        shape: index in `CLASSES`, 1 to 3.
        centre: (y, x): of the disc, or the mean of the corners.
        radius: of a disc, in pixels; 0 for a polygon.
        corners: float64 [corners, 2] of a convex polygon in their order round it; [0, 2] for a disc.
    """

    shape: int
    centre: tuple[float, float]
    radius: float
    corners: np.ndarray

    def distance(self, height: int, width: int) -> np.ndarray:
        """How far outside the edge each pixel's centre lies, in pixels, float64 [height, width]; negative inside.

        Beyond a corner of a polygon it is the distance from the further of the two lines that meet there: less.
        """
        if self.radius:
            return np.hypot(*self._from_centre(height, width)) - self.radius
        normals, offsets = self._lines()
        y, x = self._from_centre(height, width)
        return np.maximum.reduce([ny * y + nx * x - offset for (ny, nx), offset in zip(normals, offsets, strict=True)])

    def light(self, height: int, width: int, towards: tuple[float, float]) -> np.ndarray:
        """How the object is lit if it rises from its edge like a tent: a cone, or a roof with a face for every edge.

        Args:
            height: of the image, in pixels.
            width: in pixels.
            towards: (y, x), the direction that the light comes from, of length 1.

        Returns:
            float64 [height, width] in [-1, 1]: the cosine of the angle between `towards` and the way down to the edge.
        """
        y, x = self._from_centre(height, width)
        if self.radius:
            return (towards[0] * y + towards[1] * x) / np.maximum(np.hypot(y, x), 1e-9)
        normals, offsets = self._lines()
        planes = [ny * y + nx * x - offset for (ny, nx), offset in zip(normals, offsets, strict=True)]
        return (normals @ towards)[np.argmax(planes, axis=0)]

    def _from_centre(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """(y, x) of the pixels' centres from the outline's, float64 [height, 1] and [1, width]."""
        return np.arange(height)[:, None] + 0.5 - self.centre[0], np.arange(width)[None] + 0.5 - self.centre[1]

    def _lines(self) -> tuple[np.ndarray, np.ndarray]:
        """The lines through a polygon's edges: outward normals (y, x), [edges, 2], and distances from the centre."""
        edges = np.roll(self.corners, -1, axis=0) - self.corners
        normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1) / np.hypot(*edges.T)[:, None]
        offsets = ((self.corners - self.centre) * normals).sum(axis=1)
        return normals * np.sign(offsets)[:, None], np.abs(offsets)

    def moved(self, by: np.ndarray) -> Outline:
        """The same outline elsewhere, by (y, x) pixels."""
        y, x = (np.asarray(self.centre) + by).tolist()
        return Outline(self.shape, (y, x), self.radius, self.corners + by)

    def points(self) -> np.ndarray:
        """The key points in the order of `POINTS`, float32 [3, 2]."""
        if self.radius:
            y, x = self.centre
            top, right = (y - self.radius, x), (y, x + self.radius)
        else:
            top, right = self.corners[self.corners[:, 0].argmin()], self.corners[self.corners[:, 1].argmax()]
        return np.array([self.centre, top, right], np.float32)


def disc(centre: tuple[float, float], radius: float) -> Outline:
    """A disc, by its centre (y, x) and its radius in pixels."""
    return Outline(CLASSES.index("disc"), centre, radius, np.zeros((0, 2)))


def box(centre: tuple[float, float], half_sides: tuple[float, float], angle: float = 0.0) -> Outline:
    """A rectangle, by its centre (y, x), half of its sides in pixels, and the angle in radians that it is turned by."""
    sine, cosine = np.sin(angle), np.cos(angle)
    square = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * half_sides
    return Outline(CLASSES.index("box"), centre, 0.0, square @ np.array([(cosine, sine), (-sine, cosine)]) + centre)


def triangle(corners: np.ndarray) -> Outline:
    """A triangle, by its corners (y, x), [3, 2]."""
    corners = np.asarray(corners, np.float64)
    y, x = corners.mean(axis=0).tolist()
    return Outline(CLASSES.index("triangle"), (y, x), 0.0, corners)
