"""The report's curves of a search: the score over each searched number."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipelines.components.tuner import TRIALS_FILE
from pipelines.report import blocks
from pipelines.report.figures import FIRST, GOOD, canvas

HEIGHT, BOX = 2.7, (0.17, 0.18, 0.80, 0.70)


@dataclass(frozen=True)
class Point:
    """A trial as a point of a curve.

    Attributes:
        value: of the setting.
        score: mean over the trial's folds.
        spread: their sample standard deviation; None of a single one.
        best: whether the search chose it.
    """

    value: float
    score: float
    spread: float | None
    best: bool


def read(folder: Path) -> Markup:
    """The curves of the search whose tuner_results artifact is in `folder`."""
    return curves(json.loads((folder / TRIALS_FILE).read_text()))


def curves(found: Mapping[str, Any]) -> Markup:
    """A figure for each number that was searched, and a sentence on what is drawn.

    Args:
        found: as of `pipelines.tuning.TripleTuner.told`.
    """
    trials, metric = found["trials"], found["metric"]
    if not trials or not found["spaces"]:
        return Markup("")
    folds = len(trials[0]["folds"])
    text = "Each dot is a trial, the score of its evaluation split over the setting's value; the best is marked."
    if folds > 1:
        text = (
            f"Each dot is a trial, its mean score over {folds} stratified folds of the training and evaluation examples"
            " over the setting's value, with a bar of one sample standard deviation of the folds; the best is marked."
        )
    drawn = [
        _curve(name, space["log"], points(name, metric, trials), metric) for name, space in found["spaces"].items()
    ]
    return blocks.paragraph(text) + blocks.side_by_side(*drawn)


def points(name: str, metric: str, trials: Sequence[Mapping[str, Any]]) -> list[Point]:
    """The trials by ascending value of one setting.

    Args:
        name: of the setting.
        metric: that scores.
        trials: the best first.
    """
    found = []
    for place, trial in enumerate(trials):
        scores = [fold[metric] for fold in trial["folds"]]
        spread = statistics.stdev(scores) if len(scores) > 1 else None
        found.append(Point(float(trial["settings"][name]), float(trial["score"]), spread, place == 0))
    return sorted(found, key=lambda point: point.value)


def _curve(name: str, log: bool, trials: Sequence[Point], metric: str) -> Markup:
    words = metric.replace("_", " ")
    with canvas(HEIGHT, BOX) as drawn:
        (axes,) = drawn.axes
        values, scores = [point.value for point in trials], [point.score for point in trials]
        spreads = [point.spread or 0.0 for point in trials]
        axes.errorbar(
            values, scores, yerr=spreads, fmt="o-", color=FIRST, markersize=4, linewidth=1, elinewidth=1, capsize=2
        )
        (best,) = (point for point in trials if point.best)
        label = f"best: {best.value:.3g}"
        axes.plot([best.value], [best.score], "o", color=GOOD, markersize=8, fillstyle="none", label=label)
        if log:
            axes.set_xscale("log")
        axes.set(xlabel=name, title=words)
        axes.legend()
        return drawn.svg(
            f"{words} over {name} in {len(trials)} trials; the best is {best.score:.4g} at {best.value:.4g}"
        )
