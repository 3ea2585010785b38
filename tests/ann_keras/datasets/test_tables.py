"""Names and strata that tables share."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.datasets import tables


def test_identifiers() -> None:
    names = ["Sepal length (cm)", "label", "Key", "2019", "größe", "日本", "a b", "a-b", "a_b_2", ""]
    assert tables.identifiers(names) == [
        "sepal_length_cm",
        "label_2",
        "key_2",
        "column_2019",
        "groe",
        "column_6",
        "a_b",
        "a_b_2",
        "a_b_2_2",
        "column_10",
    ]


@settings(max_examples=40)
@given(st.lists(st.text(max_size=6), max_size=30))
def test_identifiers_are_unique_names(names: list[str]) -> None:
    found = tables.identifiers(names)
    assert len(set(found)) == len(names)
    assert all(name.isidentifier() and name.isascii() and name == name.lower() for name in found)
    assert not set(found) & set(tables.RESERVED)


def test_tenths() -> None:
    assert (
        np.bincount(tables.strata(np.random.default_rng(0).permutation(1000.0 * np.arange(1000)))).tolist()
        == [100] * 10
    )
    assert np.bincount(tables.strata(np.arange(25.0))).tolist() == [10, 15]
    assert tables.strata(np.arange(12.0)).tolist() == [0] * 12
    # 50 equal values stay together; NaN goes to the first.
    assert np.bincount(tables.strata(np.r_[np.zeros(50), np.arange(1, 51), np.nan])).tolist() == [
        51,
        10,
        10,
        10,
        10,
        10,
    ]
    assert tables.strata(np.full(3, np.nan)).tolist() == [0, 0, 0]


@settings(max_examples=40)
@given(st.lists(st.integers(-5, 40), max_size=300))
def test_strata_are_ordered_and_not_small(values: list[int]) -> None:
    array = np.array(values, float)
    found = tables.strata(array)
    counts = np.bincount(found, minlength=1)
    assert len(counts) <= tables.STRATA
    assert len(counts) == 1 or counts.min() >= tables.LEAST_ROWS
    order = np.argsort(array, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    assert all(len(np.unique(found[array == value])) == 1 for value in set(values))
