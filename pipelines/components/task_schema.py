"""The schema of a task as an artifact."""

from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Schema

from pipelines import files


@component
def TaskSchema(schema: OutputArtifact[Schema], text: Parameter[str]) -> None:  # noqa: N802 - a component's name
    """Writes a schema that was generated from a task's features.

    Args:
        schema: receives schema.pbtxt.
        text: the schema as a text proto.
    """
    with files.writing(schema.uri) as folder:
        (folder / "schema.pbtxt").write_text(text, encoding="utf-8")
