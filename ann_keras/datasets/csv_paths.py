"""Where a table is: the argument of `csv:`, and the files of a path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from ann_keras.datasets.base import DatasetError

SPLITS = ("train", "validation", "test")
SUFFIXES = (".csv", ".tsv", ".txt")
SETTINGS = ("label", "schema", "as")
KINDS = ("label", "number")


@dataclass(frozen=True)
class Source:
    """What `csv:` is followed by.

    Attributes:
        path: of the file or folder.
        label: the column; "" if it was not given.
        schema: path of a schema file, "" for none.
        kind: how the label is read, one of KINDS, "" for a guess.
    """

    path: str
    label: str = ""
    schema: str = ""
    kind: str = ""

    @property
    def name(self) -> str:
        """The whole name, `csv:` and the argument, by which another process opens the same."""
        given = {"label": self.label, "schema": self.schema, "as": self.kind}
        settings = "&".join(f"{name}={quoted(value)}" for name, value in given.items() if value)
        return f"csv:{quoted(self.path)}?{settings}"


def parse(argument: str) -> Source:
    """Takes an argument of `csv:` apart and makes its paths absolute.

    Raises:
        DatasetError: for an unknown setting.
    """
    path, _, query = argument.partition("?")
    settings: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in SETTINGS:
            raise DatasetError(f"csv:{argument}: unknown setting {name!r}; the settings are {', '.join(SETTINGS)}")
        settings[name] = unquote(value)
    kind = settings.get("as", "")
    if kind not in ("", *KINDS):
        raise DatasetError(f"csv:{argument}: as={kind} is unknown; a label is read as=label or as=number")
    schema = _absolute(settings["schema"]) if settings.get("schema") else ""
    return Source(_absolute(unquote(path)), settings.get("label", ""), schema, kind)


def quoted(value: str) -> str:
    """A path or a column's name as it stands in the name of a dataset: percent-encoded where it must be."""
    return "".join(quote(one, safe="") if one in "%?&#" or ord(one) < 32 else one for one in value)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())


def files(path: str) -> dict[str, str]:
    """The files by official split, "" for none."""
    root = Path(path)
    if not root.exists():
        raise DatasetError(f"{path} does not exist; give a file of rows with a line of column names")
    if not root.is_dir():
        if not _stem(root.name):
            raise DatasetError(f"{path}: expected a name that ends in {', '.join(SUFFIXES)}, or one of them and .gz")
        return {"": path}
    found: dict[str, str] = {}
    for file in sorted(entry for entry in root.iterdir() if _stem(entry.name) and not entry.name.startswith(".")):
        split = _stem(file.name)
        if split not in SPLITS:
            raise DatasetError(f"{file} is none of {', '.join(f'{name}.*' for name in SPLITS)}; name the file itself")
        if split in found:
            raise DatasetError(f"{path} has both {Path(found[split]).name} and {file.name}; keep one")
        found[split] = str(file)
    if "train" not in found:
        raise DatasetError(f"{path} has no train.csv (or .tsv, .txt, each also .gz); name a file, or a folder with one")
    return {split: found[split] for split in SPLITS if split in found}


def _stem(name: str) -> str:
    """The name of a table without its suffixes; "" for what is none."""
    plain = name[:-3] if name.endswith(".gz") else name
    stem, suffix = os.path.splitext(plain)
    return stem if suffix.lower() in SUFFIXES else ""
