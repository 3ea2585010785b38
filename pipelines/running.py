"""What `ann run` does once its arguments are parsed: the pipeline, alone under its root, and the document about it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import math
import os
import shutil
import statistics
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pipelines import commands, console, resampling, tables
from pipelines.exits import FAILED, UsageError, essence


def run(**options: Any) -> int:
    """`ann run`."""
    # Wrong arguments leave neither a folder nor a log behind.
    with console.noise_to(None):
        triple = commands.resolve(options)
        commands.plan(options)
        asked = resampling.for_pipeline(triple, options)
    root = Path(options["root"]).resolve()
    log = root / "logs" / f"{triple.model_name}-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        lock = open(root / ".lock", "a+")  # noqa: SIM115 - held until the run ends
    except OSError as error:
        kind = click.ClickException if error.errno == errno.ENOSPC else UsageError
        raise kind(f"--root {options['root']}: {error.strerror}") from error
    with lock, console.noise_to(log) as (out, err):
        lines = console.Lines(err if options["as_json"] else out)
        _wait_for(lock, root, lines)
        tables.show(triple, lines, root / "schemas")
        try:
            document = _run(triple, str(root), options | {"asked": asked}, lines)
        except Exception as error:
            with contextlib.suppress(OSError):
                traceback.print_exc(file=sys.stderr)
                sys.stderr.flush()
            raise click.ClickException(f"{essence(error)} (log: {log})") from error
        commands.answer(document, options["as_json"], lines, out)
    return 0 if document["blessed"] else FAILED


def _wait_for(lock: Any, root: Path, lines: console.Lines) -> None:
    """Waits until no other run works under this root."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lines.say(f"waiting for another run under {root} to end", "yellow")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _run(triple: Any, root: str, options: Mapping[str, Any], lines: console.Lines) -> dict[str, Any]:
    from pipelines import factory, results
    from pipelines.runners import local

    shared = {
        "seed": options["seed"],
        "tune": options["tune"],
        "trials": options["trials"],
        "max_bad_fraction": options["max_bad_fraction"],
        "beam_args": tuple(options["beam_args"]),
        "cache": not options["no_cache"],
    }
    folds: list[dict[str, float]] = []
    # With --tune the folds are those of the trials.
    for fold in range(0 if options["tune"] else options["folds"] or 0):
        paths = factory.Paths(root, triple.model_name, f"fold{fold + 1}of{options['folds']}")
        chosen = factory.Options(plan=commands.plan(options, folds=options["folds"], fold=fold), push=False, **shared)
        with lines.within(f"fold {fold + 1}/{options['folds']} "):
            outcome = local.run(factory.create_pipeline(triple, paths, chosen), lines)
        folds.append(results.read_evaluation(outcome.outputs["Evaluator"]["evaluation"][0].uri, triple.task).overall)
    paths = factory.Paths(root, triple.model_name)
    remove_half_versions(Path(paths.serving))
    chosen = factory.Options(plan=commands.plan(options), folds=tuple(folds), **shared, **options["asked"])
    outcome = local.run(factory.create_pipeline(triple, paths, chosen), lines, Path(paths.pipeline) / "times.json")
    document = _summary(triple, outcome)
    if folds:
        document["folds"] = _spread(folds)
    return document


def remove_half_versions(base: Path) -> None:
    """Removes the versions that a killed Pusher left without their graph, which it copies last."""
    if not base.is_dir():
        return
    for folder in base.iterdir():
        if folder.name.isdigit() and not (folder / "saved_model.pb").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _spread(folds: list[dict[str, float]]) -> dict[str, Any]:
    # A class may be in some folds alone, and then has a figure in those alone.
    names = [name for name in folds[0] if all(math.isfinite(fold.get(name, math.nan)) for fold in folds)]
    values = {name: [fold[name] for fold in folds] for name in names}
    return {
        name: {"mean": statistics.mean(found), "deviation": statistics.stdev(found), "values": found}
        for name, found in values.items()
    }


def _summary(triple: Any, outcome: Any) -> dict[str, Any]:
    report = outcome.outputs["Reporter"]["report"][0]
    pushed = outcome.outputs["Pusher"]["pushed_model"][0]
    summary = json.loads((Path(report.uri) / "summary.json").read_text())
    document = commands.document(
        triple,
        blessed=summary["blessed"],
        version=pushed.get_string_custom_property("pushed_version") or None,
        metrics=summary["metrics"],
        serving_dir=pushed.get_string_custom_property("pushed_destination") or None,
        report=report.get_string_custom_property("path"),
        seconds=outcome.seconds,
        reused=outcome.reused,
        reasons=summary["reasons"],
    )
    if summary.get("remarks"):
        document["remarks"] = summary["remarks"]
    if "Resampler" in outcome.outputs:
        document["validation"] = resampling.read(outcome.outputs["Resampler"]["validation"][0].uri)
    return document
