"""The label column of a CSV file as classes or as a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ann_keras.datasets import csv_reading
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.csv_scan import MOST_CLASSES, Scan
from ann_keras.datasets.tables import strata
from ann_keras.task import Feature


@dataclass(frozen=True)
class Label:
    """How the label's cells are read.

    Attributes:
        column: its name in the file.
        numeric: whether the cells are numbers.
        classes: the names of the classes in their order, () for a number.
    """

    column: str
    numeric: bool
    classes: tuple[str, ...] = ()

    @property
    def feature(self) -> Feature:
        """The feature with the role "label"."""
        if self.classes:
            return Feature("label", "label", (), "int64", self.classes, f"Column {self.column!r}.")
        return Feature("label", "number", description=f"Column {self.column!r}, in its own unit.")

    def encoded(self, strings: Any) -> tuple[np.ndarray, np.ndarray]:
        """The label of rows.

        Args:
            strings: Arrow strings [rows], null where missing.

        Returns:
            int64 class indices or float32 numbers [rows], and bool [rows], whether there is a value that is none.
        """
        if not self.numeric:
            found = pc.index_in(strings, value_set=pa.array(self.classes))
            indices = np.asarray(pc.fill_null(found, 0)).astype(np.int64)
            return indices, np.asarray(pc.and_(pc.is_null(found), pc.is_valid(strings)))
        values, bad = csv_reading.numbers(strings)
        if not self.classes:
            return values.astype(np.float32), bad
        indices, is_class = _places(values, self.classes)
        return indices, bad | ~(is_class | np.isnan(values))


def label(scan: Scan, column: str, numeric: bool, kind: str) -> tuple[Label, np.ndarray]:
    """The label and what rows are stratified by.

    Args:
        scan: of the files.
        column: the label's name.
        numeric: whether `scan.values` are numbers.
        kind: "label" for classes, "number", or "" for a guess: classes of texts and of two whole numbers.

    Returns:
        The label, and int64 [rows]: the class, or the tenth of the rows. A row without a label, which cannot be used,
        counts as one of the most frequent class.

    Raises:
        DatasetError: if there are no values, only one, or more classes than `MOST_CLASSES`.
    """
    if not numeric:
        order = sorted(range(len(scan.names)), key=scan.names.__getitem__)
        classes = tuple(scan.names[place] for place in order)
        _check_varied(column, classes)
        places = np.empty(len(order) + 1, np.int64)
        places[order], places[-1] = np.arange(len(order)), -1
        return Label(column, False, classes), _filled(places[scan.values])
    present = scan.values[~np.isnan(scan.values)]
    different = np.unique(present)
    _check_varied(column, [_shown(value) for value in different[:2]])
    is_binary = len(different) == 2 and not (different % 1).any()
    if kind == "number" or (not kind and not is_binary):
        return Label(column, True), strata(scan.values)
    if len(different) > MOST_CLASSES:
        raise DatasetError(
            f"label column {column!r} has {len(different):,} different values; at most {MOST_CLASSES:,} classes are "
            "possible; read it with as=number"
        )
    classes = tuple(_shown(value) for value in different)
    indices, is_class = _places(scan.values, classes)
    return Label(column, True, classes), _filled(np.where(is_class, indices, -1))


def check_official(found: Label, official: np.ndarray, classes: np.ndarray, path: str) -> None:
    """Raises a DatasetError for a class that other splits have and the train split lacks."""
    trained = np.bincount(classes[official == "train"], minlength=len(found.classes))
    if len(official) and (official == "train").any() and found.classes and not trained.all():
        name = found.classes[int(np.flatnonzero(trained == 0)[0])]
        raise DatasetError(f"{path}: class {name!r} of column {found.column!r} is not among the classes of train")


def _check_varied(column: str, values: Sequence[str]) -> None:
    if not values:
        raise DatasetError(f"label column {column!r} has no values; name another column")
    if len(values) == 1:
        raise DatasetError(f"label column {column!r} is {values[0]!r} in every row; there is nothing to learn")


def _filled(classes: np.ndarray) -> np.ndarray:
    return np.where(classes < 0, np.bincount(classes[classes >= 0]).argmax(), classes)


def _places(values: np.ndarray, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Places of numbers among classes that are numbers in ascending order, and whether they are there."""
    numbers = np.array([float(name) for name in classes])
    indices = np.searchsorted(numbers, values).clip(0, len(numbers) - 1)
    return indices.astype(np.int64), numbers[indices] == values


def _shown(value: float) -> str:
    return str(int(value)) if value % 1 == 0 else repr(float(value))
