"""INPUTs of `ann predict` for a model of several columns."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from ann_keras.task import Feature
from pipelines.rows import request
from tests.tables import COLUMNS

ROW = '{"Fixed acidity": 7, "city": "Bonn"}'


def test_objects_pairs_and_files(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text(f"[{ROW}, {ROW}]")
    (tmp_path / "one.json").write_text('\ufeff{\n"city": "Bonn",\n"fixed_acidity": 7.0}')
    (tmp_path / "lines.jsonl").write_text(f"{ROW}\n\n{ROW}\r\n")
    given = [
        ROW,
        ' {"fixed_acidity": 7.0, "age": null, "city": "Bonn"}',
        "fixed acidity=7,city=Bonn",
        'Fixed acidity= 7 ,age=NA,"work_class=None, really","city=Bonn"',
        "city=Bonn,fixed_acidity=+7.,work class=?,age=",
        *(f"@{tmp_path / name}" for name in ("list.json", "one.json", "lines.jsonl")),
    ]
    found = request(COLUMNS, given)
    assert found.names[:5] == (*given[:3], given[3][:57] + "...", given[4])
    assert [name.rpartition("/")[2] for name in found.names[5:]] == [
        "list.json:1",
        "list.json:2",
        "one.json:1",
        "lines.jsonl:1",
        "lines.jsonl:3",
    ]
    assert found.inputs["city"] == ["Bonn"] * 10
    assert found.inputs["work_class"] == ["", "", "", "None, really", *[""] * 6]
    np.testing.assert_array_equal(found.inputs["fixed_acidity"], [7] * 10)
    np.testing.assert_array_equal(found.inputs["age"], [np.nan] * 10)


WRONG = {
    '{"city": "Bonn"}': "number 'fixed_acidity' is missing",
    '{"fixed_acidity": null, "city": "Bonn"}': "number 'fixed_acidity' is missing",
    '{"fixed_acidity": NaN, "city": "Bonn"}': "number 'fixed_acidity' is missing (NaN)",
    '{"fixed_acidity": 7, "city": ""}': "text 'city' is missing (empty)",
    '{"fixed_acidity": "old", "city": "Bonn"}': "number 'fixed_acidity' takes one number, not 'old'",
    '{"fixed_acidity": 7, "age": -Infinity, "city": "Bonn"}': "number 'age' is infinite",
    '{"fixed_acidity": 7, "city": 3}': "text 'city' is a str, bytes or the Path of a file, not 3",
    '{"fixed_acidity": 7, "city": "Bonn", "wrk class": 1}': "called 'wrk class'; did you mean 'work_class'?",
    '{"fixed_acidity": 7, "city": "Bonn", "label": 1}': "called 'label'; there is Fixed acidity, age, Work class, city",
    '{"fixed_acidity": 7, "fixed_acidity": 8}': "'fixed_acidity' is given twice",
    '{"fixed_acidity": 7, "Fixed acidity": 8}': "'fixed_acidity' and 'Fixed acidity' both mean 'fixed_acidity'",
    '{"fixed_acidity": 7': "no JSON object: Expecting",
    "fixed_acidity=7,fixed_acidity=8,city=Bonn": "'fixed_acidity' is given twice",
    "fixed_acidity=old,city=Bonn": "number 'fixed_acidity' is 'old', which is no number",
    "fixed_acidity=inf,city=Bonn": "number 'fixed_acidity' is infinite",
    "fixed_acidity=?,city=Bonn": "number 'fixed_acidity' is missing",
    'fixed_acidity=7,city="Bonn, NRW"': "' NRW\"' is no COLUMN=VALUE",
    "7": "'7' is no COLUMN=VALUE",
    "digit.png": "a JSON object or @FILE, for the columns Fixed acidity, age, Work class, city",
    "@nope.json": "@nope.json cannot be read: No such file",
}


@pytest.mark.parametrize("given", WRONG)
def test_what_is_wrong_is_named(given: str) -> None:
    with pytest.raises(ValueError) as error:
        request(COLUMNS, ["city=Bonn,fixed_acidity=7", given])
    assert WRONG[given] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.json is no JSON: Expecting value"),
        (b"[]", "a.json holds no rows"),
        (b'["a"]', 'a.json:1: expected a JSON object such as {"column": 1}, not "a"'),
        (b'[\n{"age": }]', "a.json is no JSON: Expecting value: line 2"),
        (b'{"age": 1, "age": 2}', "a.json: 'age' is given twice"),
        (ROW.encode() + b'\n{"age"', "a.json:2: no JSON object"),
        (ROW.encode() + b"\n3", "a.json:2: expected a JSON object"),
        (ROW.encode() + b'\n{"city": "Bonn"}', "a.json:2: number 'fixed_acidity' is missing"),
        (b"\xff", "a.json is not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError) as error:
        request(COLUMNS, [f"@{tmp_path / 'a.json'}"])
    assert message in str(error.value)


def test_a_single_feature_is_its_value_or_a_row() -> None:
    speed = Feature("speed", "number")
    assert request((speed,), ["3", '{"Speed": 4}', "speed=5"]).inputs == {"speed": [3, 4, 5]}


SOURCE = (Feature("source", "text"),)


def test_texts_are_what_they_are() -> None:
    texts = ["a=b", "@@home", "{", "", "a" * 10_000, "two\nlines\x1b[2J", "\U0001f600 \u0627", "\udcff"]
    found = request(SOURCE, texts)
    assert found.inputs == {"source": ["a=b", "@home", *texts[2:]]}
    assert found.names == ("a=b", "@home", "{", "", "a" * 57 + "...", "two lines [2J", texts[6], "\ufffd")
    assert found.at_once == 64


def test_lines_of_a_file_are_texts_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "one\r\n\n@two\u2028still two\n".encode() + b"\xff\xfe"
    (tmp_path / "lines.txt").write_bytes(lines)
    found = request(SOURCE, [f"@{tmp_path / 'lines.txt'}", "three"])
    assert found.inputs["source"] == [b"one", b"", "@two\u2028still two".encode(), b"\xff\xfe", "three"]
    assert [name.rpartition("/")[2] for name in found.names] == [*(f"lines.txt:{n}" for n in range(1, 5)), "three"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert request(SOURCE, ["@-"]).names == ("-:1", "-:2", "-:3", "-:4")


def test_rows_come_from_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ROW.encode())))
    assert request(COLUMNS, ["@-"]).inputs["city"] == ["Bonn"]


def test_a_file_without_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"@home cannot be read: .*; a text that begins with @ is written with @@"):
        request(SOURCE, ["@home"])
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty.txt is empty; expected a text a line"):
        request(SOURCE, [f"@{tmp_path / 'empty.txt'}"])
