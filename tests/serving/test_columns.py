"""Names of columns, and what their cells hold."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ann_keras.task import Feature
from serving.columns import Names, column_name, features_of, from_cell, is_cell

AGE = Feature("age", "number", description="Age in years.", optional=True)
ACIDITY = Feature("fixed_acidity", "number", description="Column 'Fixed acidity'.")
QUOTED = Feature("a_s_b", "text", description="""Column "a's b".""", optional=True)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("", "a_b"),
        ("a b", "a b"),
        ("A (b)", "A (b)"),
        ("Something else.", "a_b"),
        ("Column 'A b'.", "A b"),
        ('Column "a\'b".', "a'b"),
        (r"Column 'tab\there'.", "tab\there"),
        ("Column 'A' or 'b'.", "a_b"),
    ],
)
def test_the_name_of_a_column(description: str, expected: str) -> None:
    assert column_name(Feature("a_b", "number", description=description)) == expected


def test_features_of_new_and_old_descriptions() -> None:
    old: dict[str, Any] = {"name": "age", "kind": "number", "shape": [], "dtype": "float32"}
    new = {**old, "optional": True, "description": "Age in years."}
    assert features_of({"features": [old, new]}) == (Feature("age", "number"), AGE)
    with pytest.raises(LookupError):
        features_of({})


@pytest.mark.parametrize("name", ["fixed_acidity", "Fixed acidity", "fixed acidity", "FIXED-ACIDITY"])
def test_names_that_mean_a_feature(name: str) -> None:
    assert Names([AGE, ACIDITY]).find(name) is ACIDITY


def test_the_name_in_the_table_goes_first() -> None:
    first = Feature("a_b", "number", description="Column 'A b'.")
    second = Feature("a_b_2", "number", description="Column 'a_b'.")
    names = Names([first, second])
    assert [names.find(name) for name in ("A b", "a_b", "a_b_2", "a b", "c")] == [first, second, second, second, None]
    assert names.places(["a_b", "c", "A b"]) == {"a_b": 2, "a_b_2": 0}


def test_places_in_a_header() -> None:
    names = Names([AGE, ACIDITY, QUOTED])
    assert names.places(["key", "a's b", "label", "fixed acidity"]) == {"fixed_acidity": 3, "a_s_b": 1}
    assert names.places(["fixed acidity", "Fixed acidity", "fixed_acidity"]) == {"fixed_acidity": 1}
    for header, message in {
        ("age", "fixed acidty"): "no column 'Fixed acidity', which the model reads; is it 'fixed acidty'? its columns",
        ("x",): "no column 'Fixed acidity', which the model reads; its columns are x",
        (): "no column 'Fixed acidity', which the model reads; it is empty",
        ("fixed acidity", "fixed-acidity"): "two columns 'fixed acidity', which the model reads",
        ("fixed_acidity", "fixed_acidity"): "two columns 'fixed_acidity', which the model reads",
    }.items():
        with pytest.raises(ValueError) as error:
            names.places(header)
        assert message in str(error.value)


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("number", " 7 ", 7.0),
        ("number", "+.5", 0.5),
        ("number", "-1e3", -1000.0),
        ("number", "inf", math.inf),
        ("number", "N/A", None),
        ("number", "", None),
        ("text", " Private ", "Private"),
        ("text", "7", "7"),
        ("text", "?", None),
        ("text", "none", "none"),
    ],
)
def test_cells(kind: str, cell: str, expected: float | str | None) -> None:
    assert from_cell(Feature("x", kind), cell) == expected


@pytest.mark.parametrize("cell", ["old", "1_0", "1,5", "0x1", "--1"])
def test_a_cell_that_is_no_number(cell: str) -> None:
    with pytest.raises(ValueError, match=f"number 'x' is '{cell}', which is no number"):
        from_cell(Feature("x", "number"), cell)


def test_what_a_cell_can_hold() -> None:
    assert [is_cell(Feature("x", kind)) for kind in ("number", "text", "image", "label")] == [True, True, False, False]
    assert not is_cell(Feature("x", "number", (2,)))
