"""What the columns of a table hold: a line for each, with a histogram."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from markupsafe import Markup

from ann_keras.task import Feature
from pipelines.report import blocks, rows, sparks
from pipelines.report.data import Column

BINS, VALUES, NAMED = 24, 12, 3
"""Bars of a histogram of numbers, of one of values, and values that are named beside it."""
HISTOGRAMS, LINES = 30, 200
"""So many columns have a histogram, and so many a line."""


def summary(feature: Feature, values: np.ndarray) -> Column:
    """What a column holds.

    Args:
        feature: the column, a number or a text.
        values: raw, float32 [rows] with NaN where it is missing, or bytes, empty where it is missing.
    """
    if feature.kind == "text":
        return _texts(feature.name, values)
    numbers = np.asarray(values, np.float64).reshape(-1)
    there = numbers[np.isfinite(numbers)]
    missing = 1 - len(there) / max(len(numbers), 1)
    if not len(there):
        return Column(feature.name, "number", len(numbers), missing)
    counts, _ = np.histogram(there, BINS)
    mean, deviation, low, high = (float(of(there)) for of in (np.mean, np.std, np.min, np.max))
    return Column(feature.name, "number", len(numbers), missing, mean, deviation, low, high, histogram=counts.tolist())


def _texts(name: str, values: np.ndarray) -> Column:
    counted = Counter(values.tolist())
    missing = counted.pop(b"", 0)
    there = len(values) - missing
    frequent = [(str(rows.cell(value)), count / max(there, 1)) for value, count in counted.most_common(VALUES)]
    histogram = [count for _, count in counted.most_common(VALUES)]
    return Column(
        name, "text", len(values), missing / max(len(values), 1), distinct=len(counted), values=frequent,
        histogram=histogram,
    )  # fmt: skip


def table(columns: Sequence[Column], training: int) -> Markup:
    """The lines, the target first where it is one of them.

    Args:
        columns: what `summary` gave.
        training: rows of the training split; fewer may have been looked at.
    """
    if not columns:
        return Markup("")
    looked = columns[0].rows
    text = f"Over the {'' if looked >= training else 'first '}{blocks.figure(looked)} rows of the training split"
    text += "; mean and deviation of numbers, the most frequent values of texts and their shares of those there are."
    if len(columns) > LINES:
        text += f" The first {LINES} of {len(columns)} columns are shown."
    made = [_line(column, place < HISTOGRAMS) for place, column in enumerate(columns[:LINES])]
    heads = ["column", "kind", "missing", "mean or most frequent", "deviation", "from", "to", "distribution"]
    return blocks.paragraph(text) + blocks.ranked_table(heads, made)


def _line(column: Column, drawn: bool) -> list[Any]:
    if column.kind == "text":
        named = ", ".join(f"{value} {blocks.percent(share, 0)}" for value, share in column.values[:NAMED])
        more = column.distinct - min(NAMED, len(column.values))
        middle: Any = f"{named} and {more} more" if more > 0 else named
    else:
        middle = None if column.mean is None else str(blocks.figure(column.mean))
    said = f"Distribution of {column.name}"
    histogram = sparks.histogram(column.histogram, said) if drawn and column.histogram else ""
    share = blocks.percent(column.missing) if column.missing else "none"
    return [column.name, column.kind, share, middle, column.deviation, _end(column.low), _end(column.high), histogram]


def _end(value: float | None) -> Any:
    return None if value is None else rows.cell(value)


def read(batches: Sequence[Mapping[str, np.ndarray]], features: Sequence[Feature], target: str) -> list[Column]:
    """What the columns hold in some batches of raw values by name; `target` is the name of what is predicted."""
    found = [summary(feature, np.concatenate([batch[feature.name] for batch in batches])) for feature in features]
    return [replace(column, kind="target") if column.name == target else column for column in found]
