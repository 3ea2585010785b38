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
from tests import tables, translations
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


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a model that says texts in capitals."""
    root = tmp_path_factory.mktemp("speller")
    translations.spell(root / "serving" / "transformer" / "1")
    return root


@pytest.fixture(scope="module")
def spelling(speller: Path) -> Iterator[ModelServer]:
    """An embedded server of it."""
    with ModelServer({"transformer": speller / "serving" / "transformer"}, embedded=True) as one:
        yield one


@pytest.mark.parametrize("grpc", [False, True])
def test_texts_are_answered(grpc: bool, here: Run, speller: Path, spelling: ModelServer, tmp_path: Path) -> None:
    way = ("--grpc", "--url", spelling.grpc_address) if grpc else ("--url", spelling.rest_url)
    # What a text model reads is known also where nothing is pushed.
    for root in (speller, tmp_path):
        given = ("--root", root, *way)
        answer = here("transformer", "a man mans", "", "@@\u4e2d\n\x1b[2J", "x" * 10_000, *given)
        assert (answer.code, answer.err) == (0, "")
        spelt = ["a man mans: A MAN MANS", ": ", "@\u4e2d [2J: @\u4e2d [2J", f"{'x' * 57}...: {'X' * 10_000}"]
        assert answer.out.splitlines() == spelt
    (tmp_path / "lines.txt").write_bytes(b"a man\r\n\n\xff\xe2\x80\xae \xd8\xa7\n")
    answer = here("transformer", "@lines.txt", *given)
    assert answer.out.splitlines() == ["lines.txt:1: A MAN", "lines.txt:2: ", "lines.txt:3: \ufffd \u0627"]
    first, second = here("transformer", "a", "a man mans", *given, "--json").document
    assert first == {
        "translation": "A",
        "candidates": ["A", "a"],
        "scores": [-0.25, -1.5],
        "tokens": ["\u2581A"],
        "source_tokens": ["\u2581a"],
        "alignment": [[1.0]],
    }
    assert second["tokens"] == ["\u2581A", "\u2581MAN", "\u2581MAN", "##S"]
    assert second["alignment"] == np.eye(4).tolist()


def test_many_lines_are_asked_about_in_parts(
    here: Run, speller: Path, spelling: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.rows.TEXTS", 3)
    lines = ["a", "a man", "a man mans", "mans", "", "a man a man", "man"]
    (tmp_path / "lines.txt").write_text("\n".join(lines))
    given = ("--root", speller, "--url", spelling.rest_url)
    answer = here("transformer", "@lines.txt", *given)
    assert [line.partition(": ")[2] for line in answer.out.splitlines()] == [line.upper() for line in lines]
    found = here("transformer", "@lines.txt", *given, "--json").document
    assert [len(row["tokens"]) for row in found] == [1, 2, 4, 2, 0, 4, 1]
    assert [np.shape(row["alignment"])[:1] for row in found] == [(1,), (2,), (4,), (2,), (0,), (4,), (1,)]


@pytest.mark.parametrize(("given", "message"), [("@nope.txt", "@nope.txt cannot be read: No such file or directory")])
def test_a_file_of_texts_that_is_not_there_is_one_line(given: str, message: str, here: Run, speller: Path) -> None:
    answer = here("transformer", given, "--root", speller)
    assert (answer.code, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert message in line and "a text that begins with @ is written with @@" in line
