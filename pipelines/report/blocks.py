"""The pieces that pages are made of, for sections that a task or a model adds: tables, bars, badges, grids of pictures.

Each returns markup in which every value was escaped.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report import pictures as encoding

MANY = 30
"""A table or grid with more rows than this is folded away at first."""

Picture = tuple[bytes, str, str]
"""An encoded image, its caption, and the text that stands for it where it cannot be seen."""


def figure(value: Any) -> Any:
    """A number as a page shows it: four significant digits, but no digit before the point is lost up to a billion;
    whole numbers in full; anything else as it is.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    number = float(value)
    if math.isnan(number):
        return "–"
    if 1e3 <= abs(number) < 1e9:
        return figure(round(number))
    return f"{number:.4f}" if number == 0 or 0.001 <= abs(number) <= 1 else f"{number:.4g}"


def percent(share: float, digits: int = 1) -> str:
    """A share in per cent."""
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def seconds(value: float) -> str:
    """A duration: "0.42 s", "8.3 s", "71 s", "12 min 5 s"."""
    if value < 120:
        return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    whole = round(value)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s"


def shown(data: bytes, size: str = "") -> str:
    """An encoded image as a data URI, for a grid of the `size`; "" where no browser would show it."""
    try:
        return encoding.data_uri(data, encoding.WIDE_SIDE if size == "four" else encoding.THUMBNAIL_SIDE)
    except ValueError:
        return ""


@functools.cache
def environment() -> Environment:
    """The templates beside this file, with autoescaping and the filters that they use."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    made.filters.update(figure=figure, seconds=seconds, data_uri=shown)
    made.globals["MANY"] = MANY
    return made


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table that scrolls inside its own box; the first column names the row, numbers are aligned to the right."""
    kept = [list(row) for row in rows]
    made = _table(columns, kept)
    return folded(f"{len(kept)} rows", made) if len(kept) > MANY else made


def ranked_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table whose first `MANY` rows matter most: the others are folded away."""
    kept = [list(row) for row in rows]
    first, rest = _table(columns, kept[:MANY]), kept[MANY:]
    return first + folded(f"{len(rest)} more rows", _table(columns, rest)) if rest else first


def _table(columns: Sequence[str], kept: Sequence[Sequence[Any]]) -> Markup:
    numeric = [
        index
        for index in range(1, len(columns))
        if kept and all(isinstance(row[index], numbers.Real | None) for row in kept)
    ]
    return _macro("table", columns, kept, numeric)


def pictures(items: Iterable[Picture], size: str = "medium") -> Markup:
    """A grid of pictures with captions; `size` is "small", "medium", "large", or "four" for four columns, two on a
    telephone.
    """
    return _macro("pictures", list(items), size)


def legend(items: Iterable[tuple[str, Sequence[int]]]) -> Markup:
    """Names, each beside a swatch of its colour (red, green, blue)."""
    kept = [(name, "#{:02x}{:02x}{:02x}".format(*colour)) for name, colour in items]
    made = _macro("legend", kept)
    return folded(f"{len(kept)} colours", made) if len(kept) > MANY else made


def scale(low: str, high: str) -> Markup:
    """The colours of `pictures.scale_png`, with what their ends stand for."""
    return _macro("scale", encoding.scale_css(), low, high)


def bar(fraction: float, text: str = "", quiet: bool = False) -> Markup:
    """A horizontal bar, filled to `fraction` in [0, 1], with a text behind it; `quiet` draws it pale."""
    return _macro("bar", 0.0 if math.isnan(fraction) else min(1.0, max(0.0, fraction)), text, quiet)


def badge(passed: bool | None, yes: str = "passed", no: str = "failed") -> Markup:
    """The outcome of a condition; None where there is none."""
    return _macro("badge", passed, yes, no)


def dots(values: Sequence[float], low: float, high: float) -> Markup:
    """Values as dots on a line from `low` to `high`."""
    span = (high - low) or 1.0
    return _macro("dots", [min(1.0, max(0.0, (value - low) / span)) for value in values])


def confusion(matrix: np.ndarray, classes: Sequence[str], shares: bool = False) -> Markup:
    """A confusion matrix, int [classes, classes] with the true class in rows, as a table of shaded counts.

    With `shares` the cells hold the share of the true class in per cent, and the counts, which may be long, stand in
    their titles.
    """
    parts = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    rows = [
        [
            (count, round(part, 3), _share_text(count, part) if shares else count)
            for count, part in zip(*pair, strict=True)
        ]
        for pair in zip(matrix.tolist(), parts.tolist(), strict=True)
    ]
    return _macro("confusion", rows, list(classes), shares)


def _share_text(count: int, part: float) -> str:
    """A share in few characters; what is neither none nor all is not rounded to it."""
    if count == 0 or part == 1:
        return f"{100 * part:.0f}"
    return "<0.1" if part < 0.0005 else f"{min(100 * part, 99.9):.1f}"


def paragraph(text: str) -> Markup:
    """A paragraph."""
    return Markup("<p>{}</p>").format(text)


def sentence(text: str) -> str:
    """A line as a sentence: with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def side_by_side(*parts: Markup) -> Markup:
    """Parts beside each other where the page is wide enough, else below each other."""
    return Markup('<div class="beside">{}</div>').format(
        Markup("").join(Markup("<div>{}</div>").format(p) for p in parts)
    )


def folded(summary: str, content: Markup) -> Markup:
    """Content that shows when its summary is clicked."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, content)


def _macro(name: str, *arguments: Any) -> Markup:
    module = environment().get_template("blocks.html.jinja").module
    return Markup(getattr(module, name)(*arguments))
