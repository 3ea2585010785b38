"""A folder of the user's own images with a mask each, partners by name: PNG, BMP or GIF, never JPEG.

PATH/images/1.jpg  PATH/masks/1.png                       the splits are drawn
PATH/train/1.jpg  PATH/trainannot/1.png  PATH/test/ ...   splits as CamVid has them are kept
PATH/train/images/1.jpg  PATH/train/masks/1.png  ...      so are these, and PATH/images/train/  PATH/masks/train/

Names may be singular, and masks be called labels. PATH/classes.txt names the classes (see `mask_classes`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ann_keras.datasets import folder_files, images, mask_classes, masks
from ann_keras.datasets.base import Dataset, DatasetError, Index, Row, Shard
from ann_keras.datasets.folder_files import OFFICIAL, SHARD_ROWS, folders
from ann_keras.datasets.mask_classes import Classes
from ann_keras.task import Feature

IMAGE_FOLDERS = ("images", "image")
MASK_FOLDERS = ("masks", "mask", "labels", "label")
WITHOUT_CLASS = "has no class"
"""How `masks.canonical` ends on a value or a colour that the classes lack."""
LAYOUTS = "give images/ and masks/, or train/ and trainannot/, or train/images/ and train/masks/"


@dataclass(frozen=True)
class Pair:
    """An image and its mask, as paths relative to the root with "/", and the split of its folder."""

    image: str
    mask: str
    official: str


@dataclass(frozen=True)
class MaskShard(Shard):
    """Rows [start, stop): pairs of files below `root`."""

    start: int
    stop: int
    root: str
    pairs: tuple[Pair, ...]
    classes: Classes

    def read(self) -> Iterator[Row]:
        """Yields the rows; a pair that cannot be used is a row with a problem, which names the mask where it lies."""
        for pair in self.pairs:
            image, mask, problem = self._read(pair)
            yield Row(pair.image, {"image": b"", "mask": b""} if problem else {"image": image, "mask": mask}, problem)

    def _read(self, pair: Pair) -> tuple[bytes, bytes, str]:
        try:
            image, problem = images.checked(Path(self.root, pair.image).read_bytes())
        except OSError as error:
            return b"", b"", f"cannot be read: {error.strerror}"
        if problem:
            return b"", b"", problem
        try:
            stored = Path(self.root, pair.mask).read_bytes()
        except OSError as error:
            return b"", b"", f"{pair.mask} cannot be read: {error.strerror}"
        mask, problem = masks.canonical(stored, self.classes.lookup, self.classes.coloured)
        if problem.endswith(WITHOUT_CLASS):
            problem += f"; give it a line in {mask_classes.CLASSES_FILE}: VALUE NAME, with #rrggbb where masks are RGB"
        problem = problem or masks.fits(image, mask)
        return image, mask, f"{pair.mask}: {problem}" if problem else ""


class MaskFolder(Dataset):
    """The pairs below one folder. Keys are the images' paths relative to it, with "/"."""

    description = "A folder of images with a mask each."

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self._given = mask_classes.read(root)
        self._pairs = sorted(_pairs(root), key=lambda pair: folder_files.hashed(pair.image))

    @functools.cached_property
    def features(self) -> dict[str, Feature]:  # type: ignore[override]
        """The image and the mask; sizes and channels are those in the headers of all images."""
        shape = folder_files.image_shape(self.root, [pair.image for pair in self._pairs])
        about = (
            f"The class of every pixel, {masks.VOID} for none; {mask_classes.CLASSES_FILE} in the folder names them."
        )
        palette = self._classes.palette(self._stored_palette())
        mask = Feature("mask", "mask", shape[:2], "uint8", self._classes.names, about, palette=palette)
        return {"image": Feature("image", "image", shape, "uint8"), "mask": mask}

    def fingerprint(self) -> str:
        """The digest of the paths, sizes and times of the files, the classes file among them."""
        named = [name for name in mask_classes.FILES if (self.root / name).is_file()]
        paired = [file for pair in self._pairs for file in (pair.image, pair.mask)]
        return folder_files.fingerprint(self.root, named + paired)

    def index(self) -> Index:
        """Keys from the paths, strata from the pixels of all masks; a mask that cannot be read has none."""
        labels, contains = masks.index_of(self._counts[:, [line.value for line in self._classes.known]])
        keys = np.array([pair.image for pair in self._pairs])
        official = np.array([pair.official for pair in self._pairs], dtype=object)
        return Index(keys, labels, official, names=self._classes.names, contains=contains)

    def shards(self) -> Sequence[Shard]:
        """Runs of `SHARD_ROWS` pairs."""
        shards = []
        for start in range(0, len(self._pairs), SHARD_ROWS):
            pairs = tuple(self._pairs[start : start + SHARD_ROWS])
            shards.append(MaskShard(start, start + len(pairs), str(self.root), pairs, self._classes))
        return shards

    @functools.cached_property
    def _classes(self) -> Classes:
        if self._given is not None:
            return self._given
        occurs = self._counts.any(axis=0)
        if not occurs.any():
            mask = self._pairs[0].mask
            raise DatasetError(f"{self.root}: not one of its {len(self._pairs)} masks can be used: {mask}: {self._why}")
        return mask_classes.found(occurs, self.root)

    @functools.cached_property
    def _counts(self) -> np.ndarray:
        """The pixels of each stored value in every mask, int32 [rows, 256]; 0 in one that cannot be read."""
        coloured = self._given.coloured if self._given is not None else {}

        def counted(pair: Pair) -> np.ndarray:
            try:
                values = masks.pixels((self.root / pair.mask).read_bytes(), coloured)
            except (OSError, ValueError):
                return np.zeros(256, np.int32)
            return np.bincount(values.ravel(), minlength=256).astype(np.int32)

        # Pillow decodes without the interpreter's lock.
        with ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(counted, self._pairs)))

    @property
    def _why(self) -> str:
        try:
            masks.pixels((self.root / self._pairs[0].mask).read_bytes())
        except (OSError, ValueError) as error:
            return str(error)
        return ""

    def _stored_palette(self) -> np.ndarray:
        """The colours of the first mask's palette, uint8 [values, 3]; [0, 3] for none."""
        try:
            return masks.palette_of((self.root / self._pairs[0].mask).read_bytes())
        except (OSError, ValueError):
            return np.zeros((0, 3), np.uint8)


def load(path: str) -> Dataset:
    """Opens a folder of images and masks.

    Raises:
        DatasetError: if there is no such folder, it is laid out otherwise, a file has no partner, or the classes file
            is wrong.
    """
    return MaskFolder(f"masks:{path}", folder_files.opened(path, LAYOUTS))


def _pairs(root: Path) -> list[Pair]:
    """The pairs of every split below `root` that has masks."""
    layout = _layout(root)
    if not layout:
        raise DatasetError(f"{root} has no folder of masks beside one of images; {LAYOUTS}")
    if "" not in layout and "train" not in layout:
        raise DatasetError(f"{root} has masks for {', '.join(layout)} but none to train on; {LAYOUTS}")
    return [pair for split, folders in layout.items() for pair in _partners(root, *folders, OFFICIAL.get(split, ""))]


def _layout(root: Path) -> dict[str, tuple[str, str]]:
    """Split, "" for none -> its folders of images and of masks, relative to `root`; splits without masks left out."""
    top = _both(root)
    if top:
        images_in, masks_in = (folders(root / name) for name in top)
        if "train" in images_in and set(images_in) <= set(OFFICIAL):
            return {split: (f"{top[0]}/{split}", f"{top[1]}/{split}") for split in images_in if split in masks_in}
        return {"": top}
    layout = {}
    here = folders(root)
    for split in (name for name in here if name in OFFICIAL):
        inner = _both(root / split)
        if f"{split}annot" in here:
            layout[split] = (split, f"{split}annot")
        elif inner:
            layout[split] = (f"{split}/{inner[0]}", f"{split}/{inner[1]}")
    return layout


def _both(folder: Path) -> tuple[str, str] | None:
    """The names of the folders of images and of masks in `folder`, where both are there."""
    here = folders(folder)
    pictures = [name for name in IMAGE_FOLDERS if name in here]
    labels = [name for name in MASK_FOLDERS if name in here]
    return (pictures[0], labels[0]) if pictures and labels else None


def _partners(root: Path, picture_folder: str, mask_folder: str, official: str) -> list[Pair]:
    pictures, labels = _by_stem(root, picture_folder), _by_stem(root, mask_folder)
    lossy = next((file for file in labels.values() if file.lower().endswith((".jpg", ".jpeg"))), None)
    if lossy:
        raise DatasetError(f"{root / lossy}: a mask may not be a JPEG, which changes values; save it as PNG")
    alone = sorted(pictures.keys() - labels.keys())
    if alone:
        raise DatasetError(f"{root / pictures[alone[0]]} has no mask; expected {mask_folder}/{alone[0]}.png")
    alone = sorted(labels.keys() - pictures.keys())
    if alone:
        raise DatasetError(f"{root / labels[alone[0]]} has no image; expected {picture_folder}/{alone[0]}.png or .jpg")
    return [Pair(file, labels[stem], official) for stem, file in pictures.items()]


def _by_stem(root: Path, folder: str) -> dict[str, str]:
    """The images below a folder by their path in it without the suffix."""
    found = folder_files.by_stem(root / folder)
    if not found:
        raise DatasetError(f"{root / folder} has no images; remove it or fill it")
    return {stem: f"{folder}/{file}" for stem, file in found.items()}
