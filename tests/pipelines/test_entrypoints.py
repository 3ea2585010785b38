"""The graph that Transform wrote, where the label is absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.datasets.images import encode_png
from pipelines.entrypoints import TransformGraph


@pytest.fixture
def graph(tmp_path: Path) -> TransformGraph:
    """Of an image, a mask and a number: what follows from the mask at once, over several steps, and in a loop."""

    def transform(raw: dict[str, Any]) -> dict[str, Any]:
        image, mask, number = raw["image"], raw["mask"], raw["number"]
        lengths = tf.strings.length(mask)
        looped = tf.map_fn(lambda item: tf.io.decode_png(item)[0, 0, 0], mask, fn_output_signature=tf.uint8)
        return {
            "mask": looped,
            "truth": tf.identity(mask),
            "weight": tf.cast(lengths, tf.float32)[:, tf.newaxis] * number,
            "both": tf.strings.join([image, mask]),
            "encoded": tf.identity(image),
            "doubled": 2 * number,
            "constant": tf.constant([1, 2, 3]),
        }

    module = tf.Module()
    spec = {
        "image": tf.TensorSpec([None], tf.string),
        "mask": tf.TensorSpec([None], tf.string),
        "number": tf.TensorSpec([None, 2], tf.float32),
    }
    module.transform_fn = tf.function(transform).get_concrete_function(spec)
    tf.saved_model.save(module, str(tmp_path / "graph"))
    return TransformGraph(str(tmp_path / "graph"))


MASKS = [encode_png(np.full((1, 1), value, np.uint8)) for value in (5, 3)]
RAW = {
    "image": tf.constant(["a", "b"]),
    "mask": tf.constant(MASKS),
    "number": tf.constant([[1.0, 2], [3, 4]]),
}


def test_all_that_was_given_is_answered(graph: TransformGraph) -> None:
    found = graph(RAW)
    assert set(found) == {"mask", "truth", "weight", "both", "encoded", "doubled", "constant"}
    assert found["mask"].numpy().tolist() == [5, 3]
    assert found["weight"].numpy().tolist() == (RAW["number"].numpy() * [[len(mask)] for mask in MASKS]).tolist()


@pytest.mark.parametrize(
    ("absent", "expected"),
    [
        ({"mask"}, {"encoded", "doubled", "constant"}),
        ({"image"}, {"mask", "truth", "weight", "doubled", "constant"}),
        ({"number", "mask"}, {"encoded", "constant"}),
    ],
    ids=str,
)
def test_what_follows_from_an_absent_feature_is_left_out(
    graph: TransformGraph, absent: set[str], expected: set[str]
) -> None:
    given = {name: value for name, value in RAW.items() if name not in absent}
    found = graph(given)
    assert set(found) == expected
    whole = graph(RAW)
    for name, value in found.items():
        assert value.numpy().tolist() == whole[name].numpy().tolist()
