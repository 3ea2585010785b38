"""What `ann lab` does once its arguments are parsed."""

from __future__ import annotations

import json
import os
import shlex
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ann_keras import registry
from pipelines import console, options
from pipelines.exits import FAILED, UsageError

if TYPE_CHECKING:
    from pipelines.labs.page import Record

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

LIST = "list"
"""Given as a name, it asks for all names."""


def lab(name: str, seed: int, out: str | None, as_json: bool) -> int:
    """`ann lab`: exit code 0 where the claim held, 1 where it did not."""
    if name == LIST:
        _list(as_json)
        return 0
    if name not in registry.LABS:
        raise UsageError(f"unknown lab {name!r}; the labs are {', '.join(registry.LABS)}")
    root = Path(options.ROOT, "labs")
    folder = root / name if out is None else Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: {error.strerror}") from error
    with console.noise_to(None) as (true_out, err):
        lines = console.Lines(err if as_json else true_out)
        with lines.component(name):
            record, picture = _run(name, seed, out)
        from pipelines.labs import page

        written = page.write(record, picture, folder)
        index = page.write_index(root) if out is None else None
        if as_json:
            paths = {"page": str(written), "figure": str(folder / page.FIGURE), "index": index and str(index)}
            true_out.write(json.dumps({**record.document, **paths}) + "\n")
        else:
            _tell(record, lines)
            lines.say(f"page {written}", "bold")
            if index is not None:
                lines.say(f"index {index}", "bold")
    return 0 if record.held else FAILED


def _list(as_json: bool) -> None:
    found = registry.describe(registry.LABS)
    if as_json:
        click.echo(json.dumps(found))
        return
    width = max(map(len, registry.LABS)) + 2
    for entry in found:
        click.echo(f"{entry['name']:<{width}}{entry['summary']}")


def _run(name: str, seed: int, out: str | None) -> tuple[Record, bytes]:
    """Runs the experiment; returns what came of it and its figure as a PNG."""
    import io

    from ann_keras.labs import lab as labs
    from pipelines.labs.page import Record

    module = labs.load(name)
    started = time.monotonic()
    result = labs.run(name, seed)
    seconds = time.monotonic() - started
    picture = io.BytesIO()
    result.figure.savefig(picture, format="png")
    record = Record(
        name=name,
        claim=module.CLAIM,
        equation=module.EQUATION,
        source=module.__doc__ or "",
        held=result.held,
        checks={text: bool(held) for text, held in result.checks.items()},
        numbers={what: float(value) for what, value in result.numbers.items()},
        setting={what: _plain(value) for what, value in result.setting.items()},
        seen=result.seen,
        seed=seed,
        seconds=round(seconds, 2),
        when=datetime.now().strftime("%Y-%m-%d %H:%M:%S"),
        command=f"ann lab {name} --seed {seed}" + (f" --out {shlex.quote(out)}" if out else ""),
    )
    return record, picture.getvalue()


def _plain(value: Any) -> str:
    """A value of the setting as a person reads it: a rate as it was given, not as it would be measured."""
    from pipelines.report.blocks import figure

    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(figure(value))


def _tell(record: Record, lines: console.Lines) -> None:
    """Prints the claim, what was measured and what it says of the claim."""
    from pipelines.report.blocks import figure, seconds

    lines.say(record.claim, "bold")
    shown = {name: str(figure(value)) for name, value in record.figures.items()}
    names, figures = max(map(len, shown), default=0), max(map(len, shown.values()), default=0)
    for name, value in shown.items():
        lines.say(f"  {name:<{names}}  {value:>{figures}}")
    lines.say(record.seen)
    for text, held in record.checks.items():
        lines.say(f"  {'held' if held else 'did not hold':<13} {text}", "green" if held else "red")
    outcome = "The claim held" if record.held else "The claim did not hold"
    timed = f"{outcome}: seed {record.seed}, {seconds(record.seconds)}"
    lines.say(timed, "bold green" if record.held else "bold red")
