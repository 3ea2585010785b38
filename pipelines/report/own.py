"""The sections that only some tasks and models have, from the artifacts of a run."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ann_keras import initial_weights
from ann_keras.registry import Triple
from pipelines import files, results
from pipelines.report import coefficients
from pipelines.report import sections as report_sections
from pipelines.report.data import Section
from pipelines.report.exported import Exported, bounded, labelled, records
from serving.export import parsing_spec

TRAINING_ROWS = 100
"""Rows of the training split that a task's own section on it may choose from."""
UNIT_ROWS = 10_000
"""At most so many rows of the test split are searched for the values that units stand for."""


def sections(folders: Mapping[str, Path], triple: Triple, evaluation: results.EvaluationResult) -> list[Section]:
    """What the task shows of the exported model's answers to the test split, and the model of itself."""
    module = report_sections.for_task(triple.task.name)
    exported = Exported(folders["model"] / files.SAVED_MODEL, triple.task)
    made: list[Section] = []
    if module is not None:
        uri = str(folders["examples"])
        answered = replace(exported.answered(uri, triple.settings, triple.dataset_name), evaluation=evaluation)
        examples = module.collect(triple.task, answered)
        made += module.sections(triple.task, examples)
        if hasattr(module, "inside"):
            prepare = functools.partial(_prepared, exported, uri)
            made += module.inside(triple.task, _keras_model(folders), examples, prepare)
        if hasattr(module, "training"):
            made.append(module.training(triple.task, *labelled(records(uri, "train").take(TRAINING_ROWS), triple.task)))
    return made + _model_sections(folders, triple, exported)


def _prepared(exported: Exported, uri: str, places: Sequence[int]) -> dict[str, np.ndarray]:
    """What the graph that prepares inputs makes of some examples of the test split."""
    serialized = list(records(uri, "test").take(max(places) + 1).as_numpy_iterator())
    return exported.prepare([serialized[place] for place in places])


def _keras_model(folders: Mapping[str, Path]) -> keras.Model:
    return keras.saving.load_model(folders["model"] / initial_weights.MODEL_FILE, compile=False)


def _model_sections(folders: Mapping[str, Path], triple: Triple, exported: Exported) -> list[Section]:
    """What a model shows of itself, if its module has `pictures` or `coefficients`."""
    pictures = getattr(triple.model, "pictures", None)
    weights = getattr(triple.model, "coefficients", None)
    if pictures is None and weights is None:
        return []
    model = _keras_model(folders)
    made = []
    if pictures is not None and (drawn := pictures(model, triple.task)):
        made.append(report_sections.model_section(triple.model.PICTURES_TITLE, drawn))
    if weights is not None and (found := weights(model, triple.task)):
        made.append(_coefficients(found, triple, exported, str(folders["examples"])))
    return made


def _coefficients(found: dict[str, np.ndarray], triple: Triple, exported: Exported, uri: str) -> Section:
    """The weights by the names of units, which the first rows of the test split tell."""
    task = triple.task
    units = task.inputs[0].classes
    serialized = list(records(uri, "test").take(bounded(UNIT_ROWS, len(units))).as_numpy_iterator())
    spec = parsing_spec(task.features)
    raw = {name: value.numpy() for name, value in tf.io.parse_example(serialized, spec).items()}
    prepared = exported.prepare(serialized)
    names = coefficients.unit_names(units, task.features, prepared[task.inputs[0].name], raw)
    deviation = float(prepared["scale"][0, 1]) if "scale" in prepared else None
    return coefficients.section(found, names, deviation)
