"""TFX's ExampleValidator, whose findings fail the run."""

from __future__ import annotations

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.component import ExampleValidator
from tfx.components.example_validator.executor import Executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils


class AnomalyError(ValueError):
    """The data does not match the schema."""


class StrictExecutor(Executor):
    """Validates as TFX does, then raises if it found anything."""

    def Do(self, input_dict: Any, output_dict: Any, exec_properties: Any) -> None:  # noqa: N802 - TFX's name
        """Writes the anomalies; raises AnomalyError naming split, feature and reason of each."""
        super().Do(input_dict, output_dict, exec_properties)
        found = read_anomalies(artifact_utils.get_single_instance(output_dict["anomalies"]).uri)
        if found:
            raise AnomalyError("the data does not match the schema: " + "; ".join(found))


class StrictExampleValidator(ExampleValidator):
    """An ExampleValidator that fails the run."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(StrictExecutor)


def read_anomalies(uri: str) -> list[str]:
    """One line for each anomaly under the artifact's folder: split, feature, reason."""
    lines = []
    for folder in sorted(name.rstrip("/") for name in fileio.listdir(uri)):
        path = os.path.join(uri, folder, "SchemaDiff.pb")
        if not fileio.exists(path):
            continue
        message = anomalies_pb2.Anomalies()
        with fileio.open(path, "rb") as file:
            message.ParseFromString(file.read())
        split = folder.removeprefix("Split-")
        if message.HasField("dataset_anomaly_info"):
            lines.append(f"{split}: {message.dataset_anomaly_info.description}")
        for name, info in sorted(message.anomaly_info.items()):
            lines.append(f"{split}: feature {name!r}: {info.short_description}: {info.description}")
    return lines
