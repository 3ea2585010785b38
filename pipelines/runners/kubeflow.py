"""Compiles a pipeline for Kubeflow Pipelines v2."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.orchestration.pipeline import Pipeline


def compile_to(pipeline: Pipeline, image: str, path: str | Path) -> None:
    """Writes the pipeline as a PipelineSpec in YAML.

    Args:
        pipeline: without a connection to ML Metadata; Kubeflow has its own.
        image: the container image with this package that every component runs in.
        path: the YAML file.

    Raises:
        OSError: where the file cannot be written.
    """
    config = kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(default_image=image)
    with tempfile.TemporaryDirectory() as folder:
        runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
            config=config, output_dir=folder, output_filename="pipeline.yaml"
        )
        runner.run(pipeline=pipeline, write_out=True)
        target = Path(path).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(folder) / "pipeline.yaml", target)
