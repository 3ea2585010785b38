"""The drawn scenes of `ann_keras.datasets.shapes` as a TensorFlow dataset: import this, then `tfds.load("shapes")`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ann_keras.datasets import shapes
from ann_keras.datasets.outlines import CLASSES, POINTS
from ann_keras.datasets.scenes import Scenes


@dataclasses.dataclass
class ShapesConfig(tfds.core.BuilderConfig):
    """How many scenes, and what draws them."""

    count: int = shapes.COUNT
    scenes: Scenes = dataclasses.field(default_factory=Scenes)


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Scenes of overlapping discs, boxes and triangles; the configuration "default" holds those of `shapes.load()`.

    One split, "train". A box is TFDS's: ymin, xmin, ymax and xmax in [0, 1] of the image. Objects stand in the order of
    their ids in "instances", from 1.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [
        ShapesConfig(name="default", description="1,600 scenes of 64 x 64 pixels."),
        ShapesConfig(name="small", description="8 scenes of 32 x 32 pixels.", count=8, scenes=Scenes(0, 32, 32)),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        scenes = self.builder_config.scenes
        plane = (scenes.height, scenes.width, 1)
        return tfds.core.DatasetInfo(
            builder=self,
            description=shapes.Shapes.description,
            license=shapes.Shapes.licence,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(scenes.height, scenes.width, 3)),
                    "mask": tfds.features.LabeledImage(labels=list(CLASSES), shape=plane),
                    "instances": tfds.features.Image(shape=plane),
                    "objects": tfds.features.Sequence(
                        {
                            "bbox": tfds.features.BBoxFeature(),
                            "label": tfds.features.ClassLabel(names=list(CLASSES)),
                            "points": tfds.features.Tensor(shape=(len(POINTS), 2), dtype=np.float32),
                        }
                    ),
                    "caption": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "mask"),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        config = self.builder_config
        size = 2 * [config.scenes.height, config.scenes.width]
        for number in range(config.count):
            scene = config.scenes.scene(number)
            objects = zip(scene.layout.boxes / size, scene.layout.classes, scene.layout.points, strict=True)
            yield (
                shapes.key(number),
                {
                    "image": scene.image,
                    "mask": scene.layout.mask[..., None],
                    "instances": scene.layout.instances[..., None],
                    "objects": [
                        {"bbox": tfds.features.BBox(*box.tolist()), "label": int(label), "points": points}
                        for box, label, points in objects
                    ],
                    "caption": scene.caption,
                },
            )
