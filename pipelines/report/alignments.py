"""How much the tokens of a target attend to those of its source: matrices with the tokens at their sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from ann_keras import text
from pipelines.report import blocks, pictures

MOST = 48
"""Tokens of either side that are drawn."""
LETTERS = 16
"""Of a token beside a matrix."""
SAME = 1e-5
"""A matrix whose rows differ by no more looks nowhere."""


def matrix(weights: np.ndarray, source: Sequence[str], target: Sequence[str], description: str) -> Markup:
    """A table of shaded cells, the tokens of the target from top to bottom.

    Args:
        weights: float32 [target, source] in [0, 1].
        source, target: the tokens.
        description: the text that stands for it.
    """
    kept = np.round(np.asarray(weights, np.float64)[:MOST, :MOST], 2)
    # The shortest decimals: a page holds thousands of cells.
    rows = [
        (name_of(token), [f"{weight:.2g}" for weight in row])
        for token, row in zip(target[:MOST], kept.tolist(), strict=True)
    ]
    module = blocks.environment().get_template("alignments.html.jinja").module
    names = [name_of(token) for token in source[:MOST]]
    return Markup(module.matrix(names, rows, description))  # type: ignore[attr-defined]


def heads(weights: np.ndarray, description: str) -> Markup:
    """A picture of every head's matrix, with the mean entropy of its rows.

    Args:
        weights: float32 [heads, target, source] in [0, 1].
        description: the text that stands for them, before the number of the head.
    """
    items: list[blocks.Picture] = [
        (
            pictures.scale_png(one, 0.0, 1.0),
            f"head {number}\n{blocks.figure(entropy(one))} bits",
            f"{description}, head {number}",
        )
        for number, one in enumerate(weights, start=1)
    ]
    return blocks.pictures(items, "four")


def entropy(weights: np.ndarray) -> float:
    """The mean over the rows, float [target, source] of sum 1, of -sum a log2 a, in bits: 0 where each looks at one
    token, log2 of the number of tokens where each looks at all alike.
    """
    positive = np.maximum(np.asarray(weights, np.float64), np.finfo(np.float64).tiny)
    return float(np.mean(-np.sum(positive * np.log2(positive), axis=1)))


def looks_everywhere(weights: np.ndarray) -> bool:
    """Whether every row, float [target, source], weighs all of the source alike, as without attention."""
    return bool(np.ptp(weights, axis=1).max(initial=0.0) < SAME)


def name_of(token: str) -> str:
    """A token as a side of a matrix shows it: without the mark of the space before it, and cut."""
    bare = token.removeprefix(text.SPACE) or token
    return bare if len(bare) <= LETTERS else f"{bare[: LETTERS - 1]}…"
