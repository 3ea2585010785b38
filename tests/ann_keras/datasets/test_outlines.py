"""Masks, distances and key points of outlines at known places, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.datasets.outlines import CLASSES, Outline, box, disc, triangle


def drawn(outline: Outline, height: int, width: int) -> list[str]:
    return ["".join(".#"[int(pixel)] for pixel in row) for row in outline.distance(height, width) <= 0]


def test_the_mask_of_a_disc() -> None:
    # Centres of pixels lie 0.5, 1.5, ... from (3, 4) in y and x: 0.5^2 + 1.5^2 < 2^2 < 1.5^2 + 1.5^2.
    assert drawn(disc((3.0, 4.0), 2.0), 6, 8) == [
        "........",
        "...##...",
        "..####..",
        "..####..",
        "...##...",
        "........",
    ]


def test_the_edge_belongs_to_a_disc() -> None:
    assert drawn(disc((1.5, 1.5), 1.0), 3, 3) == [".#.", "###", ".#."]
    assert drawn(disc((1.5, 1.5), 0.99), 3, 3) == ["...", ".#.", "..."]


def test_the_mask_of_a_box() -> None:
    # From (1, 2) to (4, 7).
    assert drawn(box((2.5, 4.5), (1.5, 2.5)), 5, 8) == ["........", "..#####.", "..#####.", "..#####.", "........"]


def test_the_mask_of_a_box_on_its_corner() -> None:
    # A square of diagonal 6 about (3.5, 3.5): |dy| + |dx| <= 3, of whole numbers.
    side = 3 / np.sqrt(2) + 1e-9
    assert drawn(box((3.5, 3.5), (side, side), np.pi / 4), 7, 7) == [
        "...#...",
        "..###..",
        ".#####.",
        "#######",
        ".#####.",
        "..###..",
        "...#...",
    ]


def test_the_mask_of_a_triangle() -> None:
    # Below the line from (0, 1) to (4, 5), above y = 4, right of x = 1: x - 1 <= y.
    for corners in ([(0, 1), (4, 5), (4, 1)], [(4, 1), (4, 5), (0, 1)]):
        assert drawn(triangle(np.array(corners) + [(1e-9, 0)] * 3), 5, 6) == [
            "......",
            ".#....",
            ".##...",
            ".###..",
            "......",
        ]


def test_distances_are_in_pixels() -> None:
    assert disc((0.5, 0.5), 2.0).distance(4, 5)[3, 4] == pytest.approx(5 - 2)
    across = box((2.0, 2.0), (1.0, 1.0)).distance(4, 4)
    np.testing.assert_allclose(across[1], [0.5, -0.5, -0.5, 0.5])
    # The line through (0, 0) and (8, 8) is 7 / sqrt(2) from (0.5, 7.5).
    assert triangle(np.array([(0, 0), (8, 8), (8, 0)])).distance(8, 8)[0, 7] == pytest.approx(7 / np.sqrt(2))


def test_a_turned_box_keeps_its_sides() -> None:
    corners = box((10.0, 20.0), (3.0, 2.0), 0.3).corners
    np.testing.assert_allclose(np.hypot(*(np.roll(corners, -1, axis=0) - corners).T), [4, 6, 4, 6])
    np.testing.assert_allclose(corners.mean(axis=0), [10, 20])


def test_key_points() -> None:
    np.testing.assert_array_equal(disc((5.0, 6.0), 2.0).points(), [(5, 6), (3, 6), (5, 8)])
    np.testing.assert_allclose(box((5.0, 6.0), (2.0, 2.0), np.pi / 4).points()[1:, 0], [5 - np.sqrt(8), 5], rtol=1e-6)
    np.testing.assert_array_equal(triangle(np.array([(9, 0), (3, 5), (6, 10)])).points(), [(6, 5), (3, 5), (6, 10)])
    assert disc((5.0, 6.0), 2.0).points().dtype == np.float32


def test_moved() -> None:
    moved = triangle(np.array([(9, 0), (3, 5), (6, 10)])).moved(np.array([1.0, -2.0]))
    np.testing.assert_array_equal(moved.points(), [(7, 3), (4, 3), (7, 8)])
    np.testing.assert_array_equal(disc((5.0, 6.0), 2.0).moved(np.array([1.0, -2.0])).points()[0], (6, 4))
    assert CLASSES[moved.shape] == "triangle"


def test_light_from_above() -> None:
    above = (-1.0, 0.0)
    # A roof of four faces, seen from above: the upper looks into the light.
    roof = box((2.5, 2.5), (2.5, 2.5)).light(5, 5, above)
    np.testing.assert_allclose(roof[[0, 1, 3, 4], 2], [1, 1, -1, -1])
    np.testing.assert_allclose(roof[2, [0, 1, 3, 4]], 0, atol=1e-12)
    # A cone: the cosine of the angle from straight up.
    cone = disc((2.5, 2.5), 2.5).light(5, 5, above)
    np.testing.assert_allclose(cone[[0, 2, 4, 0], [2, 4, 2, 4]], [1, 0, -1, np.sqrt(0.5)], atol=1e-12)
