"""`ann`: the command line. Nothing heavy is imported before the arguments are known to be right."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from ann_keras import __version__
from pipelines import options
from pipelines.bulk import arguments as bulk
from pipelines.exits import FAILED, INTERRUPTED, WRONG_ARGUMENTS, essence

KINDS = ("tasks", "models", "datasets")
_FILE = click.Path(exists=True, dir_okay=False)


class Group(click.Group):
    """Commands in the order of the README."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they were defined."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Ctrl-C ends a command with one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Else click would add an empty line.
            raise click.Abort from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="ann")
def cli() -> None:
    """Trains, validates, blesses, serves and explains any model on any matching data."""


@cli.command("list")
@click.argument("kind", required=False, type=click.Choice(KINDS))
@options.as_json
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
            click.echo(f"  {entry['name']:<26}{entry['summary']}")


@cli.command()
@options.triple
@options.init_from
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most; the same as --set epochs=N.")
@options.validation
@click.option("--out", type=click.Path(file_okay=False), help="Keeps model.keras and a servable SavedModel there.")
@options.as_json
def fit(**given: Any) -> int:
    """Fits MODEL with plain Keras, without TFX: the same preprocessing and the same metrics."""
    from pipelines import commands

    if given["epochs"] is not None:
        given["overrides"] = {"epochs": given["epochs"], **given["overrides"]}
    return commands.fit(**given)


@cli.command()
@options.triple
@options.init_from
@options.root
@options.validation
@click.option("--no-cache", is_flag=True, help="Reuses nothing of earlier runs.")
@options.pipeline
@options.as_json
def run(**given: Any) -> int:
    """Carries MODEL through the TFX pipeline, from raw data to a blessed, pushed model and its report."""
    from pipelines import running

    return running.run(**given)


@cli.command("compile")
@options.triple
@click.option("--image", required=True, help="The container image with this package, as `make image` builds it.")
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The YAML file.")
@click.option(
    "--root", default="/ann-runs", show_default=True, help="The cluster's volume or bucket: a path or gs://..."
)
@options.validation
@options.pipeline
def compile_command(**given: Any) -> int:
    """Writes the same pipeline for Kubeflow Pipelines v2."""
    from pipelines import commands

    return commands.compile_pipeline(**given)


@cli.command()
@options.root
@click.option("--model-config-file", type=_FILE, help="TF Serving's own; in place of --root.")
@click.option(
    "--model-config-file-poll-wait-seconds",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Time between two reads of that file; 0 reads it once.",
)
@click.option(
    "--rest-api-port", type=click.IntRange(0, 65535), default=8501, show_default=True, help="0 serves no REST."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="gRPC.")
@click.option("--host", help="Address to listen at, 0.0.0.0 for all; default: the loopback.")
@click.option("--grpc-socket-path", type=click.Path(), help="UNIX socket for gRPC.")
@click.option("--enable-batching", is_flag=True, help="Requests that arrive together share a run of the model.")
@click.option("--batching-parameters-file", type=_FILE, help="TF Serving's own; implies --enable-batching.")
@click.option("--monitoring-config-file", type=_FILE, help="TF Serving's own: metrics for Prometheus.")
@click.option("--ssl-config-file", type=_FILE, help="TF Serving's own: TLS for gRPC.")
@click.option("--allow-version-labels-for-unavailable-models", is_flag=True, help="New labels may run ahead.")
@click.option("--enable-grpc-healthcheck-service", is_flag=True, help="grpc.health.v1.")
def serve(**given: Any) -> int:
    """Serves every pushed model over REST and gRPC, new versions as they come."""
    from pipelines import asking

    return asking.serve(**given)


@cli.command()
@click.argument("model")
@click.argument("inputs", nargs=-1, metavar="[INPUT...]")
@click.option(
    "--url",
    help="http://HOST:PORT, or HOST:PORT with --grpc; default: this machine's server, or one for the call.",
)
@click.option("--grpc", is_flag=True, help="Asks over gRPC in place of REST.")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Gets the masks that a model answers, as pictures: DIR/NAME.png for NAME.jpg.",
)
@options.root
@bulk.options
@options.as_json
def predict(model: str, inputs: tuple[str, ...], url: str | None, grpc: bool, out: str | None, **given: Any) -> int:
    """Asks a server what MODEL answers to each INPUT: an image file; a text, or @FILE with one a line; or of a table
    age=39,town=Bonn, a JSON object or @FILE with some (@- is standard input). With --input, answers files of any size
    without a server.
    """
    if bulk.is_asked(inputs):
        from pipelines.bulk import command

        return command.predict(model, **given)
    from pipelines import asking

    return asking.predict(model, inputs, url, grpc, given["root"], given["as_json"], out)


@cli.command()
@click.argument("model", required=False)
@options.root
@click.option("--port", type=click.IntRange(0, 65535), default=8600, show_default=True, help="The page's; 0: any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the page is served at.")
@click.option("--url", help="http://HOST:PORT of a model server; default: one that lives as long as the page.")
@click.option("--no-browser", is_flag=True, help="Only prints the page's address.")
def playground(**given: Any) -> int:
    """Opens a page where you drop a file, draw or type, and see what MODEL answers (default: any pushed one)."""
    from pipelines import playing

    return playing.playground(**given)


@cli.command()
@options.root
@click.option("--out", required=True, type=click.Path(file_okay=False), help="A folder: build context, manifests.")
@click.option("--image", metavar="NAME:TAG", help="Default: ann-serving, its tag made of the versions.")
@click.option(
    "--model",
    "models",
    metavar="NAME[:VERSION]",
    multiple=True,
    help="Only this one; repeatable; default: the newest version of every pushed model.",
)
@click.option(
    "--storage-uri", default="pvc://models", show_default=True, help="Where KServe finds the models' folders."
)
@options.as_json
def deploy(**given: Any) -> int:
    """Writes Docker, Compose, Kubernetes and KServe files that run the real TF Serving on the pushed models."""
    from pipelines import deploying

    return deploying.deploy(**given)


@cli.command()
@options.root
@click.option("--model", help="Of this model; default: of whichever ran last.")
def report(root: str, model: str | None) -> int:
    """Prints the path of the latest run's report."""
    pages = sorted(Path(root).glob(f"reports/{model or '*'}/*/report.html"), key=lambda path: path.parent.name)
    if not pages:
        raise click.ClickException(f"no report under {root}; `ann run MODEL --root {root}` writes one")
    click.echo(pages[-1])
    return 0


@cli.command()
@click.argument("name", metavar="list|NAME")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of data, weights and order."
)
@click.option("--out", type=click.Path(file_okay=False), help=f"Default: {options.ROOT}/labs/NAME.")
@options.as_json
def lab(**given: Any) -> int:
    """Runs NAME, an experiment on a claim of the theory, and writes its page; `list` prints them all."""
    from pipelines.labs import command

    return command.lab(**given)


@cli.command()
@click.option(
    "--root", default=options.ROOT, type=click.Path(file_okay=False), help="Where the free disk is looked at."
)
@options.as_json
def doctor(root: str, as_json: bool) -> int:
    """What is installed, what is missing, what does not fit together, and the command that mends it."""
    from pipelines import doctor as checks

    return checks.main(root=root, as_json=as_json)


def main(arguments: list[str] | None = None) -> None:
    """The entry point: one line and an exit code for whatever goes wrong (1: the run failed, 2: wrong arguments).

    ANN_TRACEBACK=1 shows where an unexpected error arose.
    """
    try:
        code = cli.main(arguments, prog_name="ann", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        _end("interrupted", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(WRONG_ARGUMENTS)
    except click.ClickException as error:
        _end(error.format_message(), error.exit_code)
    except BrokenPipeError:
        # Who read our output has gone: Python must not complain that it cannot flush the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        if os.environ.get("ANN_TRACEBACK"):
            raise
        _end(essence(error), FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _end(text: str, code: int) -> NoReturn:
    click.echo(f"ann: {' '.join(text.split())}", err=True)
    sys.exit(code)
