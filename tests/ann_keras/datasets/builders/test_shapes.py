"""The scenes as a TensorFlow dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ann_keras.datasets.scenes import Scenes
from ann_keras.datasets.shapes import COUNT


@pytest.mark.slow
def test_prepared_rows_are_the_scenes(tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    import ann_keras.datasets.builders.shapes  # noqa: F401

    data, info = tfds.load("shapes/small", split="train", data_dir=tmp_path, with_info=True)
    assert info.features["mask"].names == info.features["objects"]["label"].names
    assert info.supervised_keys == ("image", "mask")
    rows = list(data.as_numpy_iterator())
    scenes = {scene.caption: scene for scene in map(Scenes(0, 32, 32).scene, range(8))}
    assert sorted(row["caption"].decode() for row in rows) == sorted(scenes)
    for row in rows:
        scene = scenes[row["caption"].decode()]
        np.testing.assert_array_equal(row["image"], scene.image)
        np.testing.assert_array_equal(row["mask"][..., 0], scene.layout.mask)
        np.testing.assert_array_equal(row["instances"][..., 0], scene.layout.instances)
        np.testing.assert_allclose(row["objects"]["bbox"] * 32, scene.layout.boxes, atol=1e-5)
        np.testing.assert_array_equal(row["objects"]["label"], scene.layout.classes)
        np.testing.assert_array_equal(row["objects"]["points"], scene.layout.points)
    default = tfds.builder("shapes", data_dir=tmp_path)
    assert (default.builder_config.count, default.builder_config.scenes) == (COUNT, Scenes())
