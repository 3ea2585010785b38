"""The schema of a task as an artifact."""

import os

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema


@component
def TaskSchema(schema: OutputArtifact[Schema], text: Parameter[str]) -> None:  # noqa: N802 - a component's name
    """Writes a schema that was generated from a task's features.

    Args:
        schema: receives schema.pbtxt.
        text: the schema as a text proto.
    """
    os.makedirs(schema.uri, exist_ok=True)
    with open(os.path.join(schema.uri, "schema.pbtxt"), "w", encoding="utf-8") as file:
        file.write(text)
