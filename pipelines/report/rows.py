"""Single rows of a table with the values of their columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipelines.report import blocks

COLUMNS = 8
"""So many columns of a row are shown."""
LONGEST = 40
"""Letters of a text in a cell."""
MISSING = "missing"


def table(
    heads: Sequence[str],
    known: Iterable[Sequence[Any]],
    places: Iterable[int],
    columns: Sequence[str],
    values: Mapping[str, Sequence[Any]],
) -> Markup:
    """Rows with what is said about each, and after it the values of some columns.

    Args:
        heads: of what is said; known: that for each row, as cells.
        places: of the rows in `values`.
        columns: those that are shown.
        values: by column, one per row.
    """
    made = [
        [*cells, *(cell(values[name][place]) for name in columns)] for cells, place in zip(known, places, strict=True)
    ]
    return blocks.table([*heads, *columns], made)


def which(columns: Sequence[str], all_columns: Mapping[str, Any]) -> str:
    """A sentence on which columns a table of rows shows; "" where it shows all."""
    if len(columns) == len(all_columns):
        return ""
    return f" Of {len(all_columns)} columns those {len(columns)} are shown that the model looks at most."


def cell(value: Any) -> Any:
    """A raw value as a table shows it: texts decoded and cut, NaN and empty texts as "missing"."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        return MISSING if not value else value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
    number = float(value)
    if math.isnan(number):
        return MISSING
    # A whole number that came as a float is written as one.
    return int(number) if number.is_integer() and abs(number) < 1e15 else number
