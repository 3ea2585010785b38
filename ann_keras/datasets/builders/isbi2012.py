"""ISBI 2012: 30 sections of a fly larva's nerve cord by electron microscope, 512 x 512 grey, cells and membranes.

The labelled volume of the challenge at ISBI 2012 (Arganda-Carreras et al. 2015); the labels of its test volume were
never published. The files come from $ANN_DATA_DIR/isbi2012_membrane (`train/image`, `train/label`), TFDS's manual
directory, or a repository that holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ann_keras.datasets import masks, tfds_source
from ann_keras.datasets.base import Dataset, DatasetError
from ann_keras.datasets.builders.folders import folder, pairs

COMMIT = "b45af4d458437d8281cc218a07fd4380818ece4a"
SIZE = 512
CLASSES = ("membrane", "cell")

CITATION = """
I. Arganda-Carreras et al. (2015). Crowdsourcing the creation of image segmentation algorithms for connectomics.
Frontiers in Neuroanatomy 9, 142. A. Cardona et al. (2010). An Integrated Micro- and Macroarchitectural Analysis of the
Drosophila Brain by Computer-Assisted Serial Section Electron Microscopy. PLoS Biology 8(10), e1000502.
"""


class Isbi2012(tfds.core.GeneratorBasedBuilder):
    """The 30 labelled sections, in their order, as "train"."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "isbi2012/ with train/image/N.png and train/label/N.png; else downloaded."
    URL = f"https://github.com/zhixuhao/unet/archive/{COMMIT}.zip"
    PALETTE = ((0, 0, 0), (255, 255, 255))
    COUNT = 30

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="30 electron microscope sections of a fly larva's nerve cord, 512 x 512, cells and membranes.",
            citation=CITATION,
            license="Free for research, with citation; the repository it is downloaded from is under MIT.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(SIZE, SIZE, 1)),
                    "mask": tfds.features.LabeledImage(labels=list(CLASSES), shape=(SIZE, SIZE, 1)),
                }
            ),
            supervised_keys=("image", "mask"),
            disable_shuffling=True,  # a row's key is then the number of its section
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        root = folder(dl_manager, self.name, "isbi2012_membrane", self.URL, f"unet-{COMMIT}/data/membrane")
        return {"train": self._generate_examples(root / "train")}

    def _generate_examples(self, place: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, (image, label) in enumerate(pairs(place / "image", place / "label", self.COUNT)):
            yield number, {"image": str(image), "mask": _classes(label)}


def _classes(label: Path) -> np.ndarray:
    """A label image, 0 membrane and 255 cell, as class indices, uint8 [height, width, 1]."""
    stored = masks.pixels(label.read_bytes())
    strange = np.setdiff1d(stored, [0, 255])
    if len(strange):
        raise DatasetError(f"{label}: the value {strange[0]}; expected 0 for membrane and 255 for cell")
    return (stored == 255).astype(np.uint8)[..., None]


def load() -> Dataset:
    """Opens ISBI 2012, prepared on first use.

    Raises:
        DatasetError: if it can be neither found nor downloaded.
    """
    return tfds_source.load_own(Isbi2012)
