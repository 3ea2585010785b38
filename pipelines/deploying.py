"""What `ann deploy` does once its arguments are parsed. It needs no TensorFlow in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipelines.exits import UsageError

if TYPE_CHECKING:
    from serving.deploy import Deployment


def deploy(root: str, out: str, image: str | None, models: Sequence[str], storage_uri: str, as_json: bool) -> int:
    """`ann deploy`."""
    import serving.deploy

    try:
        made = serving.deploy.deploy(root, out, image, models, storage_uri)
    except serving.deploy.PushedModelError as error:
        raise click.ClickException(str(error)) from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    for warning in made.warnings:
        click.echo(f"ann: warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps(_document(made)))
    else:
        _tell(made)
    return 0


def _document(made: Deployment) -> dict[str, Any]:
    return {
        "out": str(made.out),
        "image": made.image,
        "server": made.server,
        "models": [{"name": one.name, "version": one.version, "path": str(one.path)} for one in made.models],
        "files": made.files,
        "changed": made.changed,
        "warnings": made.warnings,
    }


def _tell(made: Deployment) -> None:
    for model in made.models:
        click.echo(f"{model.name} {model.version}")
    own = [name for name in made.files if not name.startswith("models/")]
    for name in own:
        click.echo(f"  {made.out / name}{'' if name in made.changed else '  (unchanged)'}")
    click.echo(f"{made.image} on {made.server}; the commands are in {made.out / 'README.md'}")
