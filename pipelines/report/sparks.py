"""Drawings of a word's size for the cells of a table: histograms and signed bars, as SVG without matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

HISTOGRAM, BAR = (120, 26), (120, 11)
"""Width and height in CSS pixels."""


def histogram(counts: Sequence[float], description: str) -> Markup:
    """A bar for each count, the highest one as high as the cell.

    Args:
        counts: >= 0.
        description: the text alternative.
    """
    width, height = HISTOGRAM
    highest, step = max(counts, default=0) or 1, width / max(len(counts), 1)
    bars = Markup("")
    for place, count in enumerate(counts):
        tall = height * count / highest
        bars += _rectangle(place * step + 0.05 * step, height - tall, 0.9 * step, tall, "--first")
    return _svg(width, height, bars, description)


def signed_bar(fraction: float, description: str) -> Markup:
    """A bar from the middle, to the right where `fraction` in [-1, 1] is positive, to the left where it is negative."""
    width, height = BAR
    middle, long = width / 2, width / 2 * min(1.0, abs(fraction))
    start = middle if fraction > 0 else middle - long
    axis = _rectangle(middle - 0.5, 0, 1, height, "--muted")
    return _svg(width, height, axis + _rectangle(start, 1, long, height - 2, _colour(fraction)), description)


def shaded(value: float, scale: float, text: str) -> Markup:
    """A figure on a ground that is the stronger the nearer `value` is to `scale`, red above 0 and blue below."""
    share = min(1.0, abs(value) / scale) if scale else 0.0
    ground = "--share-wrong" if value > 0 else "--share-right"
    style = Markup("display:block;padding:0 .4rem;text-align:right;background:rgba(var({}),{})")
    return Markup('<span style="{}">{}</span>').format(style.format(ground, round(0.75 * share, 3)), text)


def _colour(fraction: float) -> str:
    return "--second" if fraction > 0 else "--first"


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> Markup:
    numbers = (f"{number:.2f}".rstrip("0").rstrip(".") for number in (x, y, width, height))
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="var({})"/>').format(*numbers, colour)


def _svg(width: int, height: int, content: Markup, description: str) -> Markup:
    head = Markup('<svg role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">')
    return head.format(description, width, height, width, height) + content + Markup("</svg>")
