"""What a task adds to a report: one module for each task that has something to show, named as the task.

A module here offers

    collect(task, answered) -> its own dataclass of examples
    sections(task, examples) -> list[Section]
    training(task, keys, raw) -> Section
    inside(task, model, examples, prepare) -> list[Section]

the third where it shows examples of the training split otherwise than by their class, the last where the Keras model
that was trained can say more of the `examples` than the exported one: `prepare` makes, of their places in the test
split, what the graph that prepares inputs gives. `for_task` finds the module. A task without one has the sections that
every report has.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.report import blocks, pictures
from pipelines.report.data import Section
from pipelines.report.importance import Ask

if TYPE_CHECKING:
    from pipelines.results import EvaluationResult

STRONGEST = 0.99
"""The quantile of a model's weights that gets the full colour."""


@dataclass(frozen=True)
class Answered:
    """The test split and what the exported model answers to it.

    Attributes:
        keys: one per example.
        inputs: raw values by feature, one per example.
        labels: raw, int64 or float32 [examples], or bytes.
        answers: what postprocess names, one per example.
        ask: the exported model, for other inputs.
        settings: of the triple, by name.
        dataset: its name.
        evaluation: what the Evaluator found on the split; None where there was none.
    """

    keys: Sequence[str]
    inputs: Mapping[str, Sequence[Any]]
    labels: np.ndarray
    answers: Mapping[str, Any]
    ask: Ask
    settings: Mapping[str, Any]
    dataset: str = ""
    evaluation: EvaluationResult | None = None


def for_task(task_name: str) -> ModuleType | None:
    """Returns the module of the sections of a task; None where it has none."""
    name = f"{__name__}.{task_name}"
    if not task_name.isidentifier() or importlib.util.find_spec(name) is None:
        return None
    return importlib.import_module(name)


def model_section(title: str, drawn: dict[str, np.ndarray], text: str = "") -> Section:
    """Returns a section with a model's own pictures, such as the templates of a linear classifier.

    Args:
        title: the heading.
        drawn: caption -> float [height, width] or [height, width, channels], signed. All share one scale of colours,
            with zero in the neutral middle, which a few outliers do not pale.
        text: a sentence above them.
    """
    sizes = np.abs(np.concatenate([np.ravel(values) for values in drawn.values()])) if drawn else np.zeros(1)
    scale = float(np.quantile(sizes, STRONGEST))
    items = [(pictures.signed_png(values, scale), caption, f"{title}: {caption}") for caption, values in drawn.items()]
    body = blocks.pictures(items)
    return Section(title, blocks.paragraph(text) + body if text else body)
