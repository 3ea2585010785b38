"""Where a builder of this package finds its files: a folder of the user's, or else the authors' download."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.folder_files import by_stem
from ann_keras.datasets.tfds_preparing import check_connection


def folder(dl_manager: Any, name: str, local: str, url: str, inside: str) -> Path:
    """The first of $ANN_DATA_DIR/`local` and TFDS's manual directory/`name` that exists, or else what is downloaded.

    Args:
        dl_manager: TFDS's.
        name: of the builder.
        local: its folder in ANN_DATA_DIR.
        url: of an archive.
        inside: the wanted folder in it.

    Raises:
        DatasetError: where nothing is there and the host does not answer.
    """
    try:
        manual = Path(dl_manager.manual_dir)
    except AssertionError:  # TFDS's way to say that there is none
        manual = Path()
    data_dir = os.environ.get("ANN_DATA_DIR")
    places = ([Path(data_dir, local)] if data_dir else []) + ([manual / name] if manual != Path() else [])
    for place in places:
        if place.is_dir():
            return place
    advice = f"or put its files into $ANN_DATA_DIR/{local}"
    check_connection([urlsplit(url).hostname or ""], name, advice)
    return Path(dl_manager.download_and_extract(url)) / inside


def pairs(images: Path, masks: Path, count: int) -> list[tuple[Path, Path]]:
    """The images and masks of two folders by their common names; shorter names come first, so that 10 follows 9.

    Raises:
        DatasetError: for a missing folder or partner, or another number of images than `count`.
    """
    image, mask = _by_stem(images), _by_stem(masks)
    for stem in sorted(image.keys() ^ mask.keys()):
        alone, place = (image[stem], masks) if stem in image else (mask[stem], images)
        raise DatasetError(f"{alone} has no partner of that name in {place}")
    if len(image) != count:
        raise DatasetError(f"{images} has {len(image)} images, expected {count}")
    return [(image[stem], mask[stem]) for stem in sorted(image, key=lambda stem: (len(stem), stem))]


def _by_stem(place: Path) -> dict[str, Path]:
    if not place.is_dir():
        raise DatasetError(f"{place} is not a folder")
    return {stem: place / file for stem, file in by_stem(place).items()}
