"""From the artifacts of a pipeline run to a `ReportData`, and its page."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import tensorflow as tf
from markupsafe import Markup

from ann_keras import settings
from ann_keras.registry import Triple
from pipelines import entrypoints, files, results
from pipelines.components.example_gen import KEY, read_counts
from pipelines.components.validation import read_anomalies
from pipelines.report import columns, own, resampling, tuning
from pipelines.report.data import BadExamples, Column, ReportData
from pipelines.report.exported import BATCH, bounded, records
from pipelines.report.remarks import remarks
from pipelines.report.render import write as write_page
from serving.export import parsing_spec

Value = TypeVar("Value")

SUMMARY, PAGE = "summary.json", "report.html"
SAMPLES = 5
"""Pictures of each class."""
COLUMN_ROWS = 20_000
"""At most so many rows of the training split are described by column."""


@dataclass(frozen=True)
class Artifacts:
    """What the components of a run made; each has a `uri` and properties."""

    examples: Any
    anomalies: Any
    model: Any
    model_run: Any
    evaluation: Any
    blessing: Any
    infra_blessing: Any
    pushed_model: Any
    tuner_results: Any
    validation: Any


def write(made: Artifacts, artifact: str, config: dict[str, Any], reports: str, times: str) -> str:
    """Writes page and summary into the artifact and into a folder of the run.

    Args:
        made: the artifacts.
        artifact: the report artifact's folder.
        config: the triple and the options of the run.
        reports: parent of the run's folder.
        times: JSON of seconds by component, if it exists.

    Returns:
        the path of the run's page.
    """
    triple = entrypoints.triple(config)
    now = datetime.now().astimezone()
    run = now.strftime("%Y%m%d-%H%M%S")
    with contextlib.ExitStack() as stack:
        folders = {name: stack.enter_context(files.reading(one.uri)) for name, one in vars(made).items() if one}
        fit = json.loads((folders["model_run"] / entrypoints.FIT_FILE).read_text())
        data = gather(made, folders, triple, config["options"], fit, run, now, Path(times))
        folder = stack.enter_context(files.writing(artifact))
        write_page(data, folder / PAGE)
        (folder / SUMMARY).write_text(json.dumps(_summary(data, fit["step_seconds"]), indent=2))
        _publish(folder, reports, run)
    return f"{reports}/{run}/{PAGE}"


def _publish(folder: Path, reports: str, run: str) -> None:
    """Copies the page to the run's folder, which on a disk appears with all of it or not at all."""
    if files.is_remote(reports):
        files.copy(str(folder), f"{reports}/{run}")
        return
    partial = Path(reports) / f".{run}.partial"
    files.copy(str(folder), str(partial))
    partial.replace(Path(reports) / run)


def _summary(data: ReportData, step_seconds: list[float]) -> dict[str, Any]:
    names = ("model", "dataset", "task", "run", "blessed", "reasons", "version", "metrics", "folds", "settings")
    epochs = len(next(iter(data.history.values()), []))
    more = {"epochs": epochs, "step_seconds": step_seconds, "remarks": list(data.remarks)}
    return {**{name: getattr(data, name) for name in names}, **more}


def gather(
    made: Artifacts,
    folders: Mapping[str, Path],
    triple: Triple,
    options: dict[str, Any],
    fit: dict[str, Any],
    run: str,
    now: datetime,
    times: Path,
) -> ReportData:
    """Reads every artifact once and returns what the page shows."""
    counts = read_counts(str(folders["examples"]))
    evaluation = results.read_evaluation(str(folders["evaluation"]), triple.task)
    stopped = len(next(iter(fit["history"].values()), []))
    blessed = made.blessing.get_int_custom_property("blessed") == 1
    infra = made.infra_blessing.get_int_custom_property("blessed") == 1
    seconds = json.loads(times.read_text()) if times.is_file() else {}
    label = triple.task.label
    return ReportData(
        model=triple.model_name,
        dataset=triple.dataset_name,
        task=triple.task.name,
        run=run,
        when=now.strftime("%Y-%m-%d %H:%M"),
        version=made.pushed_model.get_string_custom_property("pushed_version"),
        blessed=blessed and infra,
        reasons=results.reasons(evaluation, blessed, str(folders["infra_blessing"]) if not infra else None),
        seed=options["seed"],
        settings={**triple.settings, **fit["tuned"]},
        settings_help=settings.helps(triple.config, triple.task_config, triple.training),
        dataset_description=triple.dataset.description,
        dataset_licence=triple.dataset.licence,
        dataset_citation=triple.dataset.citation,
        counts=counts.counts,
        bad_examples=BadExamples(counts.bad_count, counts.bad_first),
        anomalies=read_anomalies(str(folders["anomalies"])),
        samples=_samples(str(folders["examples"]), triple),
        columns=_columns(str(folders["examples"]), triple),
        target=label.description or label.name if label.kind == "number" else "",
        history=_leading_first(fit["history"], triple),
        best_epoch=fit["best_epoch"] + 1 if stopped else None,
        stopped_epoch=stopped if 0 < stopped < triple.training.epochs else None,
        remarks=[*filter(None, [fit.get("initialised")]), *remarks(triple, fit["history"])],
        metrics={**fit["metrics"], "test": _leading_first(evaluation.overall, triple)},
        thresholds=evaluation.thresholds,
        slices=evaluation.slices,
        shares=bool(label.classes),
        folds=list(options["folds"]) or None,
        component_seconds=seconds.get("seconds", {}),
        reused=set(seconds.get("reused", ())),
        tuning=results.read_trials(str(folders["tuner_results"])) if "tuner_results" in folders else None,
        tuning_curves=tuning.read(folders["tuner_results"]) if "tuner_results" in folders else Markup(""),
        sections=[*resampling.sections(folders), *own.sections(folders, triple, evaluation)],
    )


def _leading_first(metrics: dict[str, Value], triple: Triple) -> dict[str, Value]:
    """What is known of each metric in the order of the task, and after them any others."""
    names = [metric.name for metric in triple.task.evaluation.metrics]

    def rank(name: str) -> int:
        plain = name.removeprefix("val_")
        return names.index(plain) if plain in names else len(names)

    return {name: metrics[name] for name in sorted(metrics, key=rank)}


def _columns(uri: str, triple: Triple) -> list[Column]:
    """The columns of a table in the first rows of the training split, a target that is a number before them; of texts
    that are answered by texts, whose values seldom occur twice, none.
    """
    label = triple.task.label
    features = [f for f in (label, *triple.task.features) if f.kind in ("number", "text") and not f.shape]
    if not features or label.kind == "text":
        return []
    spec = parsing_spec(features)
    parsed = (
        records(uri, "train")
        .take(bounded(COLUMN_ROWS, len(features)))
        .batch(BATCH)
        .map(lambda one: tf.io.parse_example(one, spec))
    )
    return columns.read(list(parsed.as_numpy_iterator()), features, triple.task.label.name)


def _samples(uri: str, triple: Triple) -> dict[str, list[tuple[bytes, str]]]:
    """The first images of every class in the training split."""
    images = [feature for feature in triple.task.features if feature.kind == "image"]
    label = triple.task.label
    if not images or label.kind != "label":
        return {}
    spec = parsing_spec((images[0], label)) | {KEY: tf.io.FixedLenFeature([], tf.string, "")}
    samples: dict[str, list[tuple[bytes, str]]] = {name: [] for name in label.classes}
    for batch in records(uri, "train").batch(BATCH).map(lambda serialized: tf.io.parse_example(serialized, spec)):
        rows = zip(batch[images[0].name].numpy(), batch[label.name].numpy(), batch[KEY].numpy(), strict=True)
        for image, index, key in rows:
            if len(samples[label.classes[index]]) < SAMPLES:
                samples[label.classes[index]].append((image, key.decode()))
        if all(len(found) == SAMPLES for found in samples.values()):
            break
    return samples
