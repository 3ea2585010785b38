"""`ann`: the command line. Nothing heavy is imported before the arguments are known to be right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ann_keras import __version__

ROOT = "./ann-runs"
KINDS = ("tasks", "models", "datasets")


class Group(click.Group):
    """Commands in the order of the README."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were defined."""
        return list(self.commands)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ann")
def cli() -> None:
    """Trains, validates, blesses, serves and explains any model on any matching data."""


def _settings(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r}: expected KEY=VALUE")
        pairs[name] = value
    return pairs


def _triple_options(function: Any) -> Any:
    for option in reversed(
        (
            click.argument("model"),
            click.option("--dataset", metavar="D", help="A name, tfds:NAME or images:PATH; default: the task's embedded one."),
            click.option("--task", metavar="T", help="Where the model and the dataset fit several."),
            click.option(
                "--set", "overrides", metavar="KEY=VALUE", multiple=True, callback=_settings, help="A setting; repeat it."
            ),
            click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of splits and weights."),
        )
    ):
        function = option(function)
    return function


def _split_options(function: Any) -> Any:
    share = click.FloatRange(0, 1, min_open=True, max_open=True)
    for option in reversed(
        (
            click.option("--eval-fraction", type=share, default=0.15, show_default=True, help="Share of the validation split."),
            click.option("--test-fraction", type=share, default=0.15, show_default=True, help="Share of the test split."),
            click.option(
                "--small-classes",
                type=click.Choice(("error", "train")),
                default="error",
                show_default=True,
                help="A class too small for all splits is an error, or goes to the training split whole.",
            ),
        )
    ):
        function = option(function)
    return function


_root = click.option("--root", default=ROOT, show_default=True, type=click.Path(file_okay=False), help="Where runs are kept.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output, and nothing else.")


@cli.command("list")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@_json
def list_command(kind: str | None, as_json: bool) -> None:
    """Tasks, models and datasets."""
    from ann_keras import registry

    tables = {"tasks": registry.TASKS, "models": registry.MODELS, "datasets": registry.DATASETS}
    found = {name: registry.describe(tables[name]) for name in KINDS if kind in (None, name)}
    if as_json:
        click.echo(json.dumps(found if kind is None else found[kind]))
        return
    for name, entries in found.items():
        if kind is None:
            click.echo(f"{name}:")
        for entry in entries:
            click.echo(f"  {entry['name']:<22}{entry['summary']}")


@cli.command()
@_triple_options
@_split_options
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most; the same as --set epochs=N.")
@click.option("--out", type=click.Path(file_okay=False), help="Keeps model.keras and a servable SavedModel there.")
@_json
def fit(**options: Any) -> int:
    """Fits MODEL with plain Keras, without TFX: the same preprocessing and the same metrics."""
    from pipelines import commands

    if options["epochs"] is not None:
        options["overrides"] = {"epochs": options["epochs"], **options["overrides"]}
    return commands.fit(**options)


@cli.command()
@_triple_options
@_split_options
@_root
@click.option("--folds", type=click.IntRange(2), help="Also validates by stratified K-fold cross-validation.")
@click.option("--tune", is_flag=True, help="Searches the settings first.")
@click.option("--trials", type=click.IntRange(1), default=10, show_default=True, help="Fits that --tune may make.")
@click.option("--no-cache", is_flag=True, help="Reuses nothing of earlier runs.")
@click.option(
    "--max-bad-fraction", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of unreadable rows left out."
)
@click.option("--beam-arg", "beam_args", multiple=True, metavar="ARG", help="An argument of every Beam pipeline; repeat it.")
@_json
def run(**options: Any) -> int:
    """Carries MODEL through the TFX pipeline, from raw data to a blessed, pushed model and its report."""
    from pipelines import commands

    return commands.run(**options)


@cli.command("compile")
@_triple_options
@_split_options
@click.option("--image", required=True, help="The container image with this package, as `make image` builds it.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The YAML file.")
@click.option("--root", default="/ann-runs", show_default=True, help="Where the cluster's volume or bucket is: a path or gs://...")
@click.option("--tune", is_flag=True, help="With a Tuner.")
@click.option("--trials", type=click.IntRange(1), default=10, show_default=True, help="Fits that the Tuner may make.")
@click.option("--max-bad-fraction", type=click.FloatRange(0, 1), default=0.0, help="Share of unreadable rows left out.")
@click.option("--beam-arg", "beam_args", multiple=True, metavar="ARG", help="An argument of every Beam pipeline; repeat it.")
def compile_command(**options: Any) -> int:
    """Writes the same pipeline for Kubeflow Pipelines v2."""
    from pipelines import commands

    return commands.compile_pipeline(**options)


@cli.command()
@_root
@click.option("--model-config-file", type=click.Path(exists=True, dir_okay=False), help="TF Serving's own; in place of --root.")
@click.option("--rest-api-port", type=click.IntRange(0, 65535), default=8501, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="gRPC.")
def serve(root: str, model_config_file: str | None, rest_api_port: int, port: int) -> int:
    """Serves every pushed model over REST and gRPC, new versions as they come."""
    from pipelines import asking

    return asking.serve(root, model_config_file, rest_api_port, port)


@cli.command()
@click.argument("model")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--url", help="Of a server: http://HOST:PORT, or HOST:PORT with --grpc. Default: this machine's, or one for the call.")
@click.option("--grpc", is_flag=True, help="Asks over gRPC in place of REST.")
@_root
@_json
def predict(model: str, inputs: tuple[str, ...], url: str | None, grpc: bool, root: str, as_json: bool) -> int:
    """Asks a server what MODEL answers to each INPUT, such as an image file."""
    from pipelines import asking

    return asking.predict(model, inputs, url, grpc, root, as_json)


@cli.command()
@_root
@click.option("--model", help="Of this model; default: of whichever ran last.")
def report(root: str, model: str | None) -> int:
    """Prints the path of the latest run's report."""
    pages = sorted(Path(root).glob(f"reports/{model or '*'}/*/report.html"), key=lambda path: path.parent.name)
    if not pages:
        raise click.ClickException(f"no report under {root}; `ann run MODEL --root {root}` writes one")
    click.echo(pages[-1])
    return 0


@cli.command()
@click.option("--root", default=ROOT, type=click.Path(file_okay=False), help="Where the free disk is looked at.")
@_json
def doctor(root: str, as_json: bool) -> int:
    """What is installed, what is missing, what does not fit together, and the command that mends it."""
    from pipelines import doctor as checks

    return checks.main(root=root, as_json=as_json)


def main(arguments: list[str] | None = None) -> None:
    """The entry point: one line and an exit code for whatever goes wrong (1: the run failed, 2: wrong arguments)."""
    try:
        code = cli.main(arguments, prog_name="ann", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("ann: interrupted", err=True)
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"ann: {' '.join(error.format_message().split())}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
