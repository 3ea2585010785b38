"""Masks that a server answered, as files that a person can look at. Nothing here needs TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pipelines.exits import UsageError


def check(model: str, description: Mapping[str, Any], inputs: Sequence[str], out: str) -> None:
    """Raises a UsageError where `out` cannot get masks, before a server is asked.

    Args:
        model: its name.
        description: of the pushed model; empty where there is none.
        inputs: paths of the images.
        out: the folder.
    """
    if description.get("task", "semantic_segmentation") != "semantic_segmentation":
        raise UsageError(f"--out gets masks, and {model} answers none: its task is {description['task']}")
    targets: dict[Path, str] = {}
    for name in inputs:
        target = _target(out, name)
        if target in targets:
            raise UsageError(f"--out: {targets[target]} and {name} would both be {target}; ask for them one by one")
        if target.exists() and any(target.resolve() == Path(one).resolve() for one in inputs):
            raise UsageError(f"--out: the mask of {name} would replace {target}, an INPUT; name another folder")
        targets[target] = name


def write(
    model: str, description: Mapping[str, Any], names: Sequence[str], columns: Mapping[str, Any], out: str
) -> list[str]:
    """Writes each mask as out/<stem>.png: a PNG with a palette, whose values are the indices of the classes.

    Args:
        model: its name.
        description: of the pushed model; its "palette" gives the colours.
        names: paths of the images.
        columns: what the server answered.
        out: the folder, made where it is missing.

    Returns:
        the names of the files.

    Raises:
        click.ClickException: where the answers are no masks, or the folder cannot be written.
    """
    from ann_keras.datasets.palette import coloured_png, colours_of
    from serving.decoding import Mask

    answers = [answer for answer in decoded(model, description, columns) if isinstance(answer, Mask)]
    if len(answers) < len(names):
        raise click.ClickException(f"--out gets masks, and {model} answers none")
    targets = [_target(out, name) for name in names]
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        for target, answer in zip(targets, answers, strict=True):
            count = max(len(answer.classes), int(answer.pixels.max()) + 1)
            target.write_bytes(coloured_png(answer.pixels, colours_of(description.get("palette", ()), count)))
    except OSError as error:
        raise click.ClickException(f"--out {out} cannot be written: {error.strerror}") from error
    return [target.name for target in targets]


def decoded(model: str, description: Mapping[str, Any], columns: Mapping[str, Any]) -> list[Any]:
    """The typed answers; a ClickException where they are not what their names say."""
    from serving.decoding import decode

    try:
        return decode(description, columns)
    except ValueError as error:
        raise click.ClickException(f"{model} does not answer as it should: {error}") from error


def _target(out: str, name: str) -> Path:
    return Path(out) / f"{Path(name).stem}.png"
