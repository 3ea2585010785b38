"""Figures drawn by matplotlib as inline SVG that takes its colours from the page, so that it follows a dark theme.

Matplotlib is imported when the first figure is drawn, without pyplot. A figure is as wide as a phone; everything that
HTML draws as well (bars, tables, grids of pictures, dots) is in `blocks`.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from pipelines.report.classification import Bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Matplotlib draws with these, the page replaces them by its own.
INK, LINE, FIRST, SECOND, GOOD = "#010101", "#020202", "#030303", "#040404", "#050505"
THEME = {INK: "--muted", LINE: "--line", FIRST: "--first", SECOND: "--second", GOOD: "--good"}

WIDTH = 4.1
"""Inches. 394 CSS pixels, a little more than a phone shows, so that 9 pt text stays readable there."""

IMAGE_DPI = 200
"""Of pixels inside a figure; lines and text have none."""

NAMED = 24
"""At most so many classes are named along the side of a heat map."""

STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
}


def learning_curves(
    history: Mapping[str, Sequence[float]], best_epoch: int | None = None, stopped_epoch: int | None = None
) -> dict[str, Markup]:
    """Draws each metric over the epochs, on the training and the validation split.

    Args:
        history: metric -> its value after each epoch; "val_" in front of it on the validation split.
        best_epoch: the epoch whose weights were kept, from 1; None where that is unknown.
        stopped_epoch: the epoch after which early stopping ended the training; None where it did not.

    Returns:
        A figure for each metric, by name.
    """
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    return {name: _curve(name, history, best_epoch, stopped_epoch) for name in names}


def _curve(
    name: str, history: Mapping[str, Sequence[float]], best_epoch: int | None, stopped_epoch: int | None
) -> Markup:
    train, validation = history.get(name, ()), history.get(f"val_{name}", ())
    with canvas(2.5, (0.13, 0.17, 0.84, 0.72)) as drawn:
        (axes,) = drawn.axes
        for values, label, colour, dash in ((train, "train", FIRST, "--"), (validation, "validation", SECOND, "-")):
            if len(values):
                marker = "o" if len(values) < 4 else ""
                epochs = range(1, len(values) + 1)
                axes.plot(epochs, values, dash, marker=marker, markersize=4, color=colour, label=label)
        if best_epoch is not None:
            axes.axvline(best_epoch, color=GOOD, linewidth=1, label=f"best epoch: {best_epoch}")
            if best_epoch <= len(validation):
                axes.plot([best_epoch], [validation[best_epoch - 1]], "o", color=GOOD, markersize=5)
        if stopped_epoch is not None:
            label = f"early stopping: {stopped_epoch}"
            axes.axvline(stopped_epoch, color=INK, linewidth=1.2, linestyle=":", label=label)
        last = max(len(train), len(validation))
        axes.set(xlabel="epoch", title=name.replace("_", " "), xlim=(0.5, last + 0.5))
        axes.locator_params(axis="x", integer=True)
        axes.legend()
        said = f"{name} over {last} epochs"
        if len(validation):
            said += f"; on the validation split from {validation[0]:.4g} to {validation[-1]:.4g}"
        return drawn.svg(said)


def reliability_diagram(bins: Bins, error: float) -> Markup:
    """Draws accuracy over confidence, and how many answers each bin holds.

    Args:
        bins: the answers by confidence.
        error: the expected calibration error, in [0, 1].
    """
    from matplotlib.ticker import EngFormatter

    edges = np.linspace(0.0, 1.0, len(bins.counts) + 1)
    centres, width = (edges[:-1] + edges[1:]) / 2, 0.9 / len(bins.counts)
    filled = bins.counts > 0
    with canvas(3.8, (0.13, 0.38, 0.84, 0.50), (0.13, 0.12, 0.84, 0.18)) as drawn:
        axes, histogram = drawn.axes
        axes.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="calibrated")
        axes.bar(centres[filled], bins.accuracy[filled], width, color=FIRST, alpha=0.75, label="accuracy")
        axes.plot(
            bins.confidence[filled], bins.accuracy[filled], "o", color=SECOND, markersize=4, label="mean confidence"
        )
        axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
        axes.set_title(f"expected calibration error {error:.4f}", pad=20)
        # Above the axes: an overconfident model's bars leave room on the left, another's do not.
        axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=1.2, handlelength=1.4)
        axes.tick_params(labelbottom=False)
        histogram.bar(centres, bins.counts, width, color=FIRST, alpha=0.75)
        histogram.set(xlim=(0, 1), xlabel="confidence", ylabel="answers")
        histogram.locator_params(axis="y", nbins=2)
        histogram.yaxis.set_major_formatter(EngFormatter(sep=""))  # 5k: room for the label whatever the number
        return drawn.svg(f"Reliability diagram: expected calibration error {error:.4f} over {len(centres)} bins")


def heat_map(matrix: np.ndarray, classes: Sequence[str]) -> Markup:
    """Draws a confusion matrix of many classes; every n-th class is named.

    Args:
        matrix: int [classes, classes]; true class in rows, answer in columns.
        classes: the names.
    """
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    places = range(0, len(classes), max(1, -(-len(classes) // NAMED)))
    names = [name if len(name) <= 13 else f"{name[:12]}…" for name in (classes[place] for place in places)]
    with canvas(WIDTH, (0.24, 0.24, 0.74, 0.74)) as drawn:
        (axes,) = drawn.axes
        axes.imshow(share, cmap="viridis", vmin=0.0, vmax=1.0, interpolation="nearest")
        axes.set_xticks(places, names, rotation=90, fontsize=7)
        axes.set_yticks(places, names, fontsize=7)
        axes.set(xlabel="answer", ylabel="true class")
        axes.grid(visible=False)
        return drawn.svg(f"Confusion matrix of {len(classes)} classes, each row divided by its sum")


LONG = 1e4
"""From here on the labels of an axis are shortened."""


class Canvas:
    """A figure with its axes, and the element that was made of it."""

    def __init__(self, height: float, boxes: Sequence[Sequence[float]]) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(WIDTH, height))
        self.axes: list[Axes] = [self.figure.add_axes((box[0], box[1], box[2], box[3])) for box in boxes]

    def svg(self, description: str) -> Markup:
        """Returns an `svg` element that has `description` as its text alternative."""
        import matplotlib

        self._shorten()
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        # Without a salt of their own, two figures on a page would share the names of their clipping paths.
        with matplotlib.rc_context({"svg.hashsalt": description}):
            self.figure.savefig(buffer, format="svg", transparent=True, metadata=metadata, dpi=IMAGE_DPI)
        text = buffer.getvalue()
        text = text[text.index("<svg") :]
        text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r' id="(?:figure|axes|patch|line2d|text|legend|xtick|ytick|matplotlib\.axis)_\d+"', "", text)
        for colour, variable in THEME.items():
            text = text.replace(colour, f"var({variable})")
        label = Markup('<svg class="plot" role="img" aria-label="{}"').format(description)
        return Markup(text.replace("<svg", label, 1))

    def _shorten(self) -> None:
        """Writes 350 000 as 350k at the axes, where there is no room for more."""
        from matplotlib.ticker import EngFormatter, MaxNLocator, ScalarFormatter

        for axes in self.axes:
            for axis in (axes.xaxis, axes.yaxis):
                plain = isinstance(axis.get_major_formatter(), ScalarFormatter)
                if plain and max(map(abs, axis.get_view_interval())) >= LONG:
                    axis.set_major_formatter(EngFormatter(sep=""))
                    axis.set_major_locator(MaxNLocator(5))


@contextmanager
def canvas(height: float, *boxes: Sequence[float]) -> Iterator[Canvas]:
    """Yields a figure `height` inches high with axes at (left, bottom, width, height) of 1, in the page's style."""
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield Canvas(height, boxes)
