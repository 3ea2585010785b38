"""The options of `ann predict` that belong to --input. Nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.core import ParameterSource

from pipelines.exits import UsageError
from pipelines.options import beam_arg, combined

BATCH_SIZE = 64
FORMATS = ("tfrecord", "folder", "csv", "text")

options = combined(
    click.option(
        "--input",
        "given",
        metavar="PATH",
        help="Answers all of a folder of files, a CSV with a column for each feature, a .txt with a text a line, or "
        "TFRecords of tf.Examples; also as folder:PATH, csv:PATH, text:PATH, tfrecord:PATH; a pattern names several "
        "files.",
    ),
    click.option(
        "--output", metavar="FILE", help="Gets the answers of --input, in its order: .jsonl, .csv or .tfrecord."
    ),
    click.option("--input-format", type=click.Choice(FORMATS), help="Default: as the path tells."),
    click.option("--version", type=click.IntRange(0), help="Of the model, for --input; default: the newest."),
    click.option(
        "--batch-size", type=click.IntRange(1), default=BATCH_SIZE, show_default=True, help="Of --input at once."
    ),
    click.option(
        "--max-bad-fraction",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        help="Share of --input that may have an error in place of an answer.",
    ),
    beam_arg,
)
_WITH_INPUT = {"output", "input_format", "version", "batch_size", "max_bad_fraction", "beam_args"}
"""What means nothing without --input."""


def is_asked(inputs: Sequence[str]) -> bool:
    """Whether the arguments of the command that runs ask for --input, and not for a server's answer to INPUT.

    Raises:
        UsageError: where they ask for both, for neither, or for one with the options of the other.
    """
    context = click.get_current_context()
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    typed = {name for name in names if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if "given" not in typed:
        for name in names:
            if name in typed & _WITH_INPUT:
                raise UsageError(f"{names[name]} needs --input PATH")
        if not inputs:
            raise UsageError("nothing to answer; give INPUT..., or --input PATH --output FILE")
        return False
    if inputs:
        raise UsageError(f"both INPUT, {inputs[0]!r}, and --input; give one of them")
    for name in ("url", "grpc"):
        if name in typed:
            raise UsageError(f"--{name} asks a server, and --input needs none; give one of them")
    if "out" in typed:
        raise UsageError("--out is for INPUT...; the masks of --input are in --output FILE, as base64 of PNGs")
    if "output" not in typed:
        raise UsageError("--input needs --output FILE, which ends in .jsonl, .csv or .tfrecord")
    return True
