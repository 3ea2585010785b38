"""A small table with every kind of column, and tabular models of it that are as good as untrained."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ann_keras import registry
from ann_keras.datasets.base import Dataset, Index, Table, TableShard
from ann_keras.datasets.tables import row_keys, strata
from ann_keras.task import Feature

ROWS = 60
CLASSES = ("<=50K", ">50K", "much")
COLUMNS = (
    Feature("fixed_acidity", "number", description="Column 'Fixed acidity'."),
    Feature("age", "number", description="Column 'age'.", optional=True),
    Feature("work_class", "text", dtype="string", description="Column 'Work class'.", optional=True, distinct=3),
    Feature("city", "text", dtype="string", description="Column 'city'.", distinct=2),
)
"""Two that may not be missing, and two that may."""


class SmallShard(TableShard):
    """All rows.

    Args:
        kind: of the label.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.start, self.stop = kind, 0, ROWS

    def tables(self) -> Iterator[Table]:
        """Yields them."""
        generator = np.random.default_rng(0)
        acidity, age = generator.normal(7, 1, ROWS), generator.integers(18, 80, ROWS).astype(np.float64)
        target = 10 * acidity + age
        age[::7] = np.nan
        places = np.arange(ROWS)
        columns = {
            "fixed_acidity": acidity.astype(np.float32),
            "age": age.astype(np.float32),
            "work_class": np.array([b"", b"Private", b"State", b"None, really"], object)[places % 4],
            "city": np.array([b"Bonn", b"K\xc3\xb6ln"], object)[places % 2],
        }
        label = places % 3 if self.kind == "label" else target
        columns["label"] = label.astype(np.int64 if self.kind == "label" else np.float32)
        yield Table(row_keys("small", ROWS), columns)


class SmallTable(Dataset):
    """The table.

    Args:
        kind: of its label, "label" or "number".
    """

    name, description = "small", "A small table."

    def __init__(self, kind: str) -> None:
        self._kind = kind
        label = Feature("label", "label", (), "int64", CLASSES) if kind == "label" else Feature("label", "number")
        self.features = {feature.name: feature for feature in COLUMNS} | {"label": label}

    def fingerprint(self) -> str:
        """Its name."""
        return f"small-{self._kind}"

    def index(self) -> Index:
        """Keys and labels."""
        (table,) = SmallShard(self._kind).tables()
        label = table.columns["label"]
        labels = label if self._kind == "label" else strata(label)
        return Index(table.keys, labels, np.full(ROWS, "", object))

    def shards(self) -> Sequence[SmallShard]:
        """One."""
        return [SmallShard(self._kind)]


def resolve(kind: str, **overrides: Any) -> registry.Triple:
    """An mlp on the table."""
    with mock.patch.object(registry, "open_dataset", lambda name: SmallTable(kind)):
        return registry.resolve("mlp", "small", None, {"units": 4, "depth": 1, **overrides})


def push(base: Path, kind: str, **overrides: Any) -> None:
    """Writes version 1 of such a model, with warm-up requests, to BASE/1."""
    import keras

    from ann_keras import data, training
    from serving.export import export

    triple = resolve(kind, **overrides)
    loaded = data.load(triple)
    keras.utils.set_random_seed(0)
    model = training.build(triple)
    base.mkdir(parents=True)
    warmup = next(loaded.eval.records.batch(8).as_numpy_iterator())
    export(triple, model, loaded.transform, base / "1", warmup=warmup)


@functools.cache
def root() -> Path:
    """A root with two such models, made once a process: price answers a number and its interval, income a class."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    push(folder / "serving" / "price", "number", noise="learned")
    push(folder / "serving" / "income", "label")
    return folder
