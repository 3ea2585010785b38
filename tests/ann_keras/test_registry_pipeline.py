"""The battery's second half: every registered triple on the pipeline's path. Imports TFX, which takes long."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml

from ann_keras import data
from tests.ann_keras.examples import CASES, Case, example

pytestmark = pytest.mark.slow

every_case = pytest.mark.parametrize("case", CASES, ids=str)
ROWS = 200
"""Examples that Transform analyses, where there are so many."""


@every_case
def test_schema_parses_the_examples(case: Case) -> None:
    from tensorflow_transform.tf_metadata import schema_utils

    from pipelines import schema

    task = case.triple.task
    features = (*task.features, task.label)
    spec = schema_utils.schema_as_feature_spec(schema.schema(task)).feature_spec
    rows = case.data.rows["train"][:5]
    parsed = tf.io.parse_example([example(features, row.values) for row in rows], spec)
    assert set(parsed) == {feature.name for feature in features}
    for feature in features:
        assert parsed[feature.name].dtype == feature.wire_dtype
        assert parsed[feature.name].numpy().tolist() == [row.values[feature.name] for row in rows]


@every_case
def test_same_numbers_from_script_and_pipeline(case: Case, tmp_path: Path) -> None:
    import apache_beam as beam
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam

    from pipelines import entrypoints, schema

    triple = case.triple
    task = triple.task
    features = (*task.features, task.label)
    rows = [{f.name: row.values[f.name] for f in features} for row in case.data.rows["train"][:ROWS]]
    config = {
        "triple": {
            "model": case.model,
            "dataset": triple.dataset_name,
            "task": case.task,
            "settings": triple.settings,
        }
    }
    with beam.Pipeline("FnApiRunner") as pipeline, tft_beam.Context(temp_dir=str(tmp_path / "temp")):
        raw = pipeline | beam.Create(rows)
        metadata = tft.DatasetMetadata(schema.schema(task))
        preprocess = functools.partial(entrypoints.preprocessing_fn, custom_config=config)
        analyzed = (raw, metadata) | tft_beam.AnalyzeDataset(preprocess)
        _ = analyzed | tft_beam.WriteTransformFn(str(tmp_path / "graph"))
    graph = entrypoints.TransformGraph(str(tmp_path / "graph" / "transform_fn"))
    batch = {f.name: tf.constant([row[f.name] for row in rows], f.wire_dtype) for f in features}
    piped = graph(batch)
    constants = data.analyze(task, tf.data.Dataset.from_tensor_slices(batch))
    scripted = task.preprocess(batch, constants)
    assert set(scripted) >= {task.label.name, *(feature.name for feature in task.inputs)}
    _assert_same(piped, scripted)
    # Without the label, as a server asks.
    asked = {feature.name: batch[feature.name] for feature in task.features}
    served = graph(asked)
    assert not {task.label.name, data.WEIGHT} & set(served)
    _assert_same(served, task.preprocess(asked, constants))
    _assert_same(served, {name: piped[name] for name in served}, tolerance=0)


def _assert_same(found: dict[str, tf.Tensor], expected: dict[str, tf.Tensor], tolerance: float = 1e-5) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        if values.dtype == tf.string:
            assert found[name].numpy().tolist() == values.numpy().tolist()
        else:
            np.testing.assert_allclose(found[name], values, rtol=tolerance, atol=tolerance)


@every_case
def test_pipeline_compiles_for_kubeflow(case: Case, tmp_path: Path) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

    from pipelines import factory
    from pipelines.runners import kubeflow

    paths = factory.Paths(str(tmp_path / "root"), case.model)
    here = factory.create_pipeline(case.triple, paths, factory.Options(local=True))
    there = factory.create_pipeline(case.triple, paths, factory.Options(local=False))
    kubeflow.compile_to(there, "registry.example/ann-keras:1", tmp_path / "pipeline.yaml")
    document = yaml.safe_load((tmp_path / "pipeline.yaml").read_text())
    spec = json_format.ParseDict(document, PipelineSpec())
    assert spec.pipeline_info.name == paths.name
    # TFX splits a resolver of two channels into two tasks, named after it.
    resolver = "latest_blessed_model_resolver"
    tasks = {resolver if name.startswith(f"{resolver}-") else name for name in spec.root.dag.tasks}
    assert tasks == {component.id for component in here.components}
    executors = json_format.MessageToDict(spec.deployment_spec)["executors"].values()
    containers = [executor["container"] for executor in executors if "container" in executor]
    assert len(containers) >= len(here.components) - 1  # the resolver runs in none
    assert {container["image"] for container in containers} == {"registry.example/ann-keras:1"}
