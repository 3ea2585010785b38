"""Multi30k: 31,014 descriptions of photographs in English, German, French and Czech, for any pair of these.

`multi30k` is English to German, `multi30k:de-fr` German to French. The split is that of Elliott et al. (2016), with the
test set of 2016. The files come from $ANN_DATA_DIR/multi30k (`train.en.gz`, `val.en.gz`, `test_2016_flickr.en.gz`,
...), TFDS's manual directory, or the authors' repository.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from ann_keras.datasets import tfds_preparing
from ann_keras.datasets.base import Dataset, DatasetError
from ann_keras.datasets.builders.folders import folder
from ann_keras.datasets.tfds_texts import TfdsTexts

COMMIT = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"
LANGUAGES = ("en", "de", "fr", "cs")

CITATION = """
D. Elliott, S. Frank, K. Sima'an and L. Specia (2016). Multi30K: Multilingual English-German Image Descriptions.
Proceedings of the 5th Workshop on Vision and Language, 70-74. French: D. Elliott, S. Frank, L. Barrault, F. Bougares
and L. Specia (2017). Findings of the Second Shared Task on Multimodal Machine Translation and Multilingual Image
Description. Proceedings of the Second Conference on Machine Translation, 215-233. Czech: L. Barrault, F. Bougares, L.
Specia, C. Lala, D. Elliott and S. Frank (2018). Findings of the Third Shared Task on Multimodal Machine Translation.
Proceedings of the Third Conference on Machine Translation, 304-323.
"""


class Multi30k(tfds.core.GeneratorBasedBuilder):
    """Multi30k as it was written, not tokenised, in all four languages at once."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "multi30k/ with train.en.gz, val.en.gz, test_2016_flickr.en.gz, ...; else downloaded."
    )
    URL = f"https://github.com/multi30k/dataset/archive/{COMMIT}.zip"
    COUNTS = {"train": 29_000, "val": 1014, "test_2016_flickr": 1000}

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="31,014 descriptions of photographs in English, German, French and Czech.",
            citation=CITATION,
            license="For non-commercial research and education.",
            features=tfds.features.Translation(languages=LANGUAGES),
            supervised_keys=("en", "de"),
            disable_shuffling=True,  # a row's key is then the number of its line
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        root = folder(dl_manager, self.name, "multi30k", self.URL, f"dataset-{COMMIT}/data/task1/raw")
        names = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
        return {split: self._generate_examples(root, name) for split, name in names.items()}

    def _generate_examples(self, root: Path, name: str) -> Iterator[tuple[int, dict[str, str]]]:
        sides = [_lines(root / f"{name}.{language}.gz", self.COUNTS[name]) for language in LANGUAGES]
        for number, texts in enumerate(zip(*sides, strict=True)):
            yield number, dict(zip(LANGUAGES, texts, strict=True))


def load(pair: str = "en-de") -> Dataset:
    """Opens Multi30k, prepared on first use.

    Args:
        pair: source and target, two of `LANGUAGES` with a hyphen between them.

    Raises:
        DatasetError: for another pair, or if the files can be neither found nor downloaded.
    """
    source, _, target = pair.partition("-")
    if source not in LANGUAGES or target not in LANGUAGES or source == target:
        raise DatasetError(f"multi30k:{pair}: expected two of {', '.join(LANGUAGES)}, as in multi30k:en-de")
    name = "multi30k" if pair == "en-de" else f"multi30k:{pair}"
    return TfdsTexts(name, tfds_preparing.prepared(Multi30k, Multi30k.name), source, target)


def _lines(path: Path, count: int) -> list[str]:
    """The lines of a packed file; a DatasetError names one that is missing or has another number of lines."""
    if not path.is_file():
        raise DatasetError(f"{path} does not exist")
    # Not splitlines(), which parts at other characters too.
    lines = gzip.decompress(path.read_bytes()).decode().removesuffix("\n").split("\n")
    if len(lines) != count:
        raise DatasetError(f"{path} has {len(lines)} lines, expected {count}")
    return lines
