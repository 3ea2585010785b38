"""The dates of `ann_keras.datasets.dates` as a TensorFlow dataset: import this, then `tfds.load("dates")`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds

from ann_keras.datasets import dates


@dataclasses.dataclass
class DatesConfig(tfds.core.BuilderConfig):
    """How many dates, and which."""

    count: int = dates.COUNT
    seed: int = 0


class Dates(tfds.core.GeneratorBasedBuilder):
    """Dates as people write them; the configuration "default" holds those of `dates.load()`. One split, "train"."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        DatesConfig(name="default", description="20,000 dates."),
        DatesConfig(name="small", description="200 dates.", count=200),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=dates.Dates.description,
            license=dates.Dates.licence,
            features=tfds.features.FeaturesDict({"source": tfds.features.Text(), "target": tfds.features.Text()}),
            supervised_keys=("source", "target"),
            disable_shuffling=True,  # a row's key is then its number
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, str]]]:
        config = self.builder_config
        for number, row in enumerate(dates.written(config.count, config.seed)):
            yield number, {"source": row.source, "target": row.target}
