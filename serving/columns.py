"""Columns of a table as people name and write them, beside the features that a model reads."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ann_keras.datasets.tables import identifiers, shown
from ann_keras.task import Feature

_COLUMN = re.compile(r"""Column ('.*'|".*")\.""")
"""How a table's dataset describes a feature: by the name of its column, in quotes."""


def features_of(description: Mapping[str, Any]) -> tuple[Feature, ...]:
    """The features that a pushed model's requests hold.

    Args:
        description: its `assets.extra/ann_keras.json`; one of an older version does not say which are optional.

    Raises:
        LookupError, TypeError, ValueError: for one that is no such description.
    """
    return tuple(
        Feature(
            one["name"],
            one["kind"],
            tuple(one["shape"]),
            one["dtype"],
            description=one.get("description", ""),
            optional=one.get("optional", False),
        )
        for one in description["features"]
    )


def column_name(feature: Feature) -> str:
    """What a feature's column is called in its table, as far as its description tells; else its own name."""
    if quoted := _COLUMN.fullmatch(feature.description):
        try:
            return str(ast.literal_eval(quoted[1]))
        except (SyntaxError, ValueError):
            return feature.name
    is_name = bool(feature.description) and identifiers([feature.description]) == [feature.name]
    return feature.description if is_name else feature.name


class Names:
    """Finds the features that names mean: the name of the column in its table goes first, then the feature's own, then
    any name that becomes it by the rule that named the feature ("Fixed Acidity" for fixed_acidity).

    Args:
        features: that a request holds.
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = tuple(features)
        own = {feature.name: feature for feature in self._features}
        self._known = own | {column_name(feature): feature for feature in self._features}

    def find(self, name: str) -> Feature | None:
        """The feature that a name means; None for none."""
        return self._known.get(name) or self._known.get(identifiers([name])[0])

    def near(self, name: str) -> str:
        """A hint at the name that may have been meant, else at all there are."""
        close = difflib.get_close_matches(name, self._known, 1)
        names = [column_name(feature) for feature in self._features]
        return f"did you mean {close[0]!r}?" if close else f"there is {shown(names)}"

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row by the names of the features.

        Raises:
            ValueError: for a name that means none of them, or two that mean the same.
        """
        found: dict[str, Any] = {}
        given: dict[str, str] = {}
        for name, value in row.items():
            feature = self.find(name)
            if feature is None:
                raise ValueError(f"no feature is called {name!r}; {self.near(name)}")
            if feature.name in given:
                raise ValueError(f"{given[feature.name]!r} and {name!r} both mean {feature.name!r}; give one of them")
            found[feature.name], given[feature.name] = value, name
        return found

    def places(self, header: Sequence[str]) -> dict[str, int]:
        """Where the columns of the features stand in a table, by feature; other columns are left alone.

        Raises:
            ValueError: for a feature that two columns mean, or none while it may not be missing.
        """
        meant: dict[str, list[int]] = {feature.name: [] for feature in self._features}
        for place, name in enumerate(header):
            if feature := self.find(name):
                meant[feature.name].append(place)
        found = {}
        for feature in self._features:
            places = meant[feature.name]
            for exact in (column_name(feature), feature.name):
                places = [place for place in places if header[place] == exact] or places
            if len(places) > 1:
                raise ValueError(f"two columns {header[places[0]]!r}, which the model reads")
            if places:
                found[feature.name] = places[0]
            elif not feature.optional:
                close = difflib.get_close_matches(column_name(feature), header, 1)
                hint = f"is it {close[0]!r}? " if close else ""
                known = f"its columns are {shown(header)}" if header else "it is empty"
                raise ValueError(f"no column {column_name(feature)!r}, which the model reads; {hint}{known}")
        return found


def from_cell(feature: Feature, cell: str) -> float | str | None:
    """What a cell of a CSV file holds, as the dataset of such files reads it.

    Args:
        feature: a number without dimensions, or a text.
        cell: blanks at its ends do not count.

    Returns:
        The number or the text; None where it is missing.

    Raises:
        ValueError: for a text where a number should be.
    """
    from ann_keras.datasets.csv_reading import MISSING, NUMBER

    text = cell.strip()
    if text in MISSING:
        return None
    if feature.kind == "text":
        return text
    if not re.fullmatch(NUMBER, text):
        raise ValueError(f"number {feature.name!r} is {text!r:.80}, which is no number")
    return float(text)


def is_cell(feature: Feature) -> bool:
    """Whether one cell of a table holds the feature: a number without dimensions, or a text."""
    return feature.kind in ("number", "text") and not feature.shape
