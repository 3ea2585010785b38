"""Random distortions of pictures together with their masks, on the fly and in training only: mirroring, smooth elastic
deformation, rotation, brightness, crops; and two ways of choosing which pixels a step learns from.

Ronneberger, Fischer and Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", section 3.1
(elastic deformation); Long, Shelhamer and Darrell 2015, "Fully Convolutional Networks for Semantic Segmentation",
section 3.4 (patches, and a random choice of the pixels).

Every function takes and returns a batch: "image": float32 [batch, height, width, channels]; "mask": uint8 [batch,
height, width], class indices, `VOID` where a pixel counts nowhere; and, where there is one, "weight": float32 [batch,
height, width], of each pixel's loss, >= 0. Other entries pass through. `seed` is int32 [2]; the same seed gives the
same answer. Images are read bilinearly; masks and weights at the nearest pixel, so that a weight stays with the label
it was made for. What comes in from outside is mirrored at the border, which is not repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from ann_keras.task import VOID, Tensors
from ann_keras.tasks.pixel_sampling import PIXELS, gather, index, mirror, random_window, sizes_of, warp, window

KINDS = ("none", "flip", "dihedral")
BALANCES = ("none", "classes")


def augment(
    tensors: Tensors,
    seed: Any,
    *,
    kind: str = "none",
    elastic: float = 0.0,
    elastic_grid: int = 3,
    rotation: float = 0.0,
    scale: float = 0.0,
    brightness: float = 0.0,
    crop: int | None = None,
    pixel_share: float = 1.0,
    patches: int = 0,
    patch_size: int = 0,
    balance: str = "none",
) -> Tensors:
    """Applies what is switched on, in this order: `flip`, `affine` and `elastic` in one warp, `random_crop`,
    `change_brightness`, `mask_pixels`, `cut_patches`.

    Of a picture that is both warped and cropped, the window alone is computed.

    Args:
        tensors: the batch.
        seed: int32 [2]. What a part draws does not depend on which others are on.
        kind: of `KINDS`; see `flip`.
        elastic, elastic_grid: see `elastic`; 0 for none.
        rotation, scale: see `affine`; 0 and 0 for none.
        brightness: see `change_brightness`; 0 for none.
        crop: see `random_crop`; None for none.
        pixel_share: see `mask_pixels`; 1 for all.
        patches, patch_size, balance: see `cut_patches`; 0 patches for whole pictures.
    """
    mirroring, turning, bending, cropping, lighting, masking, patching = tf.unstack(tf.random.split(seed, 7), num=7)
    if kind != "none":
        tensors = flip(tensors, mirroring, kind)
    shifts = []
    if rotation or scale:
        shifts.append(_affine_shift(turning, sizes_of(tensors["image"]), rotation, scale))
    if elastic:
        shifts.append(_elastic_shift(bending, sizes_of(tensors["image"]), elastic, elastic_grid))
    if shifts:
        rows, columns = _positions(shifts, sizes_of(tensors["image"]))
        if crop is not None:
            pixels = random_window(cropping, sizes_of(tensors["image"]), crop)
            rows, columns = (tf.gather(tf.reshape(at, [-1]), pixels) for at in (rows, columns))
        tensors = warp(tensors, rows, columns)
    elif crop is not None:
        tensors = random_crop(tensors, cropping, crop)
    if brightness:
        tensors = change_brightness(tensors, lighting, brightness)
    if pixel_share < 1:
        tensors = mask_pixels(tensors, masking, pixel_share)
    if patches:
        tensors = cut_patches(tensors, patching, patches, patch_size, balance)
    return tensors


def flip(tensors: Tensors, seed: Any, kind: str = "flip") -> Tensors:
    """Mirrors each picture at random.

    Args:
        tensors: the batch.
        seed: int32 [2].
        kind: "flip": left and right, for photographs; "dihedral": the 8 symmetries of the square, for pictures without
            an up, such as microscopy. Where height and width are not known to be equal, the 4 of the rectangle, which
            keep the shape.

    Raises:
        ValueError: for another kind.
    """
    if kind not in KINDS[1:]:
        raise ValueError(f"kind={kind!r}: expected one of {', '.join(KINDS[1:])}")
    batch, height, width = sizes_of(tensors["image"])
    coins = tf.random.stateless_uniform([3, batch], seed) < 0.5
    changed = _where(coins[0], tensors, lambda pixels: tf.reverse(pixels, [2]))
    if kind == "dihedral":
        changed = _where(coins[1], changed, lambda pixels: tf.reverse(pixels, [1]))
        if isinstance(height, int) and isinstance(width, int) and height == width:
            changed = _where(coins[2], changed, _transpose)
    return changed


def affine(tensors: Tensors, seed: Any, rotation: float, scale: float = 0.0) -> Tensors:
    """Turns and enlarges each picture about its centre at random.

    Args:
        tensors: the batch.
        seed: int32 [2].
        rotation: largest angle, in degrees, either way.
        scale: largest relative change of size, in [0, 1): content grows by a factor in [1 - scale, 1 + scale].
    """
    sizes = sizes_of(tensors["image"])
    return warp(tensors, *_positions([_affine_shift(seed, sizes, rotation, scale)], sizes))


def elastic(tensors: Tensors, seed: Any, deviation: float, grid: int = 3) -> Tensors:
    """Bends each picture by a smooth random field of displacements (Ronneberger et al. 2015, section 3.1).

    The displacements are normal at the nodes of a coarse grid over the picture and interpolated bicubically to every
    pixel.

    Args:
        tensors: the batch.
        seed: int32 [2].
        deviation: of a node's displacement down and to the right, in pixels, each; the paper's is 10.
        grid: nodes along each side, >= 1; the paper's is 3.
    """
    sizes = sizes_of(tensors["image"])
    return warp(tensors, *_positions([_elastic_shift(seed, sizes, deviation, grid)], sizes))


def random_crop(tensors: Tensors, seed: Any, size: int) -> Tensors:
    """Cuts a random window of size x size from each picture; one that is smaller is mirrored up to it.

    Args:
        tensors: the batch.
        seed: int32 [2].
        size: in pixels, >= 1.
    """
    return gather(tensors, random_window(seed, sizes_of(tensors["image"]), size))


def change_brightness(tensors: Tensors, seed: Any, amount: float) -> Tensors:
    """Multiplies and shifts the values of each image at random; the mask stays.

    Args:
        tensors: the batch.
        seed: int32 [2].
        amount: the gain is in [1 - amount, 1 + amount], the offset in [-amount, amount], in the image's own unit.
            Nothing is clipped.
    """
    batch = sizes_of(tensors["image"])[0]
    gain, offset = tf.unstack(tf.random.stateless_uniform([2, batch, 1, 1, 1], seed, -amount, amount))
    return {**tensors, "image": tensors["image"] * (1 + gain) + offset}


def mask_pixels(tensors: Tensors, seed: Any, share: float) -> Tensors:
    """Keeps a random share of the pixels in the loss: the binary M(x) of Long et al. 2015, section 3.4, which makes the
    loss over whole pictures as stochastic as one over patches.

    Weights are multiplied by 0 or 1 and not by 1 / share, since the loss is a mean over the pixels of weight > 0.

    Args:
        tensors: the batch; without "weight" it gets one of ones first.
        seed: int32 [2].
        share: probability in (0, 1] that a pixel is kept, each by itself.
    """
    kept = tf.random.stateless_uniform(tf.shape(tensors["mask"]), seed) < share
    weight = tf.cast(kept, tf.float32)
    return {**tensors, "weight": tensors["weight"] * weight if "weight" in tensors else weight}


def cut_patches(tensors: Tensors, seed: Any, count: int, size: int, balance: str = "none") -> Tensors:
    """Cuts patches around random pixels that are not void, each labelled at its centre alone: patch-wise training
    (Ciresan et al. 2012, "Deep Neural Networks Segment Neuronal Membranes in Electron Microscopy Images"; Long et al.
    2015, section 3.4).

    Args:
        tensors: the batch; its other entries are repeated for the patches of their picture.
        seed: int32 [2].
        count: patches for each picture on the average; the centres are drawn from the pixels of the whole batch, with
            replacement.
        size: in pixels, >= 1. The centre is at row and column size // 2: the middle of an odd size, below and to the
            right of the middle of an even one. What lies outside of the picture is mirrored.
        balance: "none": every pixel is equally likely; "classes": first one of the classes that the batch holds, then
            one of its pixels.

    Returns:
        "image": float32 [batch * count, size, size, channels]; "mask", void everywhere but at the centre, and "weight"
        alike. Where the whole batch is void, the centres are too.

    Raises:
        ValueError: for another balance, or a size below 1.
    """
    if balance not in BALANCES:
        raise ValueError(f"balance={balance!r}: expected one of {', '.join(BALANCES)}")
    if size < 1:
        raise ValueError(f"patches of size {size}: expected 1 pixel or more")
    batch, height, width = sizes = sizes_of(tensors["image"])
    centres = _centres(seed, tf.reshape(tensors["mask"], [-1]), batch * count, balance == "classes")
    picture, row, column = centres // (height * width), centres // width % height, centres % width
    half = size // 2
    cut = gather(tensors, window(picture, row - half, column - half, sizes, size))
    label = tf.gather(tf.reshape(tensors["mask"], [-1]), centres)[:, None, None]
    around = [half, size - 1 - half]
    others = {name: tf.gather(value, picture) for name, value in tensors.items() if name not in PIXELS}
    return {**cut, **others, "mask": tf.pad(label, [[0, 0], around, around], constant_values=VOID)}


def _centres(seed: Any, labels: Any, count: Any, balanced: bool) -> Any:
    """int32 [count]: indices of labels that are not void, drawn from uint8 [pixels]."""
    labels = tf.cast(labels, tf.int32)
    pixels = tf.size(labels)
    by_class = tf.concat(tf.dynamic_partition(tf.range(pixels), labels, VOID + 1), 0)
    holds = tf.math.bincount(labels, minlength=VOID + 1)
    drawn = tf.random.stateless_uniform([2, count], seed, dtype=tf.float64)
    if balanced:
        present = tf.cast(tf.where(holds[:VOID] > 0)[:, 0], tf.int32)
        present = tf.cond(tf.size(present) > 0, lambda: present, lambda: tf.constant([VOID]))
        chosen = tf.gather(present, index(drawn[0], tf.size(present)))
        first = tf.gather(tf.cumsum(holds, exclusive=True), chosen)
        return tf.gather(by_class, first + index(drawn[1], tf.gather(holds, chosen)))
    void = holds[VOID]
    return tf.gather(by_class, index(drawn[0], tf.where(void < pixels, pixels - void, pixels)))


def _affine_shift(seed: Any, sizes: Sequence[Any], rotation: float, scale: float) -> tuple[Any, Any]:
    batch, height, width = sizes
    drawn = tf.random.stateless_uniform([2, batch, 1, 1], seed, -1, 1)
    angle, growth = drawn[0] * math.radians(rotation), 1 + drawn[1] * scale
    down = _centred(height)[None, :, None]
    right = _centred(width)[None, None, :]
    # Where a pixel of the answer is read: its place about the centre, turned back and shrunk back.
    cosine, sine = tf.cos(angle) / growth, tf.sin(angle) / growth
    return cosine * down + sine * right - down, cosine * right - sine * down - right


def _elastic_shift(seed: Any, sizes: Sequence[Any], deviation: float, grid: int) -> tuple[Any, Any]:
    batch, height, width = sizes
    nodes = tf.random.stateless_normal([2 * batch, grid, grid, 1], seed, stddev=deviation)
    field = tf.image.resize(nodes, [height, width], method="bicubic")
    down, right = tf.unstack(tf.reshape(field, [2, batch, height, width]))
    return down, right


def _positions(shifts: Sequence[tuple[Any, Any]], sizes: Sequence[Any]) -> tuple[Any, Any]:
    """Rows and columns, float32 [batch, height, width] each, at `shifts` from each pixel, mirrored at the borders."""
    _, height, width = sizes
    rows = tf.range(height, dtype=tf.float32)[:, None] + tf.add_n([down for down, _ in shifts])
    columns = tf.range(width, dtype=tf.float32) + tf.add_n([right for _, right in shifts])
    return mirror(rows, height), mirror(columns, width)


def _where(coins: Any, tensors: Tensors, change: Callable[[Any], Any]) -> Tensors:
    """Changes the pixels of the pictures whose coin, bool [batch], is true."""
    changed = dict(tensors)
    for name in PIXELS:
        if name in tensors:
            value = tensors[name]
            chosen = tf.reshape(coins, [-1, *[1] * (value.shape.rank - 1)])
            changed[name] = tf.where(chosen, change(value), value)
    return changed


def _transpose(pixels: Any) -> Any:
    return tf.transpose(pixels, [0, 2, 1, *range(3, pixels.shape.rank)])


def _centred(length: Any) -> Any:
    """float32 [length]: the pixels' distances from the middle."""
    return tf.range(length, dtype=tf.float32) - tf.cast(length - 1, tf.float32) / 2
