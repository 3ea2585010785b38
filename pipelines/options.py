"""The options that several commands share."""

from __future__ import annotations

from typing import Any

import click

ROOT = "./ann-runs"


def _settings(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r}: expected KEY=VALUE")
        pairs[name] = value
    return pairs


def _names(context: click.Context, parameter: click.Parameter, given: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (given or "").split(",") if name.strip())


def combined(*options: Any) -> Any:
    """One decorator of several, in the order of the help page."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


_share = click.FloatRange(0, 1, min_open=True, max_open=True)

triple = combined(
    click.argument("model"),
    click.option(
        "--dataset", metavar="D", help="A name, tfds:NAME, images:PATH or csv:PATH; default: an embedded one."
    ),
    click.option("--label", metavar="COLUMN", help="Of csv:PATH: the column that is asked for."),
    click.option(
        "--schema",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Of csv:PATH: the columns and their types, in place of a guess.",
    ),
    click.option("--task", metavar="T", help="Where the model and the dataset fit several."),
    click.option(
        "--set", "overrides", metavar="KEY=VALUE", multiple=True, callback=_settings, help="A setting; repeatable."
    ),
    click.option(
        "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of splits and weights."
    ),
    click.option("--eval-fraction", type=_share, default=0.15, show_default=True, help="Share of validation."),
    click.option("--test-fraction", type=_share, default=0.15, show_default=True, help="Share of test."),
    click.option(
        "--small-classes",
        type=click.Choice(("error", "train")),
        default="error",
        show_default=True,
        help="A class too small for all splits is an error, or goes to the training split whole.",
    ),
    click.option(
        "--stratify",
        type=click.Choice(("contained", "dominant", "none")),
        default="contained",
        show_default=True,
        help="What splits and folds divide alike: all classes that a row holds, its dominant one, or none.",
    ),
)
"""What is fitted, on what, and how that is split."""

init_from = click.option(
    "--init-from",
    metavar="MODEL|PATH",
    help="Starts from the weights of the newest trained MODEL, or of a .keras file or a folder with model.keras.",
)

validation = combined(
    click.option(
        "--folds", type=click.IntRange(2), metavar="K", help="Also validates by stratified K-fold cross-validation."
    ),
    click.option("--leave-one-out", is_flag=True, help="Also validates with a fit for each example that is left out."),
    click.option(
        "--bootstrap",
        type=click.IntRange(1),
        metavar="ROUNDS",
        help="Also validates by so many bootstrap samples: out-of-bag, .632 and .632+.",
    ),
)
"""How a model is validated beyond the hold-out."""

beam_arg = click.option(
    "--beam-arg", "beam_args", multiple=True, metavar="ARG", help="An argument of every Beam pipeline; repeatable."
)

pipeline = combined(
    click.option("--tune", is_flag=True, help="Searches the settings first."),
    click.option("--trials", type=click.IntRange(1), default=10, show_default=True, help="Fits that --tune may make."),
    click.option(
        "--search", metavar="NAME[,NAME]", callback=_names, help="Settings that --tune searches; default: all it can."
    ),
    click.option(
        "--max-bad-fraction",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.0,
        show_default=True,
        help="Share of unreadable rows left out.",
    ),
    beam_arg,
)
"""How the pipeline runs, wherever it does."""

root = click.option(
    "--root", default=ROOT, show_default=True, type=click.Path(file_okay=False), help="Where runs are kept."
)
as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on standard output, and nothing else."
)
