"""Figures about answers to the rows of a table, in the style of `figures`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from pipelines.report.blocks import figure
from pipelines.report.classification import Ranking
from pipelines.report.figures import FIRST, GOOD, INK, SECOND, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 600
"""More points than this are drawn as shaded hexagons, and a curve is thinned to this many."""
HEXAGONS = 28
"""Beside each other."""
RESIDUAL_BINS, TRANSFORM_BINS = 40, 10
"""At most so many bars of residuals; the transform always has the same."""
BOX = (0.16, 0.14, 0.81, 0.75)


def operating_characteristic(found: Ranking) -> Markup:
    """Draws the share of the class over the share of the others that a threshold lets through."""
    with canvas(3.4, BOX) as drawn:
        (axes,) = drawn.axes
        axes.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="by chance")
        _step(axes, found.false_positive, found.true_positive, "model")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="false positive rate", ylabel="true positive rate")
        axes.set_title(f"ROC curve: area {found.area:.4f}")
        axes.legend(loc="lower right")
        return drawn.svg(f"Receiver operating characteristic with an area of {found.area:.4f} under it")


def precision_recall(found: Ranking, share: float) -> Markup:
    """Draws precision over recall, and the precision by chance, which is the class's share."""
    with canvas(3.4, BOX) as drawn:
        (axes,) = drawn.axes
        axes.plot([0, 1], [share, share], "--", color=INK, linewidth=1, label="by chance")
        _step(axes, found.recall, found.precision, "model")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
        axes.set_title(f"Precision and recall: average precision {found.average_precision:.4f}")
        axes.legend(loc="lower left")
        return drawn.svg(f"Precision over recall, average precision {found.average_precision:.4f}")


def _step(axes: Axes, x: np.ndarray, y: np.ndarray, label: str) -> None:
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    axes.plot(x[chosen], y[chosen], color=FIRST, label=label)


def answers_against_truth(truth: np.ndarray, answers: np.ndarray) -> Markup:
    """Draws the answers, float [rows], over the targets, with the diagonal on which they are equal."""
    with canvas(3.6, BOX) as drawn:
        (axes,) = drawn.axes
        _cloud(axes, truth, answers)
        ends = [min(truth.min(), answers.min()), max(truth.max(), answers.max())]
        axes.plot(ends, ends, "--", color=INK, linewidth=1, label="answer = target")
        axes.set(xlabel="target", ylabel="answer", title="Answer against target")
        axes.legend(loc="upper left")
        return drawn.svg(f"Answers against targets of {len(truth)} rows, targets from {ends[0]:.4g} to {ends[1]:.4g}")


def over_answers(answers: np.ndarray, values: np.ndarray, name: str, zero: bool) -> Markup:
    """Draws something about each row, float [rows], over its answer; `zero` adds a line at 0."""
    with canvas(3.6, BOX) as drawn:
        (axes,) = drawn.axes
        _cloud(axes, answers, values)
        if zero:
            axes.axhline(0.0, color=INK, linewidth=1, linestyle="--")
        else:
            axes.set_ylim(0, 1.05 * float(np.max(values)) or 1.0)
        axes.set(xlabel="answer", ylabel=name, title=f"{name.capitalize()} against answer")
        return drawn.svg(f"{name} against answer of {len(answers)} rows")


def _cloud(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Points, or hexagons whose shade is the logarithm of how many they hold."""
    from matplotlib.colors import to_rgba

    if len(x) <= POINTS:
        axes.plot(x, y, "o", color=FIRST, alpha=0.55, markersize=3.5, markeredgewidth=0)
        return
    cells = axes.hexbin(x, y, gridsize=HEXAGONS, mincnt=1, linewidths=0)
    counts = np.asarray(cells.get_array(), np.float64)
    shades = 0.15 + 0.85 * np.log1p(counts) / np.log1p(counts.max())
    # Shades of the page's own colour, which a colour map could not follow into a dark theme.
    cells.set_array(None)
    cells.set_facecolor([to_rgba(FIRST, shade) for shade in shades])


def residuals(errors: np.ndarray) -> Markup:
    """Draws how often each size of error, float [rows], occurs, beside the normal density of the same moments."""
    mean, deviation = float(np.mean(errors)), float(np.std(errors))
    with canvas(3.0, BOX) as drawn:
        (axes,) = drawn.axes
        bins = min(len(np.histogram_bin_edges(errors, "auto")) - 1, RESIDUAL_BINS)
        axes.hist(errors, bins, density=True, color=FIRST, alpha=0.6, label="target - answer")
        if deviation:
            x = np.linspace(float(np.min(errors)), float(np.max(errors)), 200)
            density = np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
            axes.plot(x, density, color=SECOND, label="Gaussian of the same variance")
        axes.set(
            xlabel="residual", ylabel="density", title=f"Residuals: mean {figure(mean)}, deviation {figure(deviation)}"
        )
        _leave_room(axes)
        axes.legend(loc="upper left")
        return drawn.svg(f"Histogram of {len(errors)} residuals with mean {mean:.4g} and deviation {deviation:.4g}")


def coverages(nominal: np.ndarray, found: np.ndarray, rows: int) -> Markup:
    """Draws the coverage of intervals over their nominal one, both float [levels] in [0, 1].

    The band holds 95 % of what `rows` rows would show if the intervals were right: 1.96 standard errors of a share.
    """
    band = 1.96 * np.sqrt(nominal * (1 - nominal) / rows)
    with canvas(3.4, BOX) as drawn:
        (axes,) = drawn.axes
        axes.fill_between(
            nominal, nominal - band, nominal + band, color=INK, alpha=0.15, linewidth=0, label="by chance"
        )
        axes.plot([0.5, 1], [0.5, 1], "--", color=INK, linewidth=1, label="calibrated")
        axes.plot(nominal, found, "o-", color=FIRST, markersize=4, label="test split")
        axes.set(xlabel="nominal", ylabel="share of targets inside", title="Coverage of the intervals", xlim=(0.49, 1))
        axes.legend(loc="upper left")
        return drawn.svg(
            f"Coverage of intervals: from {found[0]:.3f} at {nominal[0]} to {found[-1]:.3f} at {nominal[-1]}"
        )


def transform_histogram(values: np.ndarray) -> Markup:
    """Draws the probability integral transform, float [rows] in [0, 1]: flat where the distribution is right."""
    with canvas(3.0, BOX) as drawn:
        (axes,) = drawn.axes
        axes.hist(values, TRANSFORM_BINS, range=(0, 1), density=True, color=FIRST, alpha=0.6, rwidth=0.92)
        axes.axhline(1.0, color=GOOD, linewidth=1, linestyle="--", label="calibrated")
        axes.set(xlim=(0, 1), xlabel="distribution function at the target", ylabel="density")
        axes.set_title("Probability integral transform")
        _leave_room(axes)
        axes.legend(loc="upper right")
        return drawn.svg(f"Histogram of the probability integral transform of {len(values)} rows")


def _leave_room(axes: Axes) -> None:
    """Keeps the bars of a histogram away from its legend."""
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])
