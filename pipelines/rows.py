"""INPUTs of `ann predict`: rows of several columns as JSON, in a file, or as pairs; texts, also the lines of a file."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ann_keras.datasets.tables import shown
from ann_keras.task import Feature
from serving.columns import Names, column_name, from_cell, is_cell
from serving.encoding import encode

MOST_NAME = 60
"""Characters of an INPUT that stand before its answer."""
TEXTS = 64
"""At most so many texts are asked about at a time: an answer to each is searched for."""


@dataclass(frozen=True)
class Request:
    """What a server is asked.

    Attributes:
        names: of the examples, as they stand before their answers.
        inputs: a batch by feature.
        at_once: how many are asked about at a time; 0 for all.
    """

    names: tuple[str, ...]
    inputs: dict[str, list[Any]]
    at_once: int = 0


def request(features: Sequence[Feature], given: Sequence[str]) -> Request:
    """Reads INPUTs.

    Args:
        features: what the model reads.
        given: where there are several features, or one number, an INPUT is a JSON object with a value by column, @FILE
            with such objects (one, a list, or one a line), or COLUMN=VALUE,... with the quoting of a CSV file. Else,
            and for a number alone, it is the value itself, as `encode` takes it. A text alone is also @FILE with one a
            line, and @- for standard input; @@ begins a text that begins with @.

    Raises:
        ValueError: naming the INPUT and what is wrong with it.
    """
    if [feature.kind for feature in features] == ["text"]:
        named = [one for text in given for one in _texts(text)]
        return Request(tuple(name for name, _ in named), encode(features, [text for _, text in named]), TEXTS)
    if not any(_is_rows(features, text) for text in given):
        return Request(tuple(given), encode(features, given))
    rows = [row for text in given for row in _rows(features, text)]
    inputs: dict[str, list[Any]] = {feature.name: [] for feature in features}
    for name, row in rows:
        try:
            encoded = encode(features, [row])
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        for feature, values in encoded.items():
            inputs[feature] += values
    return Request(tuple(name for name, _ in rows), inputs)


def _texts(given: str) -> list[tuple[str, str | bytes]]:
    """The texts of one INPUT, and what each is called: a line of a file ends in a line feed, whatever else it holds."""
    if given.startswith("@") and not given.startswith("@@"):
        try:
            lines = _content(given[1:]).removesuffix(b"\n").split(b"\n")
        except ValueError as error:
            raise ValueError(f"{error}; a text that begins with @ is written with @@") from None
        if lines == [b""]:
            raise ValueError(f"{given} is empty; expected a text a line")
        return [(f"{given[1:]}:{number}", line.removesuffix(b"\r")) for number, line in enumerate(lines, start=1)]
    text = given.removeprefix("@") if given.startswith("@@") else given
    # Arguments that are no UTF-8 come as halves of surrogate pairs, which cannot be printed.
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    plain = "".join(one if one.isprintable() else " " for one in shown)
    return [(_short(" ".join(plain.split())), text)]


def _short(name: str) -> str:
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 3]}..."


def _content(path: str) -> bytes:
    """What a file holds; "-" is standard input."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"@{path} cannot be read: {error.strerror}") from None


def _is_rows(features: Sequence[Feature], text: str) -> bool:
    """Whether an INPUT names its columns: it must where there are several, and may for a number."""
    if len(features) != 1:
        return True
    return features[0].kind == "number" and (text.lstrip()[:1] in ("{", "@") or "=" in text)


def _rows(features: Sequence[Feature], text: str) -> list[tuple[str, Any]]:
    """The examples of one INPUT, and what each is called."""
    if len(features) == 1 and not _is_rows(features, text):
        return [(text, text)]
    if text.startswith("@"):
        return [(f"{text[1:]}:{number}", row) for number, row in _file(text[1:])]
    name = _short(text)
    if text.lstrip().startswith("{"):
        return [(name, _object(text, name))]
    return [(name, _pairs(features, text, name))]


def _file(path: str) -> list[tuple[int, dict[str, Any]]]:
    """The objects of a file, each with its number or, where they are lines, that of its line."""
    try:
        text = _content(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"@{path} is not UTF-8") from None
    try:
        whole = _parsed(text, f"@{path}")
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise ValueError(f"@{path} is no JSON: {error}") from None
        found = [(number, _object(line, f"{path}:{number}")) for number, line in _lines(text)]
    else:
        listed = whole if isinstance(whole, list) else [whole]
        found = [(number, _checked(one, f"{path}:{number}")) for number, one in enumerate(listed, start=1)]
    if not found:
        raise ValueError(f"@{path} holds no rows; expected JSON objects, one or a list of them or one a line")
    return found


def _lines(text: str) -> list[tuple[int, str]]:
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        return _checked(_parsed(text, name), name)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}: no JSON object: {error}") from None


def _parsed(text: str, where: str) -> Any:
    """JSON whose objects have each name once, which Python does not check."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise ValueError(f"{where}: {name!r} is given twice")
            found[name] = value
        return found

    return json.loads(text, object_pairs_hook=unique)


def _checked(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f'{name}: expected a JSON object such as {{"column": 1}}, not {json.dumps(value)[:80]}')
    return value


def _pairs(features: Sequence[Feature], text: str, name: str) -> dict[str, Any]:
    """Values as cells of a CSV file hold them, by the names that are written before them."""
    names = Names(features)
    (fields,) = csv.reader([text.replace("\r", " ").replace("\n", " ")])
    row: dict[str, Any] = {}
    for field in fields:
        column, equals, cell = field.partition("=")
        if not equals:
            known = shown([column_name(feature) for feature in features], 5)
            raise ValueError(
                f"{name}: {field!r} is no COLUMN=VALUE; expected pairs with commas between them (in quotes one that "
                f'holds a comma: "COLUMN=a, b"), a JSON object or @FILE, for the columns {known}'
            )
        column = column.strip()
        if column in row:
            raise ValueError(f"{name}: {column!r} is given twice")
        feature = names.find(column)
        try:
            row[column] = from_cell(feature, cell) if feature is not None and is_cell(feature) else cell
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return row
