"""The pipeline as Kubeflow Pipelines gets it, and the arguments of Beam."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format

from ann_keras import registry
from pipelines import factory
from pipelines.runners import beam
from tests.pipelines.conftest import Ann

pytestmark = pytest.mark.slow

IMAGE = "registry.example/ann-keras:1"
SPARK = "--runner=SparkRunner"


@pytest.fixture(scope="module")
def compiled(ann: Ann, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("compiled") / "below" / "pipeline.yaml"
    answer = ann("compile", "lenet5", "--image", IMAGE, "--out", out, "--beam-arg", SPARK, "--root", "gs://bucket/ann")
    assert (answer.code, answer.out, answer.err) == (0, f"{out}\n", "")
    found: dict[str, Any] = yaml.safe_load(Path(out).read_text())
    return found


def pipeline(**options: Any) -> Any:
    triple = registry.resolve("lenet5", overrides={"epochs": 1})
    return factory.create_pipeline(triple, factory.Paths("/root/of/runs", "lenet5"), factory.Options(**options))


def test_it_parses_and_has_the_components_of_a_local_run(compiled: dict[str, Any]) -> None:
    from kfp.pipeline_spec import pipeline_spec_pb2

    spec = pipeline_spec_pb2.PipelineSpec()
    json_format.ParseDict(compiled, spec)
    local = {component.id for component in pipeline().components}
    tasks = set(spec.root.dag.tasks)
    resolvers = {name for name in tasks ^ local if "resolver" in name}
    assert tasks - resolvers == local - resolvers and len(local) == 11
    executors = json_format.MessageToDict(spec.deployment_spec)["executors"].values()
    images = {one["container"]["image"] for one in executors if "container" in one}
    assert images == {IMAGE}


def test_every_executor_can_be_imported(compiled: dict[str, Any]) -> None:
    text = str(compiled)
    assert "pipelines.components.example_gen.Executor" in text and "gs://bucket/ann" in text
    assert text.count(SPARK) >= 4


def test_beam_arguments_reach_every_beam_component() -> None:
    from tfx.dsl.components.base.base_beam_component import BaseBeamComponent

    given = (SPARK, "--spark_version=3")
    made = pipeline(beam_args=given, tune=True)
    on_beam = [component for component in made.components if isinstance(component, BaseBeamComponent)]
    names = {"StratifiedExampleGen", "StatisticsGen", "Transform", "Evaluator"}
    assert {component.id for component in on_beam} >= names
    for component in on_beam:
        assert tuple(component.executor_spec.beam_pipeline_args) == given, component.id


def test_the_local_runner_is_the_default_and_can_be_set_up() -> None:
    assert beam.beam_args(()) == list(beam.LOCAL_BEAM) and "--runner=FnApiRunner" in beam.LOCAL_BEAM
    assert beam.beam_args(("--x=2",)) == [*beam.LOCAL_BEAM, "--x=2"]
    assert beam.beam_args(("--runner", "FlinkRunner")) == ["--runner", "FlinkRunner"]


def test_a_tuner_comes_before_the_trainer() -> None:
    assert "Tuner" in [component.id for component in pipeline(tune=True).components]
    assert "Tuner" not in [component.id for component in pipeline().components]
    fold = [component.id for component in pipeline(push=False).components]
    assert fold[-1] == "Evaluator" and "Pusher" not in fold
