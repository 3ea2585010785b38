"""The classes of a folder of masks: from its classes file, or from the values that occur.

PATH/classes.txt, a class a line, in the order of their indices; lines that begin with # are left out:

    0 sky #808080
    1 building
    11 void

VALUE is what the masks store, 0 to 255; the colour, which is optional, draws the class and stands for it in RGB masks.
A line whose name is one of `masks.VOID_NAMES` is no class: its pixels count nowhere. So does 255, where no line has it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.masks import MAX_CLASSES, VOID, VOID_NAMES, colour_map

CLASSES_FILE = "classes.txt"
COLOURS_FILE = "label_colors.txt"
"""CamVid's own: "red green blue name" a line; the number of the line, from 0, is the value."""

FILES = (CLASSES_FILE, COLOURS_FILE)


@dataclass(frozen=True)
class Line:
    """What is known of one value: its name and its colour, red << 16 | green << 8 | blue, -1 for none."""

    value: int
    name: str
    colour: int = -1

    @property
    def is_void(self) -> bool:
        """Whether its pixels count nowhere."""
        return self.name.lower() in VOID_NAMES


@dataclass(frozen=True)
class Classes:
    """The classes of masks: picklable, and small.

    Attributes:
        lines: of the classes and of void, classes in the order of their indices.
    """

    lines: tuple[Line, ...]

    @property
    def known(self) -> tuple[Line, ...]:
        """The lines of the classes, by index."""
        return tuple(line for line in self.lines if not line.is_void)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, by index."""
        return tuple(line.name for line in self.known)

    @functools.cached_property
    def lookup(self) -> np.ndarray:
        """int16 [256]: the index of each value's class, VOID, or -1 for a value without a class."""
        lookup = np.full(256, -1, np.int16)
        lookup[VOID] = VOID
        for line in self.lines:
            lookup[line.value] = VOID
        for index, line in enumerate(self.known):
            lookup[line.value] = index
        return lookup

    @property
    def coloured(self) -> dict[int, int]:
        """The value that each colour stands for."""
        return {line.colour: line.value for line in self.lines if line.colour >= 0}

    def palette(self, stored: np.ndarray) -> tuple[tuple[int, int, int], ...]:
        """The colour of each class: its line's, or its value's in `stored`, uint8 [values, 3], or a default."""
        colours = list(colour_map(len(self.known)))
        for index, line in enumerate(self.known):
            if line.colour >= 0:
                colours[index] = (line.colour >> 16, line.colour >> 8 & 255, line.colour & 255)
            elif line.value < len(stored):
                red, green, blue = stored[line.value].tolist()
                colours[index] = (red, green, blue)
        return tuple(colours)


def read(root: Path) -> Classes | None:
    """The classes that a file in `root` gives; None where there is none.

    Raises:
        DatasetError: naming the file, the line and what is wrong with it.
    """
    path = next((root / name for name in FILES if (root / name).is_file()), None)
    if path is None:
        return None
    try:
        rows = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None
    parse = _class_line if path.name == CLASSES_FILE else _colour_line
    lines: list[Line] = []
    for number, row in enumerate(rows, 1):
        if row.strip() and not row.startswith("#"):
            try:
                lines.append(parse(row, len(lines)))
                _check_new(lines)
            except ValueError as error:
                raise DatasetError(f"{path}, line {number}, {row.strip()!r}: {error}") from None
    return _checked(Classes(tuple(lines)), f"{path}: its lines")


def found(occurs: np.ndarray, root: Path) -> Classes:
    """The classes of masks without a classes file: "class V" for every value V that occurs, in ascending order.

    255 is void, unless 0 and 255 alone occur: these are "background" and "foreground".

    Args:
        occurs: bool [256], by value.
        root: for messages.

    Raises:
        DatasetError: where these are fewer than two classes.
    """
    values = np.flatnonzero(occurs).tolist()
    if values == [0, VOID]:
        return Classes((Line(0, "background"), Line(VOID, "foreground")))
    lines = tuple(Line(value, f"class {value}") for value in values if value != VOID)
    return _checked(Classes(lines), f"{root}: the values in its masks, {', '.join(map(str, values))},")


def _checked(classes: Classes, where: str) -> Classes:
    if not 2 <= len(classes.known) <= MAX_CLASSES:
        raise DatasetError(f"{where} give {len(classes.known)} classes; expected 2 to {MAX_CLASSES} besides void")
    return classes


def _class_line(row: str, _: int) -> Line:
    value, *words = row.split()
    colour = -1
    if words and words[-1].startswith("#"):
        digits = words.pop()[1:]
        if len(digits) != 6 or not set(digits.lower()) <= set("0123456789abcdef"):
            raise ValueError(f"the colour #{digits} is not of the form #rrggbb")
        colour = int(digits, 16)
    if not words:
        raise ValueError("expected VALUE NAME, and a colour #rrggbb if there is one")
    return Line(_byte(value, "value"), " ".join(words), colour)


def _colour_line(row: str, place: int) -> Line:
    parts = row.split()
    if len(parts) < 4:
        raise ValueError("expected RED GREEN BLUE NAME")
    red, green, blue = (_byte(part, "colour") for part in parts[:3])
    return Line(_byte(str(place), "value"), " ".join(parts[3:]), red << 16 | green << 8 | blue)


def _byte(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 255):
        raise ValueError(f"the {what} {text} is not a whole number from 0 to 255")
    return int(text)


def _check_new(lines: list[Line]) -> None:
    last = lines[-1]
    for line in lines[:-1]:
        if line.value == last.value:
            raise ValueError(f"the value {last.value} is given twice")
        if line.name == last.name and not last.is_void:
            raise ValueError(f"the name {last.name!r} is given twice")
        if line.colour == last.colour >= 0:
            raise ValueError(f"the colour #{last.colour:06x} is given twice")
