"""The weights of a linear model on a table, by the names of its units."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from ann_keras.task import Feature
from pipelines.report import blocks, rows, sparks
from pipelines.report.data import Section

TITLE = "Coefficients"
MOST = 40
"""So many units are shown, the largest coefficients first."""
DEVIATIONS = (
    " A column of numbers counts in its standard deviations over the training split, so that coefficients compare; an"
    " indicator, such as that of a text, is 0 or 1."
)


def unit_names(
    names: Sequence[str], columns: Sequence[Feature], units: np.ndarray, raw: Mapping[str, Sequence[Any]]
) -> list[str]:
    """The names of units with the values of texts in place of their numbers, where the rows show them.

    Args:
        names: as the task gives them: "sex, value 1".
        columns: the features.
        units: float [rows, units], what the exported graph makes of some rows.
        raw: values of the same rows by column.

    Returns:
        "sex = female" for the unit that is 1 in the rows whose sex is "female"; others as they were.
    """
    found = list(names)
    for column in columns:
        prefix = f"{column.name}, value "
        for place, name in enumerate(names):
            if column.kind != "text" or not name.startswith(prefix):
                continue
            shown = np.flatnonzero(units[:, place] == 1)
            if len(shown):
                found[place] = f"{column.name} = {rows.cell(raw[column.name][shown[0]])}"
    return found


def section(found: Mapping[str, np.ndarray], names: Sequence[str], deviation: float | None = None) -> Section:
    """The coefficients: signed bars for one output or two, shaded figures for classes.

    Args:
        found: what a model's `coefficients` gives: float [units] by what they are added to.
        names: of the units.
        deviation: of the target over the training split, in its own unit, where the task is a regression.
    """
    if deviation is not None:
        return _regression(found, names, deviation)
    if len(found) > 1:
        return _classes(found, names)
    ((name, values),) = found.items()
    text = (
        f"What each unit adds to the log-odds of “{name}”, and the factor by which the odds change with it."
        f"{DEVIATIONS}{_left_out(values)}"
    )
    return Section(TITLE, blocks.paragraph(text) + _bars(values, names, ("factor of the odds", np.exp)))


def _regression(found: Mapping[str, np.ndarray], names: Sequence[str], deviation: float) -> Section:
    values = found["mean"]
    text = (
        f"What each unit adds to the answer: in standard deviations of the target, {deviation:.4g} each, and in its own"
        f" unit.{DEVIATIONS}{_left_out(values)}"
    )
    own: tuple[str, Callable[[Any], Any]] = ("in the target's unit", lambda value: value * deviation)
    body = blocks.paragraph(text) + _bars(values, names, own)
    noise = found.get("log-variance")
    if noise is not None:
        text = "What each unit adds to the logarithm of the noise's variance, and the factor by which sigma changes."
        factor: tuple[str, Callable[[Any], Any]] = ("factor of sigma", lambda value: np.exp(value / 2))
        body += blocks.paragraph(text + _left_out(noise)) + _bars(noise, names, factor)
    return Section(TITLE, body)


def _bars(values: np.ndarray, names: Sequence[str], own: tuple[str, Callable[[Any], Any]]) -> Markup:
    """Bars beside the figures, and beside them what they mean in another unit."""
    head, converted = own
    largest = float(np.max(np.abs(values))) or 1.0
    made = [
        (
            names[place],
            float(values[place]),
            sparks.signed_bar(float(values[place]) / largest, f"{names[place]}: {values[place]:.4g}"),
            float(converted(float(values[place]))),
        )
        for place in _largest(np.abs(values))
    ]
    return blocks.ranked_table(["unit", "coefficient", "", head], made)


def _classes(found: Mapping[str, np.ndarray], names: Sequence[str]) -> Section:
    """A map of units by classes."""
    values = np.stack(list(found.values()), axis=1)
    scale = float(np.max(np.abs(values)))
    made = [
        (names[place], *(sparks.shaded(value, scale, _figure(value)) for value in values[place].tolist()))
        for place in _largest(np.max(np.abs(values), axis=1))
    ]
    text = (
        "What each unit adds to the score of each class; the class with the highest score is the answer, and a constant"
        f" added to a whole row changes nothing.{DEVIATIONS}{_left_out(values)}"
    )
    return Section(TITLE, blocks.paragraph(text) + blocks.ranked_table(["unit", *found], made))


def _figure(value: float) -> str:
    """A coefficient; one that is exactly 0 is told from one that is rounded to it."""
    return str(blocks.figure(value)) if value else "0"


def _largest(sizes: np.ndarray) -> list[int]:
    order: list[int] = np.argsort(-sizes, kind="stable")[:MOST].tolist()
    return order


def _left_out(values: np.ndarray) -> str:
    """How many coefficients are exactly zero, and how many units are not shown."""
    zeros = int(np.sum(values == 0))
    text = f" {zeros} of {values.size} coefficients are exactly 0."
    return text if len(values) <= MOST else f"{text} The {MOST} largest of {len(values)} units are shown."
