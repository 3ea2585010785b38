"""The bundled tables, value by value against scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn.datasets

from ann_keras import registry
from ann_keras.datasets.base import TableShard


@pytest.mark.parametrize(("name", "rows", "columns"), [("iris", 150, 4), ("wine", 178, 13), ("breast_cancer", 569, 30)])
def test_class_labels(name: str, rows: int, columns: int) -> None:
    dataset = registry.open_dataset(name)
    bundled = getattr(sklearn.datasets, f"load_{name}")()
    index = dataset.index()
    assert len(index) == rows == len(np.unique(index.keys))
    assert len(dataset.features) == columns + 1
    assert dataset.features["label"].classes == tuple(bundled.target_names)
    np.testing.assert_array_equal(index.labels, bundled.target)
    (shard,) = pickle.loads(pickle.dumps(dataset.shards()))
    assert isinstance(shard, TableShard)
    (table,) = shard.tables()
    assert table.keys.tolist() == index.keys.tolist()
    assert list(table.columns) == list(dataset.features)
    np.testing.assert_array_equal(np.stack(list(table.columns.values())[:-1], 1), bundled.data.astype(np.float32))
    np.testing.assert_array_equal(table.columns["label"], bundled.target)
    assert dataset.licence and dataset.citation


def test_diabetes_is_in_its_own_units(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = registry.open_dataset("diabetes")
    monkeypatch.setattr("ann_keras.datasets.sklearn_tables.SHARD_ROWS", 100)
    shards = dataset.shards()
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 100), (100, 200), (200, 300), (300, 400), (400, 442)]
    read = [row for shard in shards for row in shard.read()]
    assert [row.key for row in read] == dataset.index().keys.tolist()
    # The first patient of Efron et al.'s table.
    first = {
        "age": 59,
        "sex": 2,
        "bmi": 32.1,
        "bp": 101,
        "s1": 157,
        "s2": 93.2,
        "s3": 38,
        "s4": 4,
        "s5": 4.8598,
        "s6": 87,
    }
    assert read[0].values == pytest.approx(first | {"label": 151})
    assert dataset.features["label"].kind == "number"
    assert np.bincount(dataset.index().labels).tolist() == [46, 45, 45, 47, 45, 45, 48, 45, 45, 31]


def test_names_are_identifiers() -> None:
    names = list(registry.open_dataset("wine").features)
    assert names[:2] == ["alcohol", "malic_acid"]
    assert "od280_od315_of_diluted_wines" in names
    assert "cm" in registry.open_dataset("iris").features["sepal_length_cm"].description
