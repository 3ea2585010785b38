"""`ann predict` of a model that reads a table: what it is asked, and what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines import asking, cli
from serving.model_config import DESCRIPTION
from serving.process import ModelServer
from tests import tables
from tests.pipelines.conftest import Answer

Run = Callable[..., Answer]


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`ann predict` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANN_TRACEBACK", raising=False)

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["predict", *map(str, arguments)])
        out, err = capfd.readouterr()
        return Answer(ended.value.code or 0, out, err)

    return run


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A root where nothing but the description of a model of a table lies."""
    path = tmp_path / "root" / "serving" / "price" / "1" / DESCRIPTION
    path.parent.mkdir(parents=True)
    features = [
        {
            "name": one.name,
            "kind": one.kind,
            "shape": [],
            "dtype": one.dtype,
            "optional": one.optional,
            "description": one.description,
        }
        for one in tables.COLUMNS
    ]
    path.write_text(json.dumps({"features": features, "classes": []}))
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ('{"age": 39}', "{\"age\": 39}: number 'fixed_acidity' is missing, and the model needs it"),
        ('{"fixed_acidity": 7, "ctiy": "Bonn"}', "no feature is called 'ctiy'; did you mean 'city'?"),
        ('{"fixed_acidity": "old", "city": "Bonn"}', "takes one number, not 'old'"),
        ("fixed acidity=inf,city=Bonn", "number 'fixed_acidity' is infinite; give a finite one"),
        ("@nope.json", "@nope.json cannot be read: No such file or directory"),
        ("digit.png", "'digit.png' is no COLUMN=VALUE"),
    ],
)
def test_a_wrong_input_is_one_line_and_no_server_is_asked(
    given: str, message: str, here: Run, described: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_client", None)
    answer = here("price", given, "--root", described)
    assert (answer.code, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert line.startswith("ann: ") and message in line


@pytest.fixture(scope="module")
def served() -> Iterator[ModelServer]:
    """The models of a table, price also as mlp, of which nothing is known but its signature."""
    base = tables.root() / "serving"
    with ModelServer({"price": base / "price", "income": base / "income", "mlp": base / "price"}, embedded=True) as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("grpc", [False, True])
def test_rows_are_answered(grpc: bool, here: Run, served: ModelServer, tmp_path: Path) -> None:
    way = ("--grpc", "--url", served.grpc_address) if grpc else ("--url", served.rest_url)
    root = ("--root", tables.root())
    (tmp_path / "rows.json").write_text('[{"Fixed acidity": 7.4, "city": "Bonn"}, {"fixed_acidity": 6, "city": "x"}]')
    pairs = "fixed acidity=7.4,age=?,city=Bonn"
    answer = here("price", pairs, "@rows.json", *root, *way)
    assert (answer.code, answer.err) == (0, "")
    (first, second, third) = answer.out.splitlines()
    assert first.startswith(f"{pairs}: ")
    assert second.startswith("rows.json:1: ") and third.startswith("rows.json:2: ")
    found = here("price", pairs, "@rows.json", *root, *way, "--json").document
    assert [set(row) for row in found] == [{"value", "low", "high"}] * 3
    for line, row in zip((first, second, third), found, strict=True):
        assert line.partition(": ")[2] == f"{row['value']:g}  [{row['low']:g}, {row['high']:g}]"
    assert found[0] == found[1] != found[2]
    (row,) = here("income", pairs, *root, *way, "--json").document
    assert row["classes"] == list(tables.CLASSES)
    assert row["label"] == tables.CLASSES[int(np.argmax(row["probabilities"]))]


@pytest.mark.slow
def test_a_server_that_knows_the_model_alone_says_what_it_reads(here: Run, served: ModelServer) -> None:
    given = ("--root", "nowhere", "--url", served.rest_url)
    row = "fixed_acidity=7.4,age=39,work_class=Private,city=Bonn"
    assert here("mlp", row, *given).out == here("price", row, "--url", served.rest_url, "--root", tables.root()).out
    answer = here("mlp", "fixed_acidity=7.4,city=Bonn", *given)
    assert (answer.code, answer.out) == (2, "")
    assert "is missing, and the model needs it" in answer.err
