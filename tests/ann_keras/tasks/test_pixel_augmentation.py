"""Distortions of pictures and masks: against values worked out by hand, and picture and mask against each other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.task import VOID, Tensors
from ann_keras.tasks import pixel_augmentation
from ann_keras.tasks.pixel_augmentation import augment, cut_patches, flip, mask_pixels, random_crop
from ann_keras.tasks.pixel_sampling import mirror, warp

SEED = tf.constant([3, 4])

PARTS: dict[str, Callable[[Tensors, Any], Tensors]] = {
    "flip": functools.partial(flip, kind="flip"),
    "dihedral": functools.partial(flip, kind="dihedral"),
    "affine": functools.partial(pixel_augmentation.affine, rotation=30, scale=0.3),
    "elastic": functools.partial(pixel_augmentation.elastic, deviation=4),
    "brightness": functools.partial(pixel_augmentation.change_brightness, amount=0.4),
    "crop": functools.partial(random_crop, size=9),
    "share": functools.partial(mask_pixels, share=0.5),
    "patches": functools.partial(cut_patches, count=2, size=5),
    "all": functools.partial(
        augment,
        kind="dihedral",
        elastic=3.0,
        rotation=10.0,
        scale=0.1,
        brightness=0.1,
        crop=12,
        pixel_share=0.8,
        patches=3,
        patch_size=7,
        balance="classes",
    ),
}


def scenes(batch: int = 3, height: int = 16, width: int = 16) -> Tensors:
    """Pictures of two channels: the pixel's number in its batch, and its label; the weight is the number too."""
    number = np.arange(batch * height * width, dtype=np.float32).reshape(batch, height, width)
    mask = np.random.default_rng(0).integers(0, 3, number.shape).astype(np.uint8)
    image = np.stack([number, mask], axis=-1).astype(np.float32)
    return {"image": tf.constant(image), "mask": tf.constant(mask), "weight": tf.constant(number)}


@pytest.mark.parametrize("part", PARTS)
def test_a_seed_gives_one_answer_and_another_seed_another(part: str) -> None:
    tensors = {**scenes(), "name": tf.constant(["a", "b", "c"])}
    first, again, other = (PARTS[part](tensors, tf.constant(seed)) for seed in ([1, 2], [1, 2], [2, 2]))
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert any(np.any(first[name] != other[name]) for name in ("image", "weight"))
    assert first["mask"].dtype == tf.uint8
    assert first["image"].shape[:3] == first["mask"].shape == first["weight"].shape
    assert len(first["name"]) == len(first["image"])


@pytest.mark.parametrize("part", ["all", "crop"])
def test_the_same_in_a_graph_that_knows_no_sizes(part: str) -> None:
    unknown = {
        "image": tf.TensorSpec((None, None, None, 2)),
        "mask": tf.TensorSpec((None, None, None), tf.uint8),
        "weight": tf.TensorSpec((None, None, None)),
    }
    tensors = scenes(height=11)
    expected = PARTS[part](tensors, SEED)
    found = tf.function(PARTS[part], input_signature=[unknown, tf.TensorSpec((2,), tf.int32)])(tensors, SEED)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-4)


def test_all_off_is_the_batch_itself() -> None:
    tensors = scenes()
    assert augment(tensors, SEED) is tensors


@pytest.mark.parametrize("part", ["elastic", "affine"])
def test_a_field_of_zeros_moves_nothing(part: str) -> None:
    tensors = scenes(height=7, width=12)
    off = {"elastic": {"deviation": 0.0}, "affine": {"rotation": 0.0, "scale": 0.0}}[part]
    found = getattr(pixel_augmentation, part)(tensors, SEED, **off)
    for name in ("mask", "weight"):
        np.testing.assert_array_equal(found[name], tensors[name])
    np.testing.assert_allclose(found["image"], tensors["image"], rtol=1e-5, atol=1e-4)


def test_reading_between_pixels_by_hand() -> None:
    """At row 0.25 and column 1.5 of 0 1 2 / 10 11 12: 0.75 * 1.5 + 0.25 * 11.5 = 4; the nearest pixel is 2."""
    image = tf.constant([[0, 1, 2], [10, 11, 12]], tf.float32)[None, ..., None]
    tensors = {"image": image, "mask": tf.cast(image[..., 0], tf.uint8), "weight": image[..., 0] / 2}
    found = warp(tensors, tf.constant([[[0.25, 1]]]), tf.constant([[[1.5, 2]]]))
    assert found["image"][0, 0, :, 0].numpy().tolist() == [4, 12]
    assert found["mask"][0, 0].numpy().tolist() == [2, 12]
    assert found["weight"][0, 0].numpy().tolist() == [1, 6]


def test_borders_are_mirrored_and_not_repeated() -> None:
    at = tf.constant([-4, -1, 0, 2, 3, 4.5, 7])
    np.testing.assert_allclose(mirror(at, 4), [2, 1, 0, 2, 3, 1.5, 1], atol=1e-6)
    assert mirror(at, 1).numpy().tolist() == [0] * 7


@pytest.mark.parametrize("part", ["flip", "dihedral", "affine", "elastic", "crop"])
def test_a_mask_made_from_the_image_still_agrees_with_it(part: str) -> None:
    """Where the image is read between two labels a threshold may fall either way, so a wide ramp between them counts
    for nothing."""
    rows, columns = np.mgrid[:48, :48]
    inside = 8 - np.hypot(rows - 20, columns - 27)
    image = np.stack([inside, inside[::-1]]).astype(np.float32)
    tensors = {"image": tf.constant(image[..., None]), "mask": tf.constant((image > 0).astype(np.uint8))}
    moved = PARTS[part](tensors, SEED)
    found = moved["image"][..., 0].numpy()
    clear = np.abs(found) > 1.5
    assert clear.mean() > 0.7
    np.testing.assert_array_equal((found > 0)[clear], moved["mask"].numpy()[clear] == 1)
    assert np.any(found != image[:, : found.shape[1], : found.shape[2]])


def test_every_pixel_keeps_its_weight_and_its_label() -> None:
    """The weight is the pixel's number, by which its label is looked up."""
    tensors = scenes()
    labels = tensors["mask"].numpy().ravel()
    for part in ("dihedral", "affine", "elastic", "crop"):
        found = PARTS[part](tensors, SEED)
        np.testing.assert_array_equal(labels[found["weight"].numpy().astype(int)], found["mask"])


def test_dihedral_gives_the_eight_symmetries_equally_often() -> None:
    square = tf.constant([[[0, 1], [2, 3]]], tf.uint8)
    batch = {"mask": tf.tile(square, [4000, 1, 1])}
    batch["image"] = tf.cast(batch["mask"], tf.float32)[..., None]
    found, counts = np.unique(flip(batch, SEED, "dihedral")["mask"].numpy().reshape(-1, 4), axis=0, return_counts=True)
    assert len(found) == 8
    assert np.all(np.abs(counts - 500) < 5 * np.sqrt(500))
    found = np.unique(flip(batch, SEED, "flip")["mask"].numpy().reshape(-1, 4), axis=0)
    assert found.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2]]


def test_a_picture_that_is_no_square_keeps_its_shape() -> None:
    tensors = scenes(batch=200, height=2, width=3)
    found = flip(tensors, SEED, "dihedral")
    turned = found["weight"].numpy() - tensors["weight"].numpy().min(axis=(1, 2), keepdims=True)
    assert len(np.unique(turned.reshape(200, 6), axis=0)) == 4


def test_elastic_displacements_have_the_deviation_that_is_asked_for() -> None:
    """At the middle of three nodes the field is the node; columns of a ramp are read where it points."""
    ramp = tf.tile(tf.range(301, dtype=tf.float32)[None, None, :, None], [300, 3, 1, 1])
    found = pixel_augmentation.elastic({"image": ramp}, SEED, 10)["image"][:, 1, 150, 0].numpy() - 150
    assert abs(found.mean()) < 5 * 10 / np.sqrt(300)
    assert found.std() == pytest.approx(10, rel=5 / np.sqrt(600))


def test_elastic_fields_are_smooth() -> None:
    """Keys's cubic bends by at most 5 at its node, 4 beside it and 2 further away, so nodes of 3.5 deviations 32 pixels
    apart give second differences below 14 * 13 / 32^2; straight lines between them would break at the nodes by more."""
    ramp = tf.tile(tf.range(96, dtype=tf.float32)[None, None, :, None], [8, 96, 1, 1])
    inner = pixel_augmentation.elastic({"image": ramp}, SEED, 4)["image"][:, :, 24:-24, 0]
    for axis in (1, 2):
        assert 0 < np.abs(np.diff(inner, 2, axis=axis)).max() < 14 * 13 / 32**2


def test_affine_by_hand() -> None:
    """A point 10 to the right of the centre stays on its circle within the angle, and moves by the scale alone."""
    image = np.zeros((200, 41, 41, 1), np.float32)
    image[:, 20, 30] = 1
    rows, columns = np.mgrid[:41, :41] - 20

    def moved(**how: float) -> tuple[np.ndarray, np.ndarray]:
        found = pixel_augmentation.affine({"image": tf.constant(image)}, SEED, **how)["image"][..., 0].numpy()
        total = found.sum((1, 2))
        row, column = (np.sum(found * axis, (1, 2)) / total for axis in (rows, columns))
        return np.hypot(row, column), np.degrees(np.arctan2(row, column))

    radius, angle = moved(rotation=30, scale=0)
    np.testing.assert_allclose(radius, 10, atol=0.3)
    assert 25 < angle.max() < 32 and -32 < angle.min() < -25
    radius, angle = moved(rotation=0, scale=0.5)
    np.testing.assert_allclose(angle, 0, atol=1e-3)
    assert 14 < radius.max() < 15.5 and 4.5 < radius.min() < 6


def test_brightness_is_one_gain_and_one_offset_for_each_picture() -> None:
    tensors = scenes()
    found = pixel_augmentation.change_brightness(tensors, SEED, 0.5)
    for before, after in zip(tensors["image"].numpy(), found["image"].numpy(), strict=True):
        gain, offset = np.polyfit(before.ravel(), after.ravel(), 1)
        assert 0.5 <= gain <= 1.5 and -0.51 <= offset <= 0.51
        np.testing.assert_allclose(after, gain * before + offset, atol=1e-2)
    assert found["mask"] is tensors["mask"]


def test_a_crop_is_a_window() -> None:
    number = random_crop(scenes(batch=200), SEED, 5)["weight"].numpy()
    np.testing.assert_array_equal(number - number[:, :1, :1], [np.add.outer(16 * np.arange(5), np.arange(5))] * 200)
    rows, columns = number[:, 0, 0] // 16 % 16, number[:, 0, 0] % 16
    assert set(rows) == set(columns) == set(range(12))


def test_a_smaller_picture_is_mirrored_up_to_a_crop() -> None:
    row = tf.constant([[[7.0], [8.0], [9.0]]])
    found = random_crop({"image": tf.repeat(row[None, 0, None], 50, axis=0)}, SEED, 5)["image"][:, :, :, 0].numpy()
    assert {tuple(window[0]) for window in found} == {(7, 8, 9, 8, 7), (8, 7, 8, 9, 8), (9, 8, 7, 8, 9)}
    np.testing.assert_array_equal(found, found[:, :1].repeat(5, axis=1))


def test_a_crop_of_a_warp_is_that_of_the_whole() -> None:
    """Each pixel that the window computes is one that the whole picture has."""
    whole = augment(scenes(), SEED, elastic=3.0)
    window = augment(scenes(), SEED, elastic=3.0, crop=6)
    places = [
        [
            np.array_equal(whole["image"][picture, row : row + 6, column : column + 6], window["image"][picture])
            for row in range(11)
            for column in range(11)
        ]
        for picture in range(3)
    ]
    assert np.sum(places, axis=1).tolist() == [1, 1, 1]


def test_a_share_of_the_pixels_is_kept() -> None:
    tensors = scenes(batch=1, height=100, width=100)
    found = mask_pixels(tensors, SEED, 0.3)["weight"].numpy()
    assert np.mean(found > 0) == pytest.approx(0.3, abs=5 * np.sqrt(0.3 * 0.7 / 10**4))
    np.testing.assert_array_equal(found[found > 0], tensors["weight"].numpy()[found > 0])
    del tensors["weight"]
    assert np.unique(mask_pixels(tensors, SEED, 0.3)["weight"]).tolist() == [0, 1]


@pytest.mark.parametrize("size", [1, 4, 5])
def test_a_patch_is_labelled_at_its_centre_alone(size: int) -> None:
    tensors = scenes()
    found = cut_patches(tensors, SEED, 40, size)
    mask, middle = found["mask"].numpy(), size // 2
    assert found["image"].shape == (120, size, size, 2)
    assert np.sum(mask != VOID) == 120
    np.testing.assert_array_equal(mask[:, middle, middle], found["image"][:, middle, middle, 1])
    number = found["weight"].numpy().astype(int)
    centre = number[:, middle, middle]
    np.testing.assert_array_equal(tensors["mask"].numpy().ravel()[centre], mask[:, middle, middle])
    np.testing.assert_array_equal(number // 256, np.broadcast_to(centre[:, None, None] // 256, number.shape))
    rows, columns = ([*range(15, 0, -1), *range(16), *range(14, -1, -1)] for _ in range(2))  # mirrored by hand
    for patch, first in zip(number % 256, centre % 256, strict=True):
        top, left = (place + 15 - middle for place in divmod(first, 16))
        np.testing.assert_array_equal(patch, np.add.outer(16 * np.array(rows), columns)[top:, left:][:size, :size])


def rare(batch: int = 2) -> Tensors:
    """10 of 400 pixels of class 2, 290 of class 0 and 100 void."""
    mask = np.zeros((batch, 10, 20), np.uint8)
    mask[0, 0, :10] = 2
    mask[1, 5:] = VOID
    return {"image": tf.cast(tf.constant(mask), tf.float32)[..., None], "mask": tf.constant(mask)}


@pytest.mark.parametrize(("balance", "share"), [("none", 10 / 300), ("classes", 1 / 2)])
def test_the_share_of_a_rare_class_among_the_centres(balance: str, share: float) -> None:
    found = cut_patches(rare(), SEED, 2000, 1, balance)["mask"].numpy().ravel()
    assert set(found) == {0, 2}
    assert np.mean(found == 2) == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 4000))


def test_every_pixel_of_a_class_is_a_centre_equally_often() -> None:
    tensors = rare()
    number = np.arange(400, dtype=np.float32).reshape(2, 10, 20)
    found = cut_patches({**tensors, "weight": tf.constant(number)}, SEED, 2000, 1, "classes")
    rare_ones = found["weight"].numpy()[found["mask"].numpy() == 2]
    counts = np.bincount(rare_ones.astype(int))
    assert len(counts) == 10
    assert np.all(np.abs(counts - len(rare_ones) / 10) < 5 * np.sqrt(200))


@pytest.mark.parametrize("balance", ["none", "classes"])
def test_patches_of_a_batch_that_is_all_void_are_void(balance: str) -> None:
    tensors = {"image": tf.zeros((2, 4, 4, 1)), "mask": tf.fill((2, 4, 4), tf.constant(VOID, tf.uint8))}
    assert np.all(cut_patches(tensors, SEED, 3, 3, balance)["mask"].numpy() == VOID)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="kind='turn': expected one of flip, dihedral"):
        flip(scenes(), SEED, "turn")
    with pytest.raises(ValueError, match="balance='class': expected one of none, classes"):
        cut_patches(scenes(), SEED, 1, 3, "class")
    with pytest.raises(ValueError, match="patches of size 0: expected 1 pixel or more"):
        augment(scenes(), SEED, patches=2)
