"""What `--folds`, `--leave-one-out` and `--bootstrap` ask for, and the validation that answers them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipelines.console import figure
from pipelines.exits import UsageError

OPTIONS = {"folds": "k_fold", "leave_one_out": "leave_one_out", "bootstrap": "bootstrap"}
"""Option -> method of `ann_keras.resampling`."""
VALIDATION_FILE = "validation.json"
Chosen = tuple[str, int | None]
"""A method, and the number of its folds or samples."""


def chosen(options: Mapping[str, Any]) -> Chosen | None:
    """The method that the arguments ask for, None for the hold-out alone.

    Raises:
        UsageError: where they ask for several.
    """
    given = [name for name in OPTIONS if options[name]]
    if len(given) > 1:
        first, second = (f"--{name.replace('_', '-')}" for name in given[:2])
        raise UsageError(f"{first} and {second} exclude each other; give one of them")
    if not given:
        return None
    value = options[given[0]]
    return OPTIONS[given[0]], None if value is True else value


def check(triple: Any, method: Chosen | None) -> None:
    """Raises a UsageError where a method does not fit the number of examples, before anything long begins."""
    if method is None:
        return
    from ann_keras import resampling

    rows = int((triple.dataset.index().official != "test").sum())
    try:
        resampling.check(rows, *method)
    except ValueError as error:
        raise UsageError(str(error)) from error


def for_pipeline(triple: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `factory.Options` that the arguments on validation and search set.

    Folds validate the trials of a search where there is one; else they are pipelines of their own, and no field.

    Raises:
        UsageError: for arguments that exclude each other, do not fit the data, or name a setting without search space.
    """
    method = chosen(options)
    check(triple, method)
    if options["search"] and not options["tune"]:
        raise UsageError(f"--search {','.join(options['search'])} goes with --tune")
    if options["tune"] and method is not None and method[0] != "k_fold":
        raise UsageError(
            f"--{method[0].replace('_', '-')} and --tune exclude each other: settings that were chosen on the same"
            " examples look too good on them; --folds K judges the trials, --set gives what they found"
        )
    fields: dict[str, Any] = {}
    if options["search"]:
        from pipelines import tuning

        try:
            tuning.spaces(triple, options["search"])
        except ValueError as error:
            raise UsageError(f"--search: {error}") from error
        fields["search"] = options["search"]
    if method is not None and method[0] != "k_fold":
        fields["resampling"] = method
    elif method is not None and options["tune"]:
        fields["tune_folds"] = method[1]
    return fields


def validate(triple: Any, method: Chosen, plan: Any, directory: Path | None) -> dict[str, Any]:
    """Validates a triple, and tells of every round.

    Returns:
        what JSON documents and artifacts hold of it: `Validation.to_dict`.
    """
    from ann_keras import validation

    leading = triple.task.evaluation.metrics[0].name
    found = validation.validate(triple, *method, plan, directory, telling(leading, method[0]))
    return found.to_dict()


def read(uri: str) -> dict[str, Any]:
    """The validation in an artifact, as `validate` returned it."""
    found: dict[str, Any] = json.loads((Path(uri) / VALIDATION_FILE).read_text())
    return found


def telling(metric: str, method: str) -> Callable[[int, int, Mapping[str, float]], None]:
    """A listener that tells the number of the round and the leading metric, whose mean so far says more than it does of
    one example.
    """
    from pipelines import progress

    total = 0.0

    def tell(done: int, rounds: int, metrics: Mapping[str, float]) -> None:
        nonlocal total
        total += metrics[metric]
        shown = (
            "" if method == "leave_one_out" else f"  {metric} {figure(metrics[metric])} (mean {figure(total / done)})"
        )
        progress.tell(f"round {done}/{rounds}{shown}")

    return tell


def described(found: Mapping[str, Any]) -> Iterator[str]:
    """A validation as lines for a person."""
    rounds, examples = found["rounds"], found["examples"]
    titles = {
        "k_fold": f"{rounds} folds",
        "leave_one_out": f"leave-one-out, {rounds} rounds",
        "bootstrap": f"bootstrap, {rounds} rounds out of the bag",
    }
    yield f"validation: {titles[found['method']]}, {examples} examples"
    names = {"pooled": "pooled", "apparent": "apparent", "point632": ".632", "point632plus": ".632+"}
    for metric, one in found["metrics"].items():
        parts = []
        if "mean" in one:
            deviation = f" +- {figure(one['deviation'])}" if "deviation" in one else ""
            parts.append(f"mean {figure(one['mean'])}{deviation}")
        parts += [f"{shown} {figure(one[name])}" for name, shown in names.items() if name in one]
        yield f"  {metric:<22}  {'  '.join(parts)}"
