"""The report's section on a validation by resampling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import resampling
from pipelines.report import blocks
from pipelines.report.data import Section

TITLE = "Validation"
COLUMNS = {
    "mean": "mean",
    "deviation": "spread",
    "dots": "",
    "pooled": "pooled",
    "apparent": "apparent",
    "no_information": "no information",
    "point632": ".632",
    "point632plus": ".632+",
}
"""Field of an estimate -> heading of its column; only those that the method gives are shown."""

SPREAD = "The spread is the sample standard deviation over the rounds."
HELD_OUT = "In each, preprocessing, early stopping and weights know the training rows alone."
METHODS = {
    "k_fold": "{rounds} stratified folds of {examples} examples, each tested by a model that was fitted to the others. "
    + f"{HELD_OUT} {SPREAD} Pooled: over the answers of all folds.",
    "leave_one_out": "Leave-one-out: {rounds} models, each fitted without one of {examples} examples and tested on that"
    f" one. {HELD_OUT} Since most metrics of a single example say nothing, the figures are pooled: over all answers.",
    "bootstrap": "{rounds} bootstrap samples of {examples} draws with repetition (Efron 1979), each tested on the"
    f" examples that were not drawn, those out of the bag. {HELD_OUT} {SPREAD} Pooled: over the answers of all rounds.",
}
CORRECTED = (
    "A sample holds about 63.2 % of the examples alone, so that the mean out of the bag is too pessimistic; the"
    " apparent figure, of a model fitted to all examples on these same ones, is too optimistic. Hence"
    " .632 = 0.368 × apparent + 0.632 × out-of-bag (Efron 1983). The .632+ estimator raises the weight of the latter to"
    " 0.632 / (1 − 0.368 R), R = (out-of-bag − apparent) / (no information − apparent), where the model overfits; no"
    " information is the figure of its answers paired with any label (Efron and Tibshirani 1997)."
)


def sections(folders: Mapping[str, Path]) -> list[Section]:
    """The section of the artifact "validation" where there is one.

    Args:
        folders: of a run's artifacts by name.
    """
    return [section(resampling.read(str(folders["validation"])))] if "validation" in folders else []


def section(found: Mapping[str, Any]) -> Section:
    """Shows what `pipelines.resampling.validate` found."""
    metrics: Mapping[str, Mapping[str, Any]] = found["metrics"]
    shown = [name for name in COLUMNS if name == "dots" or any(name in one for one in metrics.values())]
    if not any("values" in one for one in metrics.values()):
        shown.remove("dots")
    rows = [[metric.replace("_", " "), *(_cell(one, name) for name in shown)] for metric, one in metrics.items()]
    text = METHODS[found["method"]].format(rounds=found["rounds"], examples=found["examples"])
    html = blocks.paragraph(text) + blocks.table(["metric", *(COLUMNS[name] for name in shown)], rows)
    if found["method"] == "bootstrap":
        html += blocks.paragraph(CORRECTED)
    return Section(TITLE, html)


def _cell(one: Mapping[str, Any], name: str) -> Any:
    if name != "dots":
        return one.get(name)
    known = [value for value in one.get("values", ()) if value is not None]
    return blocks.dots(known, min(known), max(known)) if known else ""
