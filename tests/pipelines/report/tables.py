"""Small tables for the tests of reports: tasks without TensorFlow, and what a known function answers to their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ann_keras.task import Evaluation, Feature, Metric, Task
from pipelines.report.sections import Answered

COLUMNS = (
    Feature("age", "number"),
    Feature("income", "number", optional=True),
    Feature("sex", "text", optional=True, distinct=2),
)
UNITS = ("age", "income", "income is missing", "sex, value 1", "sex, value 2", "sex, another value")


def task(classes: tuple[str, ...] = ()) -> Task:
    """A classification where there are classes, else a regression: only what a report reads of it."""
    label = Feature("label", "label", classes=classes) if classes else Feature("label", "number")
    prediction = "probabilities" if classes else "value"
    return Task(
        name="classification" if classes else "regression",
        features=COLUMNS,
        label=label,
        inputs=(Feature("features", "tensor", (len(UNITS),), classes=UNITS),),
        outputs=Feature("outputs", "tensor", (len(classes) or 1,)),
        preprocess=lambda raw, analyzers: dict(raw),
        compile_args=dict,
        postprocess=lambda outputs, prepared: {prediction: outputs},
        evaluation=Evaluation((Metric("rmse", "RootMeanSquaredError"),), prediction),
    )


def inputs(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Raw values by column: a fifth of the incomes is missing."""
    random = np.random.default_rng(seed)
    income = random.normal(3000, 500, rows).astype(np.float32)
    income[::5] = np.nan
    sex = np.array([b"female", b"male"], object)[random.integers(0, 2, rows)]
    return {"age": random.uniform(20, 60, rows).astype(np.float32), "income": income, "sex": sex}


def answered(
    raw: Mapping[str, np.ndarray], labels: np.ndarray, ask: Callable[[Mapping[str, Any]], Any], **settings: Any
) -> Answered:
    """The rows with what `ask` answers to them."""
    keys = [f"row/{place:04d}" for place in range(len(labels))]
    return Answered(keys, raw, labels, ask(raw), ask, settings)
