"""`ann lab`: what it prints, what it leaves, and the pages in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ann_keras import registry
from pipelines import cli
from pipelines.labs import page
from tests.browser import browser
from tests.pipelines.conftest import Answer

Ask = Callable[..., Answer]
ROOT = Path("ann-runs", "labs")
LIGHT = """
import sys
from pipelines.cli import main
try:
    main(["lab", *sys.argv[1:]])
finally:
    loaded = [name for name in ("tensorflow", "keras", "matplotlib", "sklearn", "jinja2") if name in sys.modules]
    assert not loaded, loaded
"""


@pytest.fixture
def ask(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ann lab` in a folder of its own, with two small labs: "true" and "false", the claims of which are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANN_TRACEBACK", raising=False)
    for name, held in (("true", True), ("false", False)):
        monkeypatch.setitem(sys.modules, f"{name}_lab", _module(held))
        monkeypatch.setitem(registry.LABS, name, f"{name}_lab")

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["lab", *map(str, arguments)])
        out, err = capfd.readouterr()
        return Answer(ended.value.code or 0, out, err)

    return run


def _module(held: bool) -> types.ModuleType:
    from ann_keras.labs import lab

    def run(seed: int = 0) -> lab.Result:
        os.write(1, b"noise of a library\n")
        figure = lab.figure()
        figure.subplots().plot([0, 1], [0, seed])
        numbers = {"a small number": 0.5, "a number that is lost": float("nan"), "rows counted": 12345.0}
        setting = {"rows": 1500, "rates": (0.1, 1), "text": "<b>bold</b>"}
        return lab.Result({"it is <so>": True, "it holds": held}, numbers, setting, f"Seen with {seed}.", figure)

    module = types.ModuleType("small_lab", "Tries `something` small.\n\nNobody 1999, A paper.")
    module.CLAIM, module.EQUATION, module.run = "One & one is two.", r"\frac{1}{2} < 1", run  # type: ignore[attr-defined]
    return module


def _light(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LIGHT, *arguments], capture_output=True, text=True)


def test_the_list_needs_nothing_heavy() -> None:
    listed, as_json = _light("list"), _light("list", "--json")
    assert listed.returncode == as_json.returncode == 0, listed.stderr
    names = [entry["name"] for entry in json.loads(as_json.stdout)]
    assert names == list(registry.LABS)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == names
    assert all(entry["summary"].endswith(".") for entry in json.loads(as_json.stdout))


def test_an_unknown_name_is_one_line_and_needs_nothing_heavy() -> None:
    answer = _light("nope")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("ann: unknown lab 'nope'; the labs are gaussian_mean, ")
    assert answer.stderr.count("\n") == 1


def test_a_claim_that_held(ask: Ask) -> None:
    answer = ask("true", "--seed", 7)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == "One & one is two."
    numbers = lines[1:4]
    assert [line.rsplit("  ", 1)[1] for line in numbers] == ["0.5000", "–", "12\N{NARROW NO-BREAK SPACE}345"]
    assert len(set(map(len, numbers))) == 1
    assert "Seen with 7." in lines
    assert "  held          it holds" in lines
    assert any(line.startswith("The claim held: seed 7, ") for line in lines)
    assert f"page {ROOT / 'true' / 'page.html'}" in lines
    assert "noise" not in answer.out


def test_a_claim_that_did_not_hold(ask: Ask) -> None:
    answer = ask("false")
    assert answer.code == 1
    assert "  did not hold  it holds" in answer.out.splitlines()
    assert "The claim did not hold: seed 0" in answer.out
    assert "✗ The claim did not hold" in (ROOT / "false" / "page.html").read_text()


def test_json(ask: Ask) -> None:
    answer = ask("true", "--json")
    document = json.loads(answer.out)
    assert document["held"] is True
    assert document["checks"] == {"it is <so>": True, "it holds": True}
    assert document["numbers"] == {"a small number": 0.5, "a number that is lost": None, "rows counted": 12345.0}
    assert document["setting"]["rates"] == "0.1, 1"
    assert document["command"] == "ann lab true --seed 0"
    assert Path(document["page"]).is_file() and Path(document["figure"]).is_file()
    assert json.loads(ask("false", "--json").out)["held"] is False


def test_the_folder_of_a_lab(ask: Ask, tmp_path: Path) -> None:
    ask("true", "--out", "a folder/below")
    folder = tmp_path / "a folder" / "below"
    assert sorted(path.name for path in folder.iterdir()) == ["figure.png", "page.html", "result.json"]
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "ann lab true --seed 0 --out &#39;a folder/below&#39;" in (folder / "page.html").read_text()
    assert not ROOT.exists(), "an index of what lies elsewhere"


def test_the_page_tells_all(ask: Ask) -> None:
    ask("true", "--seed", 3)
    text = (ROOT / "true" / "page.html").read_text()
    for part in ("One &amp; one is two.", "Seen with 3.", "seed 3", "it is &lt;so&gt;", "✓ held", "rows counted"):
        assert part in text, part
    for part in ("1 500".replace(" ", "\N{NARROW NO-BREAK SPACE}"), "&lt;b&gt;bold", "<code>something</code>"):
        assert part in text, part
    assert "<p>Nobody 1999, A paper.</p>" in text
    assert "ann lab true --seed 3" in text
    assert text.count("data:image/png;base64,") == 1


def test_the_index_has_every_lab_that_ran(ask: Ask) -> None:
    ask("true")
    assert "✗ did not hold" not in (ROOT / "index.html").read_text()
    ask("false")
    text = (ROOT / "index.html").read_text()
    assert text.count("✓ held") == text.count("✗ did not hold") == 1
    for name in ("true", "false"):
        assert f'href="{name}/page.html"' in text and f'src="{name}/figure.png"' in text
    assert "<code>gaussian_mean</code>" in text


def test_a_result_that_cannot_be_read_counts_as_not_run(ask: Ask) -> None:
    ask("true")
    for content in ("{", "[]", '{"held": true}', "[1]"):
        (ROOT / "true" / "result.json").write_text(content)
        assert "<code>true</code>" in page.write_index(ROOT).read_text()


def test_a_lab_that_fails_leaves_the_earlier_page(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    ask("true")
    before = {path: path.read_bytes() for path in ROOT.rglob("*") if path.is_file()}

    def fail(seed: int) -> Any:
        raise RuntimeError("it went wrong")

    monkeypatch.setattr(sys.modules["true_lab"], "run", fail)
    answer = ask("true")
    assert (answer.code, answer.err) == (1, "ann: it went wrong\n")
    assert {path: path.read_bytes() for path in ROOT.rglob("*") if path.is_file()} == before


def test_a_folder_that_cannot_be_made(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in ("file/below", "/proc/nowhere"):
        answer = ask("true", "--out", out)
        assert answer.code == 2
        assert answer.err.startswith(f"ann: --out {out}: ")
    assert ask("true", "--seed", -1).code == 2


def test_equation_as_svg() -> None:
    drawn = page.equation_svg(r"\frac{1}{2} < \sigma")
    assert drawn.startswith('<svg class="equation" role="img" aria-label="\\frac{1}{2} &lt; \\sigma"')
    assert "currentColor" in drawn
    assert page.EQUATION_INK not in drawn
    assert "#ffffff" not in drawn, "a ground that a dark page does not have"
    assert "<metadata>" not in drawn
    with pytest.raises(ValueError, match="Unknown symbol"):
        page.equation_svg(r"\nosuch")


@pytest.mark.slow
@pytest.mark.browser
def test_pages_in_a_browser(ask: Ask, tmp_path: Path) -> None:
    ask("true")
    ask("false")
    index, lab_page = tmp_path / ROOT / "index.html", tmp_path / ROOT / "false" / "page.html"
    with browser() as chromium:
        for path, width, dark in (
            (lab_page, 1000, False),
            (lab_page, 360, True),
            (index, 1000, False),
            (index, 360, True),
        ):
            opened = chromium.open(path.as_uri(), width=width, height=800, mobile=width < 500, dark=dark)
            assert opened.problems() == []
            assert all(url.startswith(("file:", "data:")) for url in opened.requests)
        assert [url for url in chromium.open(lab_page.as_uri()).requests if not url.startswith("data:")] == [
            lab_page.as_uri()
        ]
