"""How a model's translations fare as their sources grow: a section of the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from pipelines.report import blocks
from pipelines.report.data import Section, Slice
from pipelines.report.figures import FIRST, SECOND, canvas

SLICED = "source_length = "
RATES = ("copy_rate", "unknown_rate", "truncation_rate")


def section(slices: Sequence[Slice], overall: dict[str, float]) -> Section:
    """The scores by the number of words in the source, and the rates of what goes wrong.

    Args:
        slices: as the Evaluator gives them; those by other than the length are left out.
        overall: the metrics of the whole test split.
    """
    parts = [(part.name.removeprefix(SLICED), part.metrics) for part in slices if part.name.startswith(SLICED)]
    text = (
        "A network that holds the source in one vector is expected to lose long ones, one with attention is not (Cho et"
        " al. 2014; Bahdanau et al. 2015). Copies are words that stand in the source and not in the reference, unknown"
        " ones have no token, and what was cut reached the longest length without an end."
    )
    counts = [_whole(metrics) for _, metrics in parts]
    named = [*parts, ("all", overall)]
    rows = [
        (name, count, *(_share(metrics.get(rate)) for rate in RATES))
        for (name, metrics), count in zip(named, [*counts, sum(counts)], strict=True)
    ]
    table = blocks.table(["source", "sentences", "copied words", "unknown words", "cut translations"], rows)
    drawn = blocks.side_by_side(*_curves(parts)) if len(parts) > 1 else Markup("")
    return Section("Length of the source", blocks.paragraph(text) + drawn + table)


def _whole(metrics: dict[str, float]) -> int:
    return int(metrics.get("example_count", 0))


def _share(value: float | None) -> str | None:
    return None if value is None or np.isnan(value) else blocks.percent(value, 2)


def _curves(parts: Sequence[tuple[str, dict[str, float]]]) -> list[Markup]:
    scores = _curve(parts, {"bleu": "BLEU", "chrf": "chrF"}, "score", (0, 102))
    return [scores, _curve(parts, {"perplexity": "per token"}, "perplexity", None)]


def _curve(
    parts: Sequence[tuple[str, dict[str, float]]],
    names: dict[str, str],
    what: str,
    limits: tuple[float, float] | None,
) -> Markup:
    """At most two metrics over the slices, by their names on the page."""
    places = range(len(parts))
    with canvas(2.8, (0.13, 0.2, 0.84, 0.69)) as drawn:
        (axes,) = drawn.axes
        for (name, label), colour, dash in zip(names.items(), (FIRST, SECOND), ("-", "--"), strict=False):
            values = [metrics.get(name, np.nan) for _, metrics in parts]
            axes.plot(places, values, f"o{dash}", color=colour, markersize=4, label=label)
        axes.set_xticks(places, [name.removesuffix(" words") for name, _ in parts])
        axes.set(xlabel="words in the source", title=f"{what.capitalize()} by length")
        if limits is not None:
            axes.set_ylim(*limits)
        axes.legend()
        first, last = ((name, metrics.get(next(iter(names)), np.nan)) for name, metrics in (parts[0], parts[-1]))
        said = f"{what} by length of the source: {first[1]:.4g} at {first[0]}, {last[1]:.4g} at {last[0]}"
        return drawn.svg(said)
