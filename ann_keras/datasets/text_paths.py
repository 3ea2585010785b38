"""Where pairs of texts are: the argument of `text:`, and the files of a path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ann_keras.datasets import folder_files
from ann_keras.datasets.base import DatasetError

OFFICIAL = {**folder_files.OFFICIAL, "dev": "validation"}
"""How a file's name begins -> the split that it holds, as `base.Index` calls it."""
TABBED = ("tsv", "tab", "txt")
"""How files of pairs with a tab between them end in a folder; a file that is named itself may end as it likes."""
EXPECTED = (
    "give a file with a tab between source and target, a folder with train.* (in two languages, or .tsv), or what two "
    "files have before their languages"
)


@dataclass(frozen=True)
class Place:
    """Where pairs lie.

    Attributes:
        official: their split, "" where they have none.
        source: path of the file that holds the sources.
        target: path of the file that holds the targets, line by line; "" where they stand in the same file.
        columns: of source and target in a file that holds both, from 0.
    """

    official: str
    source: str
    target: str = ""
    columns: tuple[int, int] = (0, 1)

    @property
    def files(self) -> tuple[str, ...]:
        """The paths."""
        return (self.source, self.target) if self.target else (self.source,)


@dataclass(frozen=True)
class Source:
    """What `text:` is followed by.

    Attributes:
        name: the whole name, `text:` and the argument with an absolute path, by which another process opens the same.
        root: the folder of all files.
        places: the files, train first.
        sides: what source and target are called: languages, or columns.
    """

    name: str
    root: Path
    places: tuple[Place, ...]
    sides: tuple[str, str]


def parse(argument: str) -> Source:
    """Takes an argument of `text:`, PATH or PATH@SOURCE-TARGET, apart and finds its files.

    Raises:
        DatasetError: in one line, for a path or an order that does not fit the files.
    """
    path, order = argument, ""
    if not Path(path).expanduser().exists() and "@" in argument:
        path, _, order = argument.rpartition("@")
    root = Path(path).expanduser().resolve()
    name = f"text:{root}@{order}" if order else f"text:{root}"
    if root.is_file():
        columns, sides = _columns(path, order)
        return Source(name, root.parent, (Place("", str(root), "", columns),), sides)
    if root.is_dir():
        found = _by_split(root) or _only(root)
    else:
        found = {"": _named(root.parent).get(root.name, {})} if root.parent.is_dir() else {}
    if not found or not any(found.values()):
        lacks = "has no pairs of texts" if root.exists() else "does not exist"
        raise DatasetError(f"{path} {lacks}; {EXPECTED}")
    folder = root if root.is_dir() else root.parent
    return Source(name, folder, *_places(path, order, found))


def _columns(path: str, order: str) -> tuple[tuple[int, int], tuple[str, str]]:
    """Source and target in the columns of a file: the first two, or as @2-1 says."""
    match = re.fullmatch(r"([1-9]\d*)-([1-9]\d*)", order or "1-2")
    if match is None or match[1] == match[2]:
        raise DatasetError(f"{path}@{order}: in one file the order is one of columns, such as @2-1")
    return (int(match[1]) - 1, int(match[2]) - 1), (f"column {match[1]}", f"column {match[2]}")


def _named(folder: Path) -> dict[str, dict[str, Path]]:
    """The files of a folder by the two parts of their names, as `train` and `en` of train.en or train.en.gz."""
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")):
        stem, _, language = file.name.removesuffix(".gz").rpartition(".")
        if stem and language in found.setdefault(stem, {}):
            raise DatasetError(f"{folder} has both {found[stem][language].name} and {file.name}; keep one")
        if stem:
            found[stem][language] = file
    return found


def _by_split(folder: Path) -> dict[str, dict[str, Path]]:
    """The files of the official splits by their languages, where there is one to train on."""
    found: dict[str, dict[str, Path]] = {}
    stems: dict[str, str] = {}
    for stem, files in _named(folder).items():
        split = OFFICIAL.get(re.split(r"[_.-]", stem)[0].lower())
        if split is None:
            continue
        if split in found:
            raise DatasetError(f"{folder} has both {stems[split]}.* and {stem}.* for the {split} split; keep one")
        found[split], stems[split] = files, stem
    if found and "train" not in found:
        raise DatasetError(f"{folder} has {', '.join(f'{stem}.*' for stem in stems.values())} but no train.*")
    return {split: found[split] for split in ("train", "validation", "test") if split in found}


def _only(folder: Path) -> dict[str, dict[str, Path]]:
    """The files of the only name in a folder that is there in two languages."""
    several = {stem: files for stem, files in _named(folder).items() if len(files) > 1}
    if len(several) > 1:
        raise DatasetError(f"{folder} has {', '.join(f'{stem}.*' for stem in several)}; {EXPECTED}")
    return {"": next(iter(several.values()))} if several else {}


def _places(
    path: str, order: str, found: Mapping[str, Mapping[str, Path]]
) -> tuple[tuple[Place, ...], tuple[str, str]]:
    """The places of files by split and language, and what the sides are called."""
    first = next(iter(found.values()))
    tabbed = [language for language in first if language in TABBED]
    if tabbed:
        columns, sides = _columns(path, order)
        return tuple(_tabbed(path, tabbed[0], columns, found)), sides
    if len(first) == 1:
        raise DatasetError(f"{next(iter(first.values()))} has no partner in another language; {EXPECTED}")
    pairs = [(one, other) for one in first for other in first if one != other]
    chosen = [pair for pair in pairs if "-".join(pair) == order] if order else pairs[:1] if len(first) == 2 else []
    if not chosen:
        wrong = f"{path}@{order} is none of its pairs" if order else f"{path}: which pair is not said"
        known = " and ".join(sorted(first))
        raise DatasetError(f"{wrong}; its languages are {known}, as in {path}@{'-'.join(pairs[0])}")
    source, target = chosen[0]
    for official, files in found.items():
        for language in chosen[0]:
            if language not in files:
                raise DatasetError(f"{path} has no file of the {official} split in {language!r}")
    places = [Place(official, str(files[source]), str(files[target])) for official, files in found.items()]
    return tuple(places), (source, target)


def _tabbed(
    path: str, ending: str, columns: tuple[int, int], found: Mapping[str, Mapping[str, Path]]
) -> Iterator[Place]:
    for official, files in found.items():
        if ending not in files:
            raise DatasetError(f"{path} has no .{ending} of the {official} split")
        yield Place(official, str(files[ending]), "", columns)
