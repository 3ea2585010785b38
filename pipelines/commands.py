"""What `ann fit` and `ann compile` do once their arguments are parsed, and what all commands share."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from pipelines import console, resampling, tables
from pipelines.console import figure
from pipelines.exits import FAILED, UsageError
from pipelines.options import ROOT

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def resolve(options: Mapping[str, Any]) -> Any:
    """The triple that the arguments name; wrong ones are a UsageError before anything long begins."""
    from ann_keras import registry

    overrides = dict(options["overrides"])
    if options.get("init_from") is not None:
        overrides["init_from"] = _trained(options["init_from"], options.get("root", ROOT))
    try:
        return registry.resolve(options["model"], tables.dataset_name(options), options["task"], overrides)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _trained(given: str, root: str) -> str:
    """The .keras file that --init-from means: of the newest trained model of that name, or of that path."""
    from ann_keras import initial_weights, registry

    if given not in registry.MODELS:
        try:
            return str(initial_weights.find(given).resolve())
        except ValueError:
            legal = f"a model of `ann list models`, a .keras file or a folder with {initial_weights.MODEL_FILE}"
            raise UsageError(f"--init-from {given}: expected {legal}") from None
    folder = Path(root) / "pipelines" / given / "Trainer" / "model"
    found = [path for path in folder.glob(f"*/{initial_weights.MODEL_FILE}") if path.parent.name.isdecimal()]
    if not found:
        raise UsageError(f"--init-from {given}: not trained under {root}; first run `ann run {given} --root {root}`")
    return str(max(found, key=lambda path: int(path.parent.name)).resolve())


def plan(options: Mapping[str, Any], **folds: Any) -> Any:
    """How the arguments want the dataset split."""
    from ann_keras.datasets.splits import Plan

    names = ("seed", "eval_fraction", "test_fraction", "small_classes")
    stratify = options["stratify"]
    by = {"stratify": False} if stratify == "none" else {"by": stratify}
    try:
        return Plan(**{name: options[name] for name in names}, **by, **folds)
    except ValueError as error:
        raise UsageError(str(error)) from error


def fit(**options: Any) -> int:
    """`ann fit`."""
    with console.noise_to(None) as (out, err):
        method = resampling.chosen(options)
        triple = resolve(options)
        split = plan(options)
        resampling.check(triple, method)
        lines = console.Lines(err if options["as_json"] else out)
        tables.show(triple, lines, Path(options["out"]) if options["out"] else None)
        found = _fit(triple, split, options, lines)
        answer(found, options["as_json"], lines, out)
    return 0 if found["blessed"] else FAILED


def _fit(triple: Any, split: Any, options: Mapping[str, Any], lines: console.Lines) -> dict[str, Any]:
    from ann_keras import data, training
    from pipelines import progress
    from pipelines.report.remarks import remarks

    seconds: dict[str, float] = {}
    out = _folder(options["out"]) if options["out"] else None
    with _clock(seconds, "validation") if resampling.chosen(options) else contextlib.nullcontext():
        validated = _validate(triple, split, options, out, lines)
    with _clock(seconds, "data"):
        loaded = data.load(triple, split)
    sizes = f"{len(loaded.train)} to train, {len(loaded.eval)} to validate, {len(loaded.test)} to test"
    lines.say(f"{triple.model_name} on {triple.dataset_name}: {sizes}")
    with _clock(seconds, "fit"), progress.listening(lines), lines.component("fit"):
        checkpoints = out / "checkpoints" / _digest(triple, options) if out else None
        epochs = [progress.Epochs(triple.training.epochs)]
        fitted = training.fit(triple, loaded.train, loaded.eval, options["seed"], checkpoints, epochs)
    if fitted.initialised:
        lines.say(fitted.initialised)
    for line in remarks(triple, fitted.history):
        lines.say(line)
    with _clock(seconds, "test"):
        tested = training.evaluate(fitted.model, loaded.test, triple.training.batch_size)
    version = serving_dir = None
    if out is not None:
        with _clock(seconds, "export"):
            version, serving_dir = _keep(triple, fitted.model, loaded, out)
            training.discard(checkpoints)
            training.discard(_rounds(triple, options, out))
    metrics = {**fitted.metrics, "test": tested}
    # What Keras does not measure, the Evaluator of a pipeline does.
    known = [metric for metric in triple.task.evaluation.metrics if metric.name in tested]
    failed = [metric for metric in known if not metric.passes(tested[metric.name])]
    reasons = [f"{metric.name} is {figure(tested[metric.name])}, outside its thresholds" for metric in failed]
    found = document(triple, not failed, version, metrics, serving_dir, None, seconds, [], reasons)
    return found | ({"validation": validated} if validated else {})


def _validate(
    triple: Any, split: Any, options: Mapping[str, Any], out: Path | None, lines: console.Lines
) -> dict[str, Any] | None:
    """What the rounds that the arguments ask for found; None where they ask for none."""
    from pipelines import progress

    method = resampling.chosen(options)
    if method is None:
        return None
    with progress.listening(lines), lines.component("validation"):
        return resampling.validate(triple, method, split, _rounds(triple, options, out))


def _rounds(triple: Any, options: Mapping[str, Any], out: Path | None) -> Path | None:
    """Where finished rounds are kept until the model is."""
    return out / "checkpoints" / f"validation-{_digest(triple, options)}" if out else None


def _folder(path: str) -> Path:
    """The folder of --out, made where there is none."""
    out = Path(path)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {path}: {error.strerror}") from error
    return out


def _keep(triple: Any, model: Any, loaded: Any, out: Path) -> tuple[str, str]:
    """Writes model.keras and the SavedModel; returns the version and its folder."""
    from serving.export import WARMUP_ROWS, export

    version = str(int(time.time()))
    serving_dir = out / "serving" / triple.model_name / version
    serving_dir.parent.mkdir(parents=True, exist_ok=True)
    model.save(out / "model.keras")
    warmup = next(loaded.eval.records.batch(WARMUP_ROWS).as_numpy_iterator())
    export(triple, model, loaded.transform, serving_dir, warmup=warmup)
    return version, str(serving_dir)


def _digest(triple: Any, options: Mapping[str, Any]) -> str:
    """Names exactly this fit, so that only the same work is ever taken up again."""
    import hashlib

    from ann_keras import registry
    from pipelines import sources

    modules = [triple.model.__name__, registry.TASKS[triple.task.name], type(triple.dataset).__module__]
    identity = [triple.model_name, triple.dataset.fingerprint(), triple.settings]
    identity += [options[name] for name in ("seed", "eval_fraction", "test_fraction", "small_classes", "stratify")]
    identity.append(sources.digests(*modules, "ann_keras.validation", "ann_keras.training"))
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _clock(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - started, 3)


def document(
    triple: Any,
    blessed: bool,
    version: str | None,
    metrics: Mapping[str, Any],
    serving_dir: str | None,
    report: str | None,
    seconds: Mapping[str, float],
    reused: list[str],
    reasons: list[str],
) -> dict[str, Any]:
    """What --json prints: the contract's keys, and why a model was not blessed."""
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
        "reasons": reasons,
    }


def answer(found: dict[str, Any], as_json: bool, lines: console.Lines, out: TextIO) -> None:
    """Prints the outcome: one JSON document, or lines for a person."""
    if as_json:
        out.write(json.dumps(found) + "\n")
        return
    for line in _table(found["metrics"]):
        lines.say(line)
    for line in found.get("remarks", ()):
        lines.say(line)
    for line in resampling.described(found["validation"]) if "validation" in found else ():
        lines.say(line)
    for name, spread in found.get("folds", {}).items():
        lines.say(
            f"  folds {name} {figure(spread['mean'])} +- {figure(spread['deviation'])} over {len(spread['values'])}"
        )
    if found["serving_dir"]:
        lines.say(f"model {found['serving_dir']}", "bold")
    if found["report"]:
        lines.say(f"report {found['report']}", "bold")
    for reason in found["reasons"]:
        lines.say(f"not blessed: {reason}", "bold red")


def _table(metrics: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Every metric on training, validation and test side by side."""
    titles = {"train": "train", "eval": "validation", "test": "test"}
    shown = [name for name in titles if name in metrics]
    yield f"  {'':<20}" + "".join(f"{titles[name]:>12}" for name in shown)
    for metric in dict.fromkeys(metric for name in shown for metric in metrics[name]):
        values = [metrics[name].get(metric) for name in shown]
        yield f"  {metric:<20}" + "".join(f"{'' if value is None else figure(value):>12}" for value in values)


def compile_pipeline(**options: Any) -> int:
    """`ann compile`."""
    with console.noise_to(None) as (out, _):
        triple = resolve(options)
        asked = resampling.for_pipeline(triple, options)
        if options["folds"] and not options["tune"]:
            raise UsageError(f"--folds {options['folds']} goes with --tune here: without it, it runs many pipelines")
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
            **asked,
        )
        paths = factory.Paths(options["root"].rstrip("/"), triple.model_name)
        try:
            kubeflow.compile_to(factory.create_pipeline(triple, paths, chosen), options["image"], options["out"])
        except OSError as error:
            raise UsageError(f"--out {options['out']}: {error.strerror}") from error
        out.write(f"{options['out']}\n")
    return 0
