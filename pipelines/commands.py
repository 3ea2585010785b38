"""What `ann fit`, `ann run` and `ann compile` do once their arguments are parsed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from pipelines import console
from pipelines.exits import FAILED, UsageError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

def resolve(options: Mapping[str, Any]) -> Any:
    """The triple that the arguments name; wrong ones are a UsageError before anything long begins."""
    from ann_keras import registry

    try:
        return registry.resolve(options["model"], options["dataset"], options["task"], options["overrides"])
    except ValueError as error:
        raise UsageError(str(error)) from error


def plan(options: Mapping[str, Any], **folds: int) -> Any:
    """How the arguments want the dataset split."""
    from ann_keras.datasets.splits import Plan

    names = ("seed", "eval_fraction", "test_fraction", "small_classes")
    try:
        return Plan(**{name: options[name] for name in names}, **folds)
    except ValueError as error:
        raise UsageError(str(error)) from error


def fit(**options: Any) -> int:
    """`ann fit`."""
    with console.noise_to(None) as (out, err):
        triple = resolve(options)
        split = plan(options)
        lines = console.Lines(err if options["as_json"] else out)
        document = _fit(triple, split, options, lines)
        _answer(document, options["as_json"], lines, out)
    return 0


def _fit(triple: Any, split: Any, options: Mapping[str, Any], lines: console.Lines) -> dict[str, Any]:
    from ann_keras import data, training
    from ann_keras.datasets.base import DatasetError
    from pipelines import progress
    from serving.export import export

    seconds: dict[str, float] = {}
    out = Path(options["out"]) if options["out"] else None
    with _clock(seconds, "data"):
        try:
            loaded = data.load(triple, split)
        except (DatasetError, ValueError) as error:
            raise click.ClickException(str(error)) from error
    lines.say(f"{triple.model_name} on {triple.dataset_name}: {len(loaded.train)} to train, {len(loaded.eval)} to validate, {len(loaded.test)} to test")  # fmt: skip
    with _clock(seconds, "fit"), progress.listening(lines):
        checkpoints = out / "checkpoints" / _digest(triple, options) if out else None
        found = training.fit(
            triple, loaded.train, loaded.eval, options["seed"], checkpoints, [progress.Epochs(triple.training.epochs)]
        )
    with _clock(seconds, "test"):
        tested = training.evaluate(found.model, loaded.test, triple.training.batch_size)
    version = serving_dir = None
    if out is not None:
        with _clock(seconds, "export"):
            version = str(int(time.time()))
            serving_dir = str(out / "serving" / triple.model_name / version)
            Path(serving_dir).parent.mkdir(parents=True, exist_ok=True)
            found.model.save(out / "model.keras")
            export(triple, found.model, loaded.transform, serving_dir)
    metrics = {**found.metrics, "test": tested}
    blessed = all(metric.passes(tested[metric.name]) for metric in triple.task.evaluation.metrics)
    return _document(triple, blessed, version, metrics, serving_dir, None, seconds, [])


def _digest(triple: Any, options: Mapping[str, Any]) -> str:
    import hashlib

    from pipelines import sources

    identity = [triple.model_name, triple.dataset.fingerprint(), triple.settings, options["seed"]]
    identity += [options["eval_fraction"], options["test_fraction"], sources.digests(triple.model.__name__, "ann_keras.data")]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _clock(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 3)


def _document(
    triple: Any,
    blessed: bool,
    version: str | None,
    metrics: Mapping[str, Any],
    serving_dir: str | None,
    report: str | None,
    seconds: Mapping[str, float],
    reused: list[str],
) -> dict[str, Any]:
    return {
        "model": triple.model_name,
        "dataset": triple.dataset_name,
        "task": triple.task.name,
        "run": Path(report).parent.name if report else datetime.now().strftime("%Y%m%d-%H%M%S"),
        "blessed": blessed,
        "version": version,
        "metrics": metrics,
        "serving_dir": serving_dir,
        "report": report,
        "seconds": seconds,
        "reused": reused,
    }


def _answer(document: dict[str, Any], as_json: bool, lines: console.Lines, out: TextIO) -> None:
    if as_json:
        out.write(json.dumps(document) + "\n")
        return
    for name, values in document["metrics"].items():
        lines.say(f"  {name:<6}" + "  ".join(f"{metric} {value:.4f}" for metric, value in values.items()))
    for name, spread in document.get("folds", {}).items():
        lines.say(f"  folds {name} {spread['mean']:.4f} +- {spread['deviation']:.4f} over {len(spread['values'])}")
    if document["serving_dir"]:
        lines.say(f"model {document['serving_dir']}", "bold")
    if document["report"]:
        lines.say(f"report {document['report']}", "bold")


def run(**options: Any) -> int:
    """`ann run`."""
    root = Path(options["root"]).resolve()
    log = root / "logs" / f"{options['model']}-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    _known(options["model"])
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--root {options['root']}: {error.strerror}") from error
    with console.noise_to(log) as (out, err):
        triple = resolve(options)
        lines = console.Lines(err if options["as_json"] else out)
        with _alone(root, lines):
            try:
                document = _run(triple, str(root), options, lines)
            except Exception as error:
                _log_traceback()
                raise click.ClickException(f"{_essence(error)} (log: {log})") from error
        _answer(document, options["as_json"], lines, out)
        for reason in document["reasons"]:
            lines.say(f"not blessed: {reason}", "bold red")
    return 0 if document["blessed"] else FAILED


def _known(model: str) -> None:
    """A wrong name is answered before a folder or a log is made for it."""
    from ann_keras import registry

    if model not in registry.MODELS:
        raise UsageError(f"unknown model {model!r}; the models are {', '.join(registry.MODELS)}")


@contextlib.contextmanager
def _alone(root: Path, lines: console.Lines) -> Iterator[None]:
    """Waits until no other run works under this root."""
    with open(root / ".lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lines.say(f"waiting for another run under {root} to end", "yellow")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
    for fold in range(options["folds"] or 0):
        paths = factory.Paths(root, triple.model_name, f"fold{fold + 1}of{options['folds']}")
        chosen = factory.Options(plan=plan(options, folds=options["folds"], fold=fold), push=False, **shared)
        lines.prefix = f"fold {fold + 1}/{options['folds']} "
        outcome = local.run(factory.create_pipeline(triple, paths, chosen), lines)
        folds.append(results.read_evaluation(outcome.outputs["Evaluator"]["evaluation"][0].uri, triple.task).overall)
    lines.prefix = ""
    paths = factory.Paths(root, triple.model_name)
    chosen = factory.Options(plan=plan(options), folds=tuple(folds), **shared)
    outcome = local.run(factory.create_pipeline(triple, paths, chosen), lines, Path(paths.pipeline) / "times.json")
    document = _summary(triple, outcome)
    if folds:
        document["folds"] = _spread(folds)
    return document


def _spread(folds: list[dict[str, float]]) -> dict[str, Any]:
    values = {name: [fold[name] for fold in folds] for name in folds[0]}
    return {
        name: {"mean": statistics.mean(found), "deviation": statistics.stdev(found), "values": found}
        for name, found in values.items()
    }


def _summary(triple: Any, outcome: Any) -> dict[str, Any]:
    report = outcome.outputs["Reporter"]["report"][0]
    pushed = outcome.outputs["Pusher"]["pushed_model"][0]
    summary = json.loads((Path(report.uri) / "summary.json").read_text())
    version = pushed.get_string_custom_property("pushed_version") or None
    serving_dir = pushed.get_string_custom_property("pushed_destination") or None
    path = report.get_string_custom_property("path")
    document = _document(
        triple, summary["blessed"], version, summary["metrics"], serving_dir, path, outcome.seconds, outcome.reused
    )
    return {**document, "reasons": summary["reasons"]}


def _log_traceback() -> None:
    import sys
    import traceback

    traceback.print_exc(file=sys.stderr)
    sys.stderr.flush()


def _essence(error: BaseException) -> str:
    """The one line that matters: the component, and the first error of the chain."""
    first, component = error, ""
    while first.__cause__ is not None:
        if type(first).__name__ == "ComponentError":
            component = f"{first}: "
        first = first.__cause__
    text = " ".join(str(first).split()) or type(first).__name__
    return component + text.split(" [while running")[0]


def compile_pipeline(**options: Any) -> int:
    """`ann compile`."""
    with console.noise_to(None) as (out, _):
        triple = resolve(options)
        from pipelines import factory
        from pipelines.runners import kubeflow

        chosen = factory.Options(
            seed=options["seed"],
            plan=plan(options),
            tune=options["tune"],
            trials=options["trials"],
            max_bad_fraction=options["max_bad_fraction"],
            beam_args=tuple(options["beam_args"]),
            local=False,
        )
        paths = factory.Paths(options["root"].rstrip("/"), triple.model_name)
        kubeflow.compile_to(factory.create_pipeline(triple, paths, chosen), options["image"], options["out"])
        out.write(f"{options['out']}\n")
    return 0
