"""From the artifacts of a pipeline run to a `ReportData`, and its page."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import settings
from ann_keras.registry import Triple
from pipelines import entrypoints, files, results
from pipelines.components.example_gen import KEY, read_counts
from pipelines.components.validation import read_anomalies
from pipelines.report import sections as report_sections
from pipelines.report.data import BadExamples, ReportData, Section
from pipelines.report.render import write as write_page
from serving.export import parsing_spec

SUMMARY, PAGE = "summary.json", "report.html"
SAMPLES = 5
"""Pictures of each class."""
BATCH = 256


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
    return {**{name: getattr(data, name) for name in names}, "epochs": epochs, "step_seconds": step_seconds}


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
        history=fit["history"],
        best_epoch=fit["best_epoch"] + 1 if stopped else None,
        stopped_epoch=stopped if 0 < stopped < triple.training.epochs else None,
        metrics={**fit["metrics"], "test": evaluation.overall},
        thresholds=evaluation.thresholds,
        slices=evaluation.slices,
        folds=list(options["folds"]) or None,
        component_seconds=seconds.get("seconds", {}),
        reused=set(seconds.get("reused", ())),
        tuning=results.read_trials(str(folders["tuner_results"])) if "tuner_results" in folders else None,
        sections=[*_task_sections(folders, triple), *_model_sections(folders, triple)],
    )


def _records(uri: str, split: str) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(sorted(tf.io.gfile.glob(f"{uri}/Split-{split}/*")), "GZIP")


def _samples(uri: str, triple: Triple) -> dict[str, list[tuple[bytes, str]]]:
    """The first images of every class in the training split."""
    images = [feature for feature in triple.task.features if feature.kind == "image"]
    label = triple.task.label
    if not images or not label.classes:
        return {}
    spec = parsing_spec((images[0], label)) | {KEY: tf.io.FixedLenFeature([], tf.string, "")}
    samples: dict[str, list[tuple[bytes, str]]] = {name: [] for name in label.classes}
    for batch in _records(uri, "train").batch(BATCH).map(lambda serialized: tf.io.parse_example(serialized, spec)):
        rows = zip(batch[images[0].name].numpy(), batch[label.name].numpy(), batch[KEY].numpy(), strict=True)
        for image, index, key in rows:
            if len(samples[label.classes[index]]) < SAMPLES:
                samples[label.classes[index]].append((image, key.decode()))
        if all(len(found) == SAMPLES for found in samples.values()):
            break
    return samples


def _task_sections(folders: Mapping[str, Path], triple: Triple) -> list[Section]:
    """The task's own sections, over the exported model's answers to the test split."""
    module = report_sections.for_task(triple.task.name)
    if module is None:
        return []
    task = triple.task
    spec = parsing_spec((*task.features, task.label)) | {KEY: tf.io.FixedLenFeature([], tf.string, "")}
    signature = tf.saved_model.load(str(folders["model"] / files.SAVED_MODEL)).signatures["serving_default"]
    columns: dict[str, list[np.ndarray]] = {}
    for serialized in _records(str(folders["examples"]), "test").batch(BATCH):
        raw = tf.io.parse_example(serialized, spec)
        answers = signature(**{feature.name: raw[feature.name] for feature in task.features})
        for name, value in [*raw.items(), *((f"answer {name}", value) for name, value in answers.items())]:
            columns.setdefault(name, []).append(value.numpy())
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    answers = {name.removeprefix("answer "): value for name, value in joined.items() if name.startswith("answer ")}
    keys = [key.decode() for key in joined[KEY]]
    inputs = {feature.name: joined[feature.name] for feature in task.features}
    found: list[Section] = module.sections(task, module.collect(task, keys, inputs, joined[task.label.name], answers))
    return found


def _model_sections(folders: Mapping[str, Path], triple: Triple) -> list[Section]:
    """What a model shows of itself, if its module has `pictures`."""
    pictures = getattr(triple.model, "pictures", None)
    if pictures is None:
        return []
    model = keras.saving.load_model(folders["model"] / entrypoints.MODEL_FILE)
    return [report_sections.model_section(triple.model.PICTURES_TITLE, pictures(model, triple.task))]
