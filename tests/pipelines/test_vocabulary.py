"""The vocabulary that Beam learns is the one that a script learns."""

from __future__ import annotations

import collections
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from ann_keras import analysis, text
from ann_keras.task import Feature
from ann_keras.tasks import sequence_to_sequence
from tests.ann_keras.test_text import CORPUS

FEATURES = {"source": Feature("source", "text"), "target": Feature("target", "text")}


@pytest.mark.slow
@pytest.mark.parametrize("joint", [False, True])
def test_transform_learns_what_a_script_learns(joint: bool, tmp_path: Path) -> None:
    import apache_beam as beam
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam

    from pipelines import entrypoints

    config = sequence_to_sequence.Config(vocabulary=80, joint=joint, max_length=12)
    task = sequence_to_sequence.bind(FEATURES, config)
    rows = [{"source": source.encode(), "target": source[::-1].encode()} for source in CORPUS]
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in FEATURES}

    def preprocess(raw: dict[str, Any]) -> dict[str, Any]:
        return task.preprocess(raw, entrypoints.TransformAnalyzers())

    with beam.Pipeline("FnApiRunner") as pipeline, tft_beam.Context(temp_dir=str(tmp_path / "temp")):
        raw = pipeline | beam.Create(rows)
        metadata = tft.DatasetMetadata.from_feature_spec(spec)
        analyzed = (raw, metadata) | tft_beam.AnalyzeDataset(preprocess)
        _ = analyzed | tft_beam.WriteTransformFn(str(tmp_path / "graph"))
    graph = entrypoints.TransformGraph(str(tmp_path / "graph" / "transform_fn"))
    batch = {name: tf.constant([row[name] for row in rows]) for name in FEATURES}
    constants = analysis.analyze(task, tf.data.Dataset.from_tensor_slices(batch))
    expected = task.preprocess(batch, constants)
    for name, value in graph(batch).items():
        assert value.numpy().tolist() == expected[name].numpy().tolist(), name
    asked = graph({"source": batch["source"]})
    assert set(asked) == {"source", "source_text", "source_length", "source_vocabulary", "target_vocabulary"}
    vocabulary = asked["target_vocabulary"].numpy()[0].decode("utf-8").split("\n")
    sides = [row["target"] for row in rows] + ([row["source"] for row in rows] if joint else [])
    words = text.words(text.normalise(tf.constant(sides), "NFC")).flat_values.numpy().tolist()
    assert vocabulary == text.learn(collections.Counter(words), 80, "pieces")
