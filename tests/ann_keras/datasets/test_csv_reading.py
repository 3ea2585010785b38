"""Headers, and cells as numbers and texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ann_keras.datasets import csv_reading, csv_records
from ann_keras.datasets.base import DatasetError


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


@pytest.mark.parametrize("delimiter", csv_reading.DELIMITERS)
def test_the_separator_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    header = delimiter.join(["a", '" b, or ; so"', "c\u00e9"])
    place = csv_reading.layout(write(tmp_path / "x.csv", f"\ufeff\n{header}\r\n1{delimiter}2{delimiter}3\r\n"))
    assert (place.delimiter, place.columns) == (delimiter, ("a", "b, or ; so", "c\u00e9"))
    assert (place.first_line, place.begin) == (3, len(f"\ufeff\n{header}\r\n".encode()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        ("a,b", "has column names and no rows"),
        ("a,b\n\n\n", "has column names and no rows"),
        ("a,b,a\n1,2,3\n", "more than one column called 'a'"),
        ('a,"b\n1,2\n', "its line of column names does not end"),
        (b"\xe4,b\n1,2\n", r"is not UTF-8 \(line 1\)"),
        (",".join(f"c{n}" for n in range(10_000)) + "\n1\n", "has 10,000 columns; at most 2,000"),
    ],
)
def test_headers_that_cannot_be_used(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        csv_reading.layout(write(tmp_path / "x.csv", content))
    assert "\n" not in str(caught.value)


def test_cells_are_stripped_and_ragged_rows_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'a,b\n x ,1\n\n1,2,3\n"NA", ?\nonly\n"y,z",None\n')
    place = csv_reading.layout(path)
    block = next(csv_records.blocks(path, ",", place.begin, place.first_line))
    found = csv_reading.cells(block, place, ("b", "a"))
    assert found.columns["a"].to_pylist() == ["x", None, None, None, "y,z"]
    assert found.columns["b"].to_pylist() == ["1", None, None, None, None]
    assert found.ragged == {
        1: "has 3 fields where the header has 2",
        3: "has 1 fields where the header has 2",
    }
    assert found.present.tolist() == [True, False, True, False, True]
    assert block.lines(np.arange(5)).tolist() == [2, 4, 5, 6, 7]


def test_only_ragged_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "a,b\n1\n2\n")
    place = csv_reading.layout(path)
    block = next(csv_records.blocks(path, ",", place.begin, place.first_line))
    assert csv_reading.cells(block, place, ("a",)).columns["a"].to_pylist() == [None, None]


def test_numbers() -> None:
    strings = ["1", "-2.5", "+3", ".5", "1e3", "7.", None, "nan", "inf", "1e39", "1_0", "0x1", "3,5", "1e400", "abc"]
    values, bad = csv_reading.numbers(pa.array(strings))
    np.testing.assert_array_equal(values[:8], [1, -2.5, 3, 0.5, 1000, 7, np.nan, np.nan])
    assert bad.tolist() == [False] * 8 + [True] * 7
    assert np.isnan(values[8:]).all()
    # Without a text among them Arrow parses them at once: the same answer.
    quick, quick_bad = csv_reading.numbers(pa.array(["1", "-2.5", None, "nan", "-inf", "1e39"]))
    np.testing.assert_array_equal(quick, [1, -2.5, np.nan, np.nan, np.nan, np.nan])
    assert quick_bad.tolist() == [False] * 4 + [True] * 2


def test_texts_are_utf8_bytes() -> None:
    assert csv_reading.texts(pa.array(["é", None])).tolist() == ["é".encode(), b""]


@pytest.mark.parametrize(
    ("value", "what"),
    [("inf", "is infinite"), ("1e39", "is beyond float32"), ("abc", "is no number; mend the row, or")],
)
def test_complaints(value: str, what: str) -> None:
    assert f"column 'age' holds {value!r}, which {what}" in csv_reading.complaint("age", value)
