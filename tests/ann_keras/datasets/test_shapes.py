"""The embedded scenes."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ann_keras import registry
from ann_keras.datasets.scenes import Scenes
from ann_keras.datasets.shapes import Shapes


def decoded(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)))


def test_every_row_is_its_scene() -> None:
    dataset = Shapes(310)
    shards = pickle.loads(pickle.dumps(dataset.shards()))
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 150), (150, 300), (300, 310)]
    index = dataset.index()
    rows = list(shards[-1].read())
    assert [row.key for row in rows] == index.keys[300:].tolist() == [f"shapes/{n:04d}" for n in range(300, 310)]
    for number, row in enumerate(rows, 300):
        scene = Scenes().scene(number)
        assert not row.problem
        assert set(row.values) == set(dataset.features)
        np.testing.assert_array_equal(decoded(row.values["image"]), scene.image)
        np.testing.assert_array_equal(decoded(row.values["mask"]), scene.layout.mask)
        np.testing.assert_array_equal(decoded(row.values["instances"]), scene.layout.instances)
        np.testing.assert_array_equal(row.values["boxes"], scene.layout.boxes)
        np.testing.assert_array_equal(row.values["points"], scene.layout.points)
        assert row.values["object_classes"].tolist() == scene.layout.classes.tolist()
        assert row.values["caption"].decode() == scene.caption
        seen = np.unique(scene.layout.mask)
        assert np.flatnonzero(index.contains[number]).tolist() == seen.tolist()  # type: ignore[index]
        assert index.labels[number] == np.bincount(scene.layout.mask.ravel()).argmax()


def test_what_it_says_of_itself() -> None:
    dataset = registry.open_dataset("shapes")
    index = dataset.index()
    assert len(np.unique(index.keys)) == len(index) == 1600 == dataset.shards()[-1].stop
    assert set(index.official) == {""}
    mask = dataset.features["mask"]
    assert (mask.kind, mask.shape) == ("mask", (64, 64))
    assert mask.classes == index.names == ("ground", "disc", "box", "triangle")
    assert len(set(mask.palette)) == 4
    assert "label" not in dataset.features
    # every class of objects in a third of the scenes and more, in none of them always
    assert (index.contains.mean(axis=0)[1:] > 0.33).all()  # type: ignore[union-attr]
    assert (index.contains.mean(axis=0)[1:] < 0.9).all()  # type: ignore[union-attr]


def test_the_fingerprint_changes_with_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Shapes().fingerprint() == Shapes().fingerprint()
    others = [Shapes(10), Shapes(scenes=Scenes(1)), Shapes(scenes=Scenes(most=5)), Shapes(scenes=Scenes(height=65))]
    assert len({Shapes().fingerprint(), *(other.fingerprint() for other in others)}) == 5
    before = Shapes(1).fingerprint()
    monkeypatch.setattr("ann_keras.datasets.textures.NOISE", 4.0)
    assert Shapes(1).fingerprint() != before


def test_no_scenes() -> None:
    with pytest.raises(ValueError, match="count=0: there is 1 scene at least"):
        Shapes(0)


def test_it_imports_no_tensorflow() -> None:
    code = (
        "import sys; from ann_keras.datasets import shapes\n"
        "next(shapes.load().shards()[0].read()); shapes.load().fingerprint()\n"
        "assert not {'tensorflow', 'tensorflow_datasets', 'keras'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
