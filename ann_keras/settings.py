"""Settings of tasks, models and training: dataclass fields that know their range, their help and their search space."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

Config = TypeVar("Config")


@dataclasses.dataclass(frozen=True)
class Range:
    """A search space of numbers from `low` to `high` inclusive; on a logarithmic scale if `log`."""

    low: float
    high: float
    step: float | None = None
    log: bool = False


STAGES = ("preprocess", "training", "evaluation")
"""What a pipeline does with a task's settings, in turn."""


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Any] | None = None,
    search: Range | Sequence[Any] | None = None,
    stage: str = STAGES[0],
) -> Any:
    """Returns a dataclass field with its legal values and, where it can be tuned, its search space.

    Args:
        default: the value where nobody sets one.
        help: one phrase, with the unit.
        low: smallest legal value.
        high: largest legal value.
        choices: the legal values, if they are few.
        search: a Range, or the values to choose from. A model's config declares its search space with these alone.
        stage: the first of STAGES that depends on it; what comes earlier need not be done again when it changes.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": choices, "search": search, "stage": stage}
    return dataclasses.field(default=default, metadata=metadata)


OPTIMIZERS = (
    "adam",
    "sgd",
    "plain_sgd",
    "nesterov",
    "course_momentum",
    "course_nesterov",
    "rprop",
    "adagrad",
    "rmsprop",
    "adadelta",
)


@dataclasses.dataclass(frozen=True)
class Training:
    """Settings of a fit, the same for every model; a model's module may carry its own defaults as TRAINING."""

    epochs: int = setting(60, "epochs at most; early stopping ends sooner", low=1)
    batch_size: int = setting(64, "examples a step", low=1)
    optimizer: str = setting(
        "adam",
        "the rule of the steps: sgd has Keras's momentum, plain_sgd none, nesterov looks ahead; rprop wants one batch",
        choices=OPTIMIZERS,
    )
    momentum: float = setting(0.9, "of sgd, nesterov and the course's two forms", low=0, high=0.999)
    learning_rate: float = setting(1e-3, "the first step size", low=1e-8, high=10, search=Range(1e-4, 1e-2, log=True))
    decay: str = setting(
        "none",
        "course of the step size: cosine falls to 0 over `epochs`, inverse_sqrt with the root of the steps",
        choices=("none", "cosine", "inverse_sqrt"),
    )
    warmup: int = setting(0, "steps over which the step size rises from 0 to learning_rate", low=0)
    beta_2: float = setting(0.999, "of adam: the memory of its squared gradients", low=0.5, high=0.9999999)
    clip_norm: float | None = setting(None, "largest norm of a step's whole gradient; none: any", low=1e-6)
    patience: int = setting(8, "epochs without a better validation loss before training stops", low=1)
    mixed_precision: bool = setting(False, "compute in 16 bits, keep the weights in 32")
    strategy: str = setting("none", "tf.distribute strategy", choices=("none", "mirrored", "multi_worker_mirrored"))
    jit_compile: bool = setting(False, "compile the training step with XLA")
    init_from: str | None = setting(
        None, "a .keras file, or a folder with model.keras, whose weights the layers of the same names start from"
    )
    memory_mb: int | None = setting(
        None,
        "largest preprocessed split in MiB that is held in memory, larger ones are streamed; none: 16, 4096 of images"
        " and sequences",
        low=0,
    )


def apply(configs: Sequence[Any], overrides: Mapping[str, Any]) -> list[Any]:
    """Returns the configs with each override in the config that has a field of its name.

    Args:
        configs: dataclass instances whose field names do not overlap.
        overrides: values by field name; strings are parsed to the type of the field.

    Raises:
        ValueError: in one line, where a name is unknown or a value is malformed or out of range.
    """
    fields = {field.name: field for config in configs for field in dataclasses.fields(config)}
    unknown = [name for name in overrides if name not in fields]
    if unknown:
        raise ValueError(f"unknown setting {unknown[0]!r}; the settings are {', '.join(sorted(fields))}")
    changed = []
    for config in configs:
        hints = typing.get_type_hints(type(config))
        own = [field for field in dataclasses.fields(config) if field.name in overrides]
        values = {field.name: _checked(field, hints[field.name], overrides[field.name]) for field in own}
        changed.append(dataclasses.replace(config, **values))
    return changed


def as_dict(*configs: Any, until: str = STAGES[-1]) -> dict[str, Any]:
    """All settings of `configs` in one flat dict, as JSON has them (tuples become lists).

    Args:
        *configs: dataclass instances.
        until: settings of later stages are left out.
    """
    merged: dict[str, Any] = {}
    for config in configs:
        for field in dataclasses.fields(config):
            if STAGES.index(field.metadata["stage"]) > STAGES.index(until):
                continue
            value = getattr(config, field.name)
            merged[field.name] = list(value) if isinstance(value, tuple) else value
    return merged


def helps(*configs: Any) -> dict[str, str]:
    """What each setting of `configs` means, by field name."""
    return {field.name: field.metadata["help"] for config in configs for field in dataclasses.fields(config)}


def search_space(*configs: Any) -> dict[str, Range | tuple[Any, ...]]:
    """The declared search spaces of all fields of `configs` that have one, by field name."""
    spaces = {}
    for config in configs:
        for field in dataclasses.fields(config):
            space = field.metadata.get("search")
            if space is not None:
                spaces[field.name] = space if isinstance(space, Range) else tuple(space)
    return spaces


def _checked(field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    try:
        parsed = _parse(hint, value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{field.name}={value!r}: expected {_describe(hint)} ({field.metadata['help']})") from None
    choices, low, high = (field.metadata.get(key) for key in ("choices", "low", "high"))
    if choices is not None and parsed not in choices:
        raise ValueError(f"{field.name}={value!r}: expected one of {', '.join(map(str, choices))}")
    for number in parsed if isinstance(parsed, tuple) else (parsed,):
        if isinstance(number, int | float) and not isinstance(number, bool):
            inside = (low is None or number >= low) and (high is None or number <= high)
            if not inside:
                raise ValueError(f"{field.name}={value!r}: out of range, expected {_bounds(low, high)}")
    return parsed


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}"


def _parse(hint: Any, value: Any) -> Any:
    """`value` as the annotated type: a string from the command line, or a value from JSON or Python."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            return None
        hint = next(option for option in typing.get_args(hint) if option is not type(None))
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        if isinstance(value, str):  # sizes are also written 28x28
            value = (value if kind is str else value.replace("x", ",")).split(",")
        if not isinstance(value, Sequence):
            raise ValueError
        return tuple(_parse(kind, item) for item in value if item != "")
    if hint is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() not in words:
            raise ValueError
        return words[str(value).lower()]
    if hint is int and not isinstance(value, str) and (isinstance(value, bool) or value != int(value)):
        raise ValueError
    if hint is float:
        number = float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise ValueError
        return number
    return hint(value)


def _describe(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return "names separated by commas" if typing.get_args(hint)[0] is str else "numbers separated by commas"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    options = [option for option in typing.get_args(hint) if option is not type(None)] or [hint]
    return names.get(options[0], str(options[0]))
