"""How well a two-class mask keeps the segments of its second class apart: a section of the report."""

from __future__ import annotations

from collections.abc import Sequence

from ann_keras.datasets import masks
from ann_keras.metrics.membranes import MembraneScores, mean_scores, membrane_scores
from pipelines.report import blocks
from pipelines.report.data import Section

FOREGROUND = 1
"""The class whose connected components are compared; the other divides them."""
IMAGES = 100
"""At most so many images are compared, the first of the split."""
PUBLISHED = {
    "isbi2012": (
        ("a second human", "0.000005", "0.0021", "0.0010"),
        ("U-Net", "0.000353", "0.0382", "0.0611"),
        ("IDSIA", "0.000420", "0.0504", "0.0613"),
    )
}
"""Dataset -> what others reached on its challenge's test set: who, warping, Rand and pixel error (Ronneberger, Fischer
and Brox 2015, U-Net, table 1)."""


def section(
    dataset: str, classes: Sequence[str], keys: Sequence[str], truths: Sequence[bytes], answers: Sequence[bytes]
) -> Section:
    """The scores of every image, and their means.

    Args:
        dataset: its name, for what was published on it.
        classes: two names.
        keys: one per example.
        truths, answers: encoded masks, one per example.
    """
    pairs = list(zip(truths, answers, strict=True))[:IMAGES]
    scores = [membrane_scores(masks.pixels(truth), masks.pixels(answer), FOREGROUND) for truth, answer in pairs]
    rows = [_row("mean", mean_scores(scores)), *map(_row, keys, scores)]
    columns = ["image", "Rand error", "Rand precision", "Rand recall", "splits, bits", "merges, bits"]
    text = (
        f"The connected components of “{classes[FOREGROUND]}”, which “{classes[1 - FOREGROUND]}” divides, compared"
        " where the truth has one (foreground-restricted; Arganda-Carreras et al. 2015; no border is thinned first)."
        " The Rand error is 1 − 2PR/(P + R) over pairs of pixels: merged segments lower the precision P, split ones the"
        " recall R. Splits and merges are the halves of the variation of information, H(answer | truth) and"
        " H(truth | answer)."
    )
    if len(truths) > IMAGES:
        text += f" Of the {len(truths)} images of the test split the first {IMAGES} were compared."
    return Section("Segments", blocks.paragraph(text) + blocks.ranked_table(columns, rows) + _published(dataset))


def _row(name: str, scores: MembraneScores) -> tuple[str | float, ...]:
    return (name, *vars(scores).values())


def _published(dataset: str) -> blocks.Markup:
    rows = PUBLISHED.get(dataset, ())
    if not rows:
        return blocks.Markup("")
    text = (
        "What was published on the challenge's own test set (Ronneberger, Fischer and Brox 2015, table 1). Its labels"
        " are not public, and its scores thin the borders and take the best of several thresholds: these figures and"
        " those above are not of one scale."
    )
    heading = blocks.Markup("<h3>Published</h3>")
    return heading + blocks.paragraph(text) + blocks.table(["", "warping error", "Rand error", "pixel error"], rows)
