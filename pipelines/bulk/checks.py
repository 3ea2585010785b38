"""What the arguments of `ann predict --input` mean, and what is wrong with them before anything long begins."""

from __future__ import annotations

import os
from dataclasses import dataclass

from pipelines.bulk import pushed, storage
from pipelines.bulk.answers import FORMATS, Format
from pipelines.bulk.inputs import Folder, Source, TfRecords
from pipelines.bulk.lines import Lines
from pipelines.bulk.pushed import Pushed
from pipelines.bulk.tables import Csv
from pipelines.exits import UsageError

SOURCES: dict[str, type[Source]] = {"tfrecord": TfRecords, "folder": Folder, "csv": Csv, "text": Lines}


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        pushed: the model's version that answers.
        source: of the inputs.
        form: of the answers.
        output: the file, as an absolute path.
    """

    pushed: Pushed
    source: Source
    form: Format
    output: str


def check(model: str, root: str, version: int | None, given: str, input_format: str | None, output: str) -> Request:
    """Reads the arguments.

    Raises:
        UsageError: naming what is wrong with them.
        click.ClickException: if there is no pushed version of the model.
    """
    kind, path = _spelled(given, input_format)
    target, suffix = _target(output)
    found = pushed.find(model, root, version)
    source = SOURCES[kind](path, found.features)
    if source.signature not in found.signatures:
        names = ", ".join(sorted(found.signatures))
        raise UsageError(f"--input {given}: {found.path} has no signature {source.signature!r}; it has {names}")
    source.check()
    if not isinstance(source, Folder) and target in source.files():
        raise UsageError(f"--output {output}: would replace its own input")
    return Request(found, source, FORMATS[suffix](found.signatures[source.signature], found.classes), target)


def _spelled(given: str, input_format: str | None) -> tuple[str, str]:
    """The format and the path of an --input, whose format is written before it, beside it, or in its name."""
    scheme, colon, rest = given.partition(":")
    if colon and scheme in SOURCES:
        if input_format not in (None, scheme):
            raise UsageError(f"--input {given}: --input-format says {input_format}")
        kind, path = scheme, rest
    else:
        kind, path = input_format or _format_of(given), given
    if not path:
        raise UsageError(f"--input {given}: no path is after {scheme}:")
    return kind, storage.absolute(path)


def _format_of(path: str) -> str:
    place = storage.absolute(path)
    name = os.path.basename(place).lower()
    if storage.is_local(place) and os.path.isdir(place):
        return "folder"
    if name.endswith((".csv", ".tsv")):
        return "csv"
    if name.endswith(".txt"):
        return "text"
    if "tfrecord" in name:
        return "tfrecord"
    if not storage.matching(place) and not storage.is_folder(place):
        formats = ", ".join(f"{kind}:PATH" for kind in SOURCES)
        raise UsageError(f"--input {path}: there is no such file or folder; give a path, or {formats}")
    if storage.is_folder(place):
        return "folder"
    raise UsageError(f"--input {path}: the name does not tell the format; --input-format {'|'.join(SOURCES)} does")


def _target(output: str) -> tuple[str, str]:
    """The file's absolute path and the end of its name."""
    target = storage.absolute(output)
    suffix = os.path.splitext(target)[1].lower()
    if suffix not in FORMATS:
        raise UsageError(f"--output {output}: expected a name that ends in {', '.join(FORMATS)}")
    if storage.is_local(target):
        folder = os.path.dirname(target)
        if os.path.isdir(target):
            raise UsageError(f"--output {output}: is a folder")
        if not os.path.isdir(folder):
            raise UsageError(f"--output {output}: there is no folder {os.path.dirname(output)}")
        if not os.access(folder, os.W_OK):
            raise UsageError(f"--output {output}: the folder cannot be written to")
    return target, suffix
