"""The last component: gathers what the others left and writes the page that a person looks at."""

import json

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import (
    ExampleAnomalies,
    Examples,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    ModelRun,
    PushedModel,
    TunerResults,
)

from pipelines.components.resampler import Validation


class Report(Artifact):
    """A page: report.html, with its figures as summary.json beside it."""

    TYPE_NAME = "ann_keras.Report"


@component
def Reporter(  # noqa: N802 - a component's name
    examples: InputArtifact[Examples],
    anomalies: InputArtifact[ExampleAnomalies],
    model: InputArtifact[Model],
    model_run: InputArtifact[ModelRun],
    evaluation: InputArtifact[ModelEvaluation],
    blessing: InputArtifact[ModelBlessing],
    infra_blessing: InputArtifact[InfraBlessing],
    pushed_model: InputArtifact[PushedModel],
    report: OutputArtifact[Report],
    custom_config: Parameter[str],
    reports: Parameter[str],
    times: Parameter[str],
    tuner_results: InputArtifact[TunerResults] = None,
    validation: InputArtifact[Validation] = None,
) -> None:
    """Writes the report of a run, in the artifact and as REPORTS/<run>/report.html.

    Args:
        examples, anomalies, model, model_run, evaluation, blessing, infra_blessing, pushed_model: what the run made.
        report: receives the page, and its path as the property "path".
        custom_config: JSON with the triple and the options of the run.
        reports: folder of the model's reports.
        times: a file in which the runner keeps the seconds of each component; it need not exist.
        tuner_results: the trials of the Tuner, where it ran.
        validation: what the Resampler found, where it ran.
    """
    from pipelines.report import gather

    made = gather.Artifacts(
        examples,
        anomalies,
        model,
        model_run,
        evaluation,
        blessing,
        infra_blessing,
        pushed_model,
        tuner_results,
        validation,
    )
    path = gather.write(made, report.uri, json.loads(custom_config), reports, times)
    report.set_string_custom_property("path", str(path))
