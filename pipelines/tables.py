"""Tables on the command line: how `--label` and `--schema` name a dataset, and how its columns are shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.exits import UsageError

SCHEME = "csv:"
MOST_SHOWN = 40
"""Columns that are listed one by one."""


def dataset_name(options: Mapping[str, Any]) -> str | None:
    """The dataset that `--dataset`, `--label` and `--schema` name together.

    Raises:
        UsageError: where `--label` or `--schema` stands beside another dataset than a table.
    """
    name: str | None = options["dataset"]
    given = {option: options[option] for option in ("label", "schema") if options[option]}
    if not given:
        return name
    if name is None or not name.startswith(SCHEME):
        raise UsageError(
            f"--{next(iter(given))} goes with --dataset csv:PATH, not with {name or 'the default dataset'}"
        )
    from ann_keras.datasets.csv_file import quoted

    path, _, settings = name.partition("?")
    twice = [option for option in given if f"{option}=" in settings]
    if twice:
        raise UsageError(f"--{twice[0]} is also in --dataset {name}; give it once")
    more = [f"{option}={quoted(value)}" for option, value in given.items()]
    return f"{path}?{'&'.join([*filter(None, [settings]), *more])}"


def show(triple: Any, lines: console.Lines, folder: Path | None = None) -> None:
    """Says how the columns of a table are understood, and leaves the schema where a user can mend it.

    Args:
        triple: on any dataset; only of a table there is something to say.
        lines: where it is said.
        folder: gets the schema as a file, if it was guessed.
    """
    if not triple.dataset.name.startswith(SCHEME):
        return
    from ann_keras.datasets import csv_file

    rows = csv_file.describe(triple.dataset)
    width = max(len(row[1]) for row in rows[:MOST_SHOWN])
    for column, name, kind, missing, distinct, example in rows[:MOST_SHOWN]:
        gone = f", {missing:.1%} missing" if missing else ""
        values = f", {distinct} values" if kind == "text" else ""
        was = "" if column == name or name == "label" else f" (column {column!r})"
        lines.say(f"  {name:<{width}}  {kind}{values}{gone}, such as {example!r:.40}{was}")
    if len(rows) > MOST_SHOWN:
        lines.say(f"  and {len(rows) - MOST_SHOWN} more columns")
    for note in triple.dataset.notes:
        lines.say(f"  {note}", "yellow")
    if folder is not None and not triple.dataset.has_schema:
        path = folder / f"{Path(triple.dataset.description).name.split('.')[0]}.pbtxt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(csv_file.schema_text(triple.dataset), encoding="utf-8")
        lines.say(f"  where a type is wrong, edit {path} and give it as --schema")
