"""A served segmentation model: a PNG in, a mask of its size out over both protocols, as the Evaluator judges it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import data, registry, settings, training
from ann_keras.datasets import masks
from ann_keras.datasets.scenes import Scenes
from ann_keras.metrics.confusion import mean_iou
from serving.client import Mask, decode
from serving.export import export
from serving.process import ModelServer
from tests.ann_keras.examples import example
from tests.serving.peers import WAYS, opened

pytestmark = pytest.mark.slow
COUNT = 5


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small U-Net that saw a few batches, pushed as version 1."""
    keras.utils.set_random_seed(0)
    overrides = {**settings.as_dict(registry.load("model", "unet", registry.MODELS).TINY), "tile": 32}
    triple = registry.resolve("unet", "shapes", overrides=overrides)
    loaded = data.load(triple)
    model = training.build(triple)
    model.compile("adam", **triple.task.compile_args())
    model.fit(loaded.train.training_batches(4, seed=0), steps_per_epoch=20, verbose=0)
    base: Path = tmp_path_factory.mktemp("masks") / "unet"
    base.mkdir()
    export(triple, model, loaded.transform, base / "1")
    return base


@pytest.fixture(scope="module")
def served(exported: Path) -> Iterator[ModelServer]:
    """An embedded server of it."""
    with ModelServer({"unet": exported}, embedded=True) as running:
        yield running


def _rows() -> list[dict[str, Any]]:
    """Scenes of several sizes, wider than a tile, with their masks."""
    rows = []
    for number in range(COUNT):
        scenes = Scenes(seed=1, height=48 + 7 * number, width=80 - 5 * number)
        scene = scenes.scene(number)
        mask = masks.images.encode_png(scene.layout.mask)
        rows.append({"image": masks.images.encode_png(scene.image), "mask": mask})
    return rows


@pytest.mark.parametrize("way", WAYS)
def test_a_served_mask_is_the_one_that_was_judged(way: str, served: ModelServer, exported: Path) -> None:
    rows, task = _rows(), registry.resolve("unet", "shapes").task
    with opened(way, served, "unet") as client:
        columns = client.predict({"image": [row["image"] for row in rows]})
    answers: list[Any] = decode({"classes": task.label.classes}, columns)
    serialized = tf.constant([example((*task.features, task.label), row) for row in rows])
    judged = tf.saved_model.load(str(exported / "1")).signatures["evaluate"](examples=serialized)
    for row, answer, confusion in zip(rows, answers, judged["confusion"].numpy(), strict=True):
        assert isinstance(answer, Mask)
        truth = masks.pixels(row["mask"])
        assert answer.pixels.shape == truth.shape
        counted = np.zeros((4, 4), np.int64)
        np.add.at(counted, (truth, answer.pixels), 1)
        np.testing.assert_array_equal(counted, confusion)
        assert 0 < mean_iou(counted, np) <= 1
    assert len({answer.pixels.tobytes() for answer in answers}) == COUNT
