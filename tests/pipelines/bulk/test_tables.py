"""Tables of a model with several columns: names, delimiters, what is missing, and the answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ann_keras.task import Feature
from pipelines.bulk.answers import Csv as CsvAnswers
from pipelines.bulk.answers import JsonLines
from pipelines.bulk.inputs import Problem
from pipelines.bulk.tables import Csv
from pipelines.exits import UsageError
from serving.client import Client
from serving.process import ModelServer
from tests import tables
from tests.pipelines.bulk.conftest import Run
from tests.pipelines.bulk.test_inputs import read_all
from tests.tables import COLUMNS


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_rows_as_the_dataset_reads_them(delimiter: str, tmp_path: Path) -> None:
    rows = [
        ["label", "Fixed acidity", "work_class", "AGE", "city "],
        ["1", " 7.5 ", '"None, ""really"""', "39", "K\u00f6ln"],
        ["1", "+.5", "?", "N/A", "Bonn"],
        ["1", "7", "NA", "", " Bonn "],
        ["", "", "", "1", "Bonn"],
        ["1", "7", "", "1", "null"],
        ["1", "7", "", "old", "Bonn"],
        ["1", "7", "", "-inf", "Bonn"],
        ["1", "1e39", "", "1", "Bonn"],
        ["1", "7"],
    ]
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(map(delimiter.join, rows)).replace('"None, ', '"None; ').encode())
    source = Csv(str(path), COLUMNS)
    source.check()
    assert list(source.notes()) == []
    (one, two, three, *bad) = [example for _, example in read_all(source)]
    assert (one["fixed_acidity"], one["work_class"], one["age"], one["city"]) == (
        7.5,
        'None; "really"',
        39,
        "K\u00f6ln",
    )
    assert (two["fixed_acidity"], two["work_class"], two["city"]) == (0.5, "", "Bonn")
    assert np.isnan(two["age"]) and np.isnan(three["age"])
    assert (three["work_class"], three["city"]) == ("", "Bonn")
    assert [problem.reason for problem in bad] == [
        "number 'fixed_acidity' is missing, and the model needs it",
        "text 'city' is missing, and the model needs it",
        "number 'age' is 'old', which is no number",
        "number 'age' is infinite; give a finite one",
        "number 'fixed_acidity' is 1e+39, beyond float32; give a finite one",
        "2 cells under 5 columns",
    ]


def test_columns_that_may_be_missing_and_those_that_may_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("fixed_acidity,city\n7,Bonn\n")
    source = Csv(str(path), COLUMNS)
    source.check()
    assert list(source.notes()) == [f"{path} has no column age, Work class: missing in every row"]
    ((_, row),) = read_all(source)
    assert np.isnan(row["age"]) and row["work_class"] == ""
    path.write_text("fixed acidty,city\n7,Bonn\n")
    with pytest.raises(UsageError, match=r"a.csv: no column 'Fixed acidity', .* is it 'fixed acidty'\?"):
        source.check()
    path.write_text("fixed_acidity;fixed_acidity;city\n")
    with pytest.raises(UsageError, match="two columns 'fixed_acidity', which the model reads"):
        source.check()


def test_files_by_name(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("picture\tlabel\n")
    (tmp_path / "a.csv.gz").touch()
    for given, message in {"a.tsv": "its columns are picture, label", "csv:a.csv.gz": "unpack it first"}.items():
        answer = predict("--input", given, "--output", "x.csv")
        assert answer.code == 2 and message in answer.err


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"note,n\n\xff,1\n\xc3\xb6,1\n")
    source = Csv(str(tmp_path / "a.csv"), (Feature("note", "text"),))
    assert read_all(source) == [("1", Problem("text 'note' is not UTF-8")), ("2", {"note": "\u00f6"})]


def test_answers_that_are_numbers() -> None:
    outputs = ("high", "low", "value")
    answer = {"high": np.float32(3), "low": np.float32(1), "value": np.float32(2)}
    form = CsvAnswers(outputs, ())
    assert form.header() == b"key,value,low,high,error\n"
    assert form.encode("1", answer) == b"1,2.0,1.0,3.0,\n"
    assert form.encode("2", Problem("no")) == b"2,,,,no\n"
    assert JsonLines(outputs, ()).encode("1", answer) == b'{"key": "1", "value": 2.0, "low": 1.0, "high": 3.0}\n'


@pytest.mark.slow
def test_answers_are_the_servers(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("Fixed acidity;city\n7.4;K\u00f6ln\n;Bonn\n6;Bonn\n", encoding="utf-8")
    root = tables.root()
    given = ("--root", root, "--input", "in.csv", "--output", "out.csv", "--max-bad-fraction", 0.5)
    answer = predict(*given, model="price")
    assert answer.code == 0, answer.err
    told, last = answer.out.splitlines()
    assert told == f"{tmp_path / 'in.csv'} has no column age, Work class: missing in every row"
    assert last.startswith("price 1: 2 answers and 1 errors in out.csv")
    with open("out.csv", newline="") as file:
        first, bad, second = csv.DictReader(file)
    assert bad["error"] == "number 'fixed_acidity' is missing, and the model needs it"
    with (
        ModelServer({"price": root / "serving" / "price"}, embedded=True) as server,
        Client(server.rest_url, "price") as client,
    ):
        row = {"age": [np.nan] * 2, "work_class": [""] * 2, "fixed_acidity": [7.4, 6.0], "city": ["K\u00f6ln", "Bonn"]}
        served = client.predict(row)
    for name in ("value", "low", "high"):
        np.testing.assert_allclose([float(first[name]), float(second[name])], served[name], rtol=1e-5)
    answer = predict(*given, "--json", model="price")
    assert json.loads(answer.out)["predicted"] == 2
    assert answer.err.splitlines()[0] == told
