"""The pushed version that answers: where it lies, what it reads, and what it answers. TensorFlow is not needed here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import click

from ann_keras.task import Feature
from pipelines.bulk import storage
from pipelines.exits import UsageError
from serving.columns import features_of
from serving.model_config import DESCRIPTION

EXAMPLES, FEATURES = "examples", "serving_default"
"""The signatures that take serialized tf.Examples, and raw features by name."""
_VERSION = re.compile(r"(\d+)/saved_model\.pb")


@dataclass(frozen=True)
class Pushed:
    """One version of a model.

    Attributes:
        name: the model's.
        version: its number.
        path: the SavedModel.
        features: that its requests hold, where that stands beside it.
        classes: names, where it knows any.
        signatures: the names of the outputs by signature, sorted.
    """

    name: str
    version: int
    path: str
    features: tuple[Feature, ...]
    classes: tuple[str, ...]
    signatures: Mapping[str, tuple[str, ...]]


def find(model: str, root: str, version: int | None = None) -> Pushed:
    """Finds the newest version under ROOT/serving/MODEL, or the one that is asked for.

    Raises:
        click.ClickException: if there is none, or it is no SavedModel.
        UsageError: if not the one that is asked for.
    """
    from google.protobuf.message import DecodeError

    base = storage.join(storage.absolute(root), "serving", model)
    found = sorted(int(match[1]) for path in storage.listing(base) if (match := _VERSION.fullmatch(path)))
    if not found:
        raise click.ClickException(f"{base} holds no pushed version; `ann run {model} --root {root}` pushes one")
    if version is not None and version not in found:
        known = ", ".join(map(str, found))
        raise UsageError(f"--version {version}: {base} has no such version; the versions there are {known}")
    chosen = found[-1] if version is None else version
    path = storage.join(base, str(chosen))
    try:
        signatures = _signatures(path)
        features, classes = _described(path)
    except (DecodeError, ValueError, LookupError, OSError) as error:
        raise click.ClickException(f"{path} is no SavedModel as it should be: {error}") from error
    return Pushed(model, chosen, path, features, classes, signatures)


def _signatures(path: str) -> dict[str, tuple[str, ...]]:
    from serving import protos

    with storage.read(storage.join(path, "saved_model.pb")) as file:
        message = protos.saved_model_pb2.SavedModel.FromString(file.read())
    (graph, *_) = message.meta_graphs
    return {name: tuple(sorted(signature.outputs)) for name, signature in graph.signature_def.items()}


def _described(path: str) -> tuple[tuple[Feature, ...], tuple[str, ...]]:
    """The features and classes that stand beside a model; empty where nothing does."""
    if DESCRIPTION not in storage.listing(path):
        return (), ()
    with storage.read(storage.join(path, DESCRIPTION)) as file:
        description = json.loads(file.read())
    return features_of(description), tuple(description["classes"])
