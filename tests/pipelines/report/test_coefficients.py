from __future__ import annotations

import re

import numpy as np

from pipelines.report import coefficients
from tests.pipelines.report import tables
from tests.pipelines.report.test_table_sections import text


def test_units_of_texts_get_the_values_that_rows_show():
    raw = {"sex": np.array([b"male", b"female", b"", b"other"], object), "age": np.zeros(4)}
    units = np.zeros((4, 6))
    units[0, 3] = units[1, 4] = units[3, 5] = 1
    found = coefficients.unit_names(tables.UNITS, tables.COLUMNS, units, raw)
    assert found == ["age", "income", "income is missing", "sex = male", "sex = female", "sex, another value"]


def test_a_value_that_no_row_has_keeps_its_number():
    found = coefficients.unit_names(tables.UNITS, tables.COLUMNS, np.zeros((0, 6)), {"sex": []})
    assert found == list(tables.UNITS)


def test_a_regression_is_also_told_in_its_own_unit():
    values = np.array([0.5, -1.0, 0.0], np.float32)
    section = coefficients.section({"mean": values}, ["age", "income", "sex = male"], 20.0)
    words = text(section.html)
    assert re.findall(r"(age|income|sex = male) (-?[\d.]+) (-?[\d.]+)", words.partition("unit coefficient")[2]) == [
        ("income", "-1.0000", "-20"),
        ("age", "0.5000", "10"),
        ("sex = male", "0.0000", "0.0000"),
    ]
    assert "1 of 3 coefficients are exactly 0" in words
    assert section.html.count("<svg") == 3


def test_a_learned_noise_has_a_table_of_its_own():
    found = {"mean": np.ones(2), "log-variance": np.array([2 * np.log(3), 0.0])}
    words = text(coefficients.section(found, ["a", "b"], 1.0).html)
    assert "factor of sigma a 2.197 3 b 0.0000 1.0000" in words


def test_two_classes_are_told_as_odds():
    words = text(coefficients.section({"ill": np.array([np.log(2.0)])}, ["age"]).html)
    assert "log-odds of “ill”" in words
    assert "age 0.6931 2" in words


def test_classes_are_a_map_whose_strongest_cell_has_the_full_colour():
    found = {"a": np.array([1.0, 0.5]), "b": np.array([-2.0, 0.0]), "c": np.array([1.0, -0.5])}
    html = str(coefficients.section(found, ["x", "y"]).html)
    assert re.findall(r"rgba\(var\(--share-(right|wrong)\),([\d.]+)\)", html)[:3] == [
        ("wrong", "0.375"), ("right", "0.75"), ("wrong", "0.375")
    ]  # fmt: skip
    assert "1 of 6 coefficients are exactly 0" in text(html)
    assert "y 0.5000 0 -0.5000" in text(html)


def test_the_largest_of_many():
    values = np.linspace(-1, 1, 101)
    html = coefficients.section({"yes": values}, [f"unit {index}" for index in range(101)]).html
    assert html.count("<svg") == coefficients.MOST
    assert "The 40 largest of 101 units are shown" in text(html)
    assert ">unit 0<" in html and ">unit 100<" in html and ">unit 50<" not in html


def test_all_zeros():
    words = text(coefficients.section({"yes": np.zeros(3)}, ["a", "b", "c"]).html)
    assert "3 of 3 coefficients are exactly 0" in words
