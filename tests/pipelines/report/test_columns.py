from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ann_keras.task import Feature
from pipelines.report import columns
from tests.pipelines.report.test_table_sections import text

NUMBER, TEXT = Feature("age", "number", optional=True), Feature("sex", "text", optional=True)


def test_numbers_by_hand():
    found = columns.summary(NUMBER, np.array([1.0, np.nan, 3.0, np.inf], np.float32))
    assert (found.missing, found.mean, found.deviation, found.low, found.high) == (0.5, 2, 1, 1, 3)
    assert (sum(found.histogram), found.histogram[0], found.histogram[-1]) == (2, 1, 1)


def test_a_column_without_any_value_and_one_with_one():
    found = columns.summary(NUMBER, np.full(4, np.nan, np.float32))
    assert (found.missing, found.mean, found.histogram) == (1, None, ())
    constant = columns.summary(NUMBER, np.full(4, 7, np.float32))
    assert (constant.mean, constant.deviation, sum(constant.histogram)) == (7, 0, 4)


def test_texts_by_hand():
    found = columns.summary(TEXT, np.array([b"male", b"", b"female", b"male", b"male"], object))
    assert found.missing == pytest.approx(0.2)
    assert (found.distinct, list(found.values), found.histogram) == (2, [("male", 0.75), ("female", 0.25)], [3, 1])


def test_the_target_is_told_apart():
    batches = [{"age": np.zeros(2, np.float32), "label": np.ones(2, np.float32)}] * 2
    found = columns.read(batches, [Feature("label", "number"), NUMBER], "label")
    assert [(column.kind, column.rows) for column in found] == [("target", 4), ("number", 4)]


def test_the_table_says_over_which_rows():
    found = [
        columns.summary(TEXT, np.array([b"a", b"b", b"c", b"d", b"a"], object)),
        columns.summary(NUMBER, np.ones(5)),
    ]
    words = text(columns.table(found, training=5))
    assert "Over the 5 rows" in words
    assert "sex text none a 40 %, b 20 %, c 20 % and 1 more" in words
    assert "age number none 1.0000 0.0000 1 1" in words
    assert "Over the first 5 rows" in text(columns.table(found, training=6))


def test_many_columns():
    one = columns.summary(NUMBER, np.arange(9))
    html = columns.table([replace(one, name=f"column {index}") for index in range(1000)], training=9)
    assert html.count("<svg") == columns.HISTOGRAMS
    assert "The first 200 of 1000 columns are shown" in html
    assert "column 199<" in html and "column 200<" not in html


def test_no_columns():
    assert columns.table([], training=9) == ""
