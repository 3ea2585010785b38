"""Which features of a TFDS dataset are the image, the class label and the mask, and what they look like here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ann_keras.datasets import masks
from ann_keras.datasets.base import DatasetError
from ann_keras.task import Feature

MASK_KEY = re.compile("mask|segmentation|label", re.IGNORECASE)


def roles(features: Any, supervised_keys: Any) -> dict[str, str]:
    """The keys of image, label and mask by role, without those that are missing or that nobody singles out.

    A mask is a LabeledImage, or where there is none an image of one byte a pixel whose key says mask, segmentation or
    label.

    Args:
        features: of a builder's info.
        supervised_keys: of a builder's info; they decide where a role has several candidates.
    """
    from tensorflow_datasets import features as kinds

    candidates: dict[str, list[str]] = {"image": [], "label": [], "mask": []}
    unnamed: list[str] = []
    for key, feature in features.items():
        if isinstance(feature, kinds.LabeledImage):
            if np.dtype(feature.np_dtype) == np.uint8:
                candidates["mask"].append(key)
        elif type(feature) is kinds.Image and np.dtype(feature.np_dtype) in (np.uint8, np.uint16):
            is_mask = feature.shape[-1] == 1 and np.dtype(feature.np_dtype) == np.uint8 and MASK_KEY.search(key)
            (unnamed if is_mask else candidates["image"]).append(key)
        elif isinstance(feature, kinds.ClassLabel) and feature.num_classes:
            candidates["label"].append(key)
    candidates["mask"] = candidates["mask"] or unnamed
    found = {}
    for role, keys in candidates.items():
        chosen = [key for key in keys if key in (supervised_keys or ())] if len(keys) > 1 else keys
        if len(chosen) == 1:
            found[role] = chosen[0]
    return found


def texts(features: Any, supervised_keys: Any) -> tuple[str, str] | None:
    """The keys of source and target where the rows are pairs of texts, such as a sentence and its translation.

    That is where the supervised keys are two texts, or else where there are two texts, by the alphabet, and no image:
    TFDS does not keep the order of features.

    Args:
        features: of a builder's info.
        supervised_keys: of a builder's info.
    """
    from tensorflow_datasets import features as kinds

    found = sorted(key for key, feature in features.items() if isinstance(feature, kinds.Text))
    if supervised_keys and len(supervised_keys) == 2 and set(supervised_keys) <= set(found):
        return supervised_keys[0], supervised_keys[1]
    has_image = any(isinstance(feature, kinds.Image) for feature in features.values())
    return (found[0], found[1]) if len(found) == 2 and not has_image else None


def image_feature(feature: Any) -> Feature:
    """The image's, from TFDS's."""
    height, width, channels = feature.shape
    return Feature("image", "image", (height, width, 1 if channels == 1 else 3), "uint8")


def label_feature(feature: Any) -> Feature:
    """The class label's, from TFDS's."""
    return Feature("label", "label", (), "int64", tuple(feature.names))


def mask_feature(feature: Any, classes: tuple[str, ...], palette: tuple[tuple[int, int, int], ...] = ()) -> Feature:
    """The mask's, from TFDS's."""
    return Feature("mask", "mask", tuple(feature.shape[:2]), "uint8", classes, palette=palette)


def names_of(feature: Any) -> tuple[str, ...]:
    """The names of a mask's values from 0; () where TFDS knows neither names nor their number."""
    if not getattr(feature, "num_classes", None):
        return ()
    names = tuple(feature.names)
    # TFDS calls classes without names by their digits.
    numbers = tuple(map(str, range(len(names))))
    return tuple(f"class {name}" for name in names) if names == numbers else names


def named_classes(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Classes of a mask whose values have names.

    Args:
        names: of the values from 0; one of `masks.VOID_NAMES` makes its value void, and so is 255 where it has no name.

    Returns:
        The names of the classes, and the lookup that `masks.canonical` takes.

    Raises:
        DatasetError: for more classes than a mask can hold, or none.
    """
    kept = [value for value, name in enumerate(names) if name.strip().lower() not in masks.VOID_NAMES]
    if not 0 < len(kept) <= masks.MAX_CLASSES or len(names) > 256:
        raise DatasetError(f"a mask with {len(kept)} classes: expected 1 to {masks.MAX_CLASSES}")
    lookup = _lookup(kept)
    lookup[[value for value in range(len(names)) if value not in set(kept)]] = masks.VOID
    return tuple(names[value] for value in kept), lookup


def numbered_classes(values: Iterable[int]) -> tuple[tuple[str, ...], np.ndarray]:
    """Classes of a mask whose values have no names: "class 1", "class 2", ...

    Args:
        values: those that occur. 255 is void, unless that leaves a single class, as in a mask of 0 and 255.

    Returns:
        The names of the classes, and the lookup that `masks.canonical` takes.

    Raises:
        DatasetError: for no value at all.
    """
    found = set(values)
    kept = sorted(found - {masks.VOID})
    if len(kept) < 2:
        kept = sorted(found)
    if not kept:
        raise DatasetError("not one of its masks can be read")
    return tuple(f"class {value}" for value in kept), _lookup(kept)


def class_counts(values: np.ndarray, counts: np.ndarray, lookup: np.ndarray, classes: int) -> np.ndarray:
    """Pixels of each class, int64 [rows, classes], from those of each stored value, int [rows, values]."""
    table = np.zeros((len(counts), classes), np.int64)
    for column, index in enumerate(lookup[values]):
        if 0 <= index < classes:
            table[:, index] = counts[:, column]
    return table


def _lookup(values: Sequence[int]) -> np.ndarray:
    """`values` become 0, 1, ..., 255 void where it is not among them, and no other value has a class."""
    lookup = np.full(256, -1, np.int16)
    lookup[masks.VOID] = masks.VOID
    lookup[list(values)] = np.arange(len(values))
    return lookup
