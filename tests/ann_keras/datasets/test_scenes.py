"""What is known of a scene agrees with what it shows."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.datasets import textures
from ann_keras.datasets.outlines import CLASSES, box, disc
from ann_keras.datasets.scenes import LEAST_PIXELS, LEAST_SHARE, Layout, Object, Scenes

NUMBERS = st.integers(0, 2**32 - 1)
GENERATORS = st.builds(Scenes, NUMBERS, st.integers(32, 80), st.integers(32, 80), st.integers(1, 7))
RELATIONS = ("in front of", "behind", "left of", "right of", "above", "below")


@settings(max_examples=40, deadline=None)
@given(GENERATORS, NUMBERS)
def test_a_layout_is_exact(scenes: Scenes, number: int) -> None:
    layout = scenes.layout(number)
    count = len(layout.objects)
    assert 1 <= count <= scenes.most
    assert layout.instances.shape == layout.mask.shape == (scenes.height, scenes.width)
    assert (layout.instances.dtype, layout.mask.dtype, layout.boxes.dtype, layout.points.dtype) == (
        np.uint8,
        np.uint8,
        np.float32,
        np.float32,
    )
    np.testing.assert_array_equal(layout.instances == 0, layout.mask == 0)
    for place, item in enumerate(layout.objects):
        visible = layout.instances == place + 1
        whole = item.outline.distance(scenes.height, scenes.width) <= 0
        np.testing.assert_array_equal(visible, whole & ~layout.whole[place + 1 :].any(axis=0))
        assert visible.sum() >= max(LEAST_PIXELS, LEAST_SHARE * whole.sum())
        assert set(layout.mask[visible]) == {layout.classes[place]} == {item.outline.shape}
        check_box(layout.boxes[place], visible)
    assert len({item.colour for item in layout.objects}) == count


def check_box(bounds: np.ndarray, visible: np.ndarray) -> None:
    y0, x0, y1, x1 = bounds.astype(int)
    inside = visible[y0:y1, x0:x1]
    assert inside.sum() == visible.sum()
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


@settings(max_examples=40, deadline=None)
@given(GENERATORS, NUMBERS)
def test_key_points_lie_on_the_object_and_in_the_image(scenes: Scenes, number: int) -> None:
    layout = scenes.layout(number)
    assert layout.points.min() >= 0
    assert (layout.points <= [scenes.height, scenes.width]).all()
    for whole, (centre, top, right) in zip(layout.whole, layout.points, strict=True):
        rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
        assert whole[int(centre[0]), int(centre[1])]
        # A corner may be so sharp that the first pixel whose centre it holds is some pixels on.
        assert -0.51 <= rows[0] - top[0] <= 4
        assert -0.51 <= right[1] - (columns[-1] + 1) <= 4


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS)
def test_a_caption_is_true(seed: int, number: int) -> None:
    scene = Scenes(seed, most=7).scene(number)
    sentence, ground = re.fullmatch(r"(.*) on (\w+) ground", scene.caption).groups()  # type: ignore[union-attr]
    assert ground == scene.ground
    words = re.split(f" ({'|'.join(RELATIONS)}) ", sentence)
    layout = scene.layout
    named = [named_object(layout, phrase) for phrase in words[::2]]
    assert sorted(named) == list(range(len(layout.objects)))
    areas = np.bincount(layout.instances.ravel(), minlength=len(named) + 1)[1:][named]
    assert (np.diff(areas) <= 0).all()
    for one, relation, other in zip(named, words[1::2], named[1:], strict=False):
        assert holds(layout, one, relation, other)


def named_object(layout: Layout, phrase: str) -> int:
    """The place of the only object that a phrase fits."""
    article, colour, *texture, shape = phrase.split()
    assert (article == "an") == (colour == "orange")
    wanted = (CLASSES.index(shape), colour, texture[0] if texture else "plain")
    (place,) = [
        place for place, item in enumerate(layout.objects) if (item.outline.shape, item.colour, item.texture) == wanted
    ]
    return place


def holds(layout: Layout, one: int, relation: str, other: int) -> bool:
    if relation in ("in front of", "behind"):
        front, back = (one, other) if relation == "in front of" else (other, one)
        return front > back and bool((layout.whole[front] & layout.whole[back]).any())
    up, left = layout.points[other, 0] - layout.points[one, 0]
    upright = relation in ("above", "below")
    ahead = {"above": up, "below": -up, "left of": left, "right of": -left}[relation]
    return bool(ahead >= 0 and (abs(up) >= abs(left) if upright else abs(left) >= abs(up)))


def layout_of(*objects: Object) -> Layout:
    whole = np.stack([item.outline.distance(16, 16) <= 0 for item in objects])
    instances = np.zeros((16, 16), np.uint8)
    for place, pixels in enumerate(whole):
        instances[pixels] = place + 1
    return Layout(objects, whole, instances)


def test_relations_and_words() -> None:
    red, blue = Object(disc((4.0, 4.0), 3.0), "red", "striped"), Object(box((5.0, 12.0), (2.0, 2.0)), "blue", "plain")
    apart = layout_of(red, blue)
    assert apart.caption() == "a red striped disc left of a blue box"
    assert (apart.relation(1, 0), apart.relation(0, 1)) == ("right of", "left of")
    above = layout_of(red, Object(disc((12.0, 5.0), 2.0), "orange", "checked"))
    assert (above.relation(0, 1), above.relation(1, 0)) == ("above", "below")
    assert str(above.objects[1]) == "an orange checked disc"
    hidden = layout_of(red, Object(box((6.0, 6.0), (2.0, 2.0)), "blue", "speckled"))
    assert (hidden.relation(0, 1), hidden.relation(1, 0)) == ("behind", "in front of")
    np.testing.assert_array_equal(hidden.boxes[1], [4, 4, 8, 8])


def test_a_scene_follows_from_seed_and_number_alone() -> None:
    forwards = [Scenes(3).scene(number) for number in range(5)]
    backwards = [Scenes(3).scene(number) for number in reversed(range(5))][::-1]
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.layout.instances, other.layout.instances)
        np.testing.assert_array_equal(one.layout.instances, Scenes(3).layout(forwards.index(one)).instances)
        assert one.caption == other.caption
    assert not np.array_equal(forwards[0].image, forwards[1].image)
    assert not np.array_equal(forwards[0].image, Scenes(4).scene(0).image)
    # numpy's own stream, which is the same everywhere, drawn in another process
    code = "from ann_keras.datasets.scenes import Scenes; print(Scenes(3).scene(4).image.tobytes().hex())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == forwards[4].image.tobytes().hex()


def test_an_object_has_its_colour_and_the_ground_has_none() -> None:
    """Far inside a plain object the image is its colour, but for light and noise; ground is greyer than any object."""
    plain = 0
    for number in range(60):
        scene = Scenes().scene(number)
        for place, item in enumerate(scene.layout.objects):
            inner = (item.outline.distance(64, 64) < -1) & (scene.layout.instances == place + 1)
            others = np.delete(scene.layout.whole, place, axis=0).any(axis=0)
            if item.texture != "plain" or (inner & ~others).sum() < 20:
                continue
            plain += 1
            seen = scene.image[inner & ~others].mean(axis=0)
            nearest = min(textures.COLOURS, key=lambda name: np.abs(seen - textures.COLOURS[name]).sum())
            assert nearest == item.colour
        ground = scene.image[np.minimum.reduce([o.outline.distance(64, 64) for o in scene.layout.objects]) > 2]
        assert np.ptp(ground.astype(float).mean(axis=0)) < 40
    assert plain >= 10


def test_colour_and_texture_tell_nothing_of_the_class() -> None:
    """Every class in every colour and texture, each about as often as independence says."""
    layouts = [Scenes().layout(number) for number in range(600)]
    objects = [item for layout in layouts for item in layout.objects]
    for names, attribute in ((list(textures.COLOURS), "colour"), (list(textures.TEXTURES), "texture")):
        table = np.zeros((3, len(names)))
        for item in objects:
            table[item.outline.shape - 1, names.index(getattr(item, attribute))] += 1
        expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
        # chi squared of 12 and 6 degrees of freedom: 32.9 and 22.5 at 0.001
        assert ((table - expected) ** 2 / expected).sum() < (32.9 if attribute == "colour" else 22.5)
        assert table.min() > 25


def test_a_larger_scene_is_drawn_to_scale() -> None:
    areas = [
        np.mean([(Scenes(0, side, side, 1).layout(number).mask > 0).mean() for number in range(40)])
        for side in (64, 256)
    ]
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


@pytest.mark.parametrize("kind", textures.GROUNDS)
def test_the_ground(kind: str) -> None:
    painted = textures.ground(np.random.default_rng(0), kind, 48, 64)
    assert (painted.shape, painted.dtype) == ((48, 64, 3), np.float32)
    assert painted.min() >= 0 and painted.max() <= 255
    steps = np.abs(np.diff(painted, axis=1)).mean()
    assert (steps > 5) == (kind == "grainy")
    assert painted.std(axis=(0, 1)).min() > 2


@pytest.mark.parametrize("texture", textures.TEXTURES)
def test_surfaces(texture: str) -> None:
    painted = textures.surface(np.random.default_rng(1), texture, "blue", 64, 64)
    assert (painted.shape, painted.dtype) == ((64, 64, 3), np.float32)
    assert painted.min() >= 0 and painted.max() <= 255
    blue = painted[..., 2]
    assert (blue >= painted[..., 0]).all()
    # Stripes and checks are as much the one tone as the other; a quarter is speckles, of the lighter or the darker.
    light = (blue > (blue.min() + blue.max()) / 2).mean()
    share = min(light, 1 - light)
    assert {"plain": share == 0, "speckled": 0.2 < share < 0.3}.get(texture, share > 0.4)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"seed": -1}, "seed=-1: it is 0 to 4294967295"),
        ({"height": 31}, "height=31, width=64: a scene has at least 32 x 32 pixels"),
        ({"most": 8}, "most=8: a scene has 1 to 7 objects at most"),
        ({"most": 0}, "most=0: "),
    ],
)
def test_bad_settings(bad: dict[str, int], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(says)}"):
        Scenes(**bad)


def test_a_bad_number() -> None:
    with pytest.raises(ValueError, match="number=-1: scenes are numbered 0 to 4294967295"):
        Scenes().scene(-1)
