"""An answer that is a text for a text, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.playground import describe
from serving.process import ModelServer
from tests import translations
from tests.browser import Browser, Page
from tests.serving.playground.conftest import page_of


@pytest.fixture(scope="module")
def speller(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("speller")
    translations.spell(folder / "1")
    return str(folder)


@pytest.fixture(scope="module")
def address(speller: str) -> Iterator[str]:
    with (
        ModelServer({"speller": speller}, embedded=True) as server,
        page_of(server.rest_url, {"speller": speller}) as found,
    ):
        yield found


def ask(page: Page, text: str, expected: str) -> None:
    page.evaluate(f"document.querySelector('#field-0').value = {json.dumps(text)}")
    page.click("#ask")
    page.until(f"document.querySelector('#label')?.textContent === {json.dumps(expected)}")


def texts(page: Page, selector: str) -> list[str]:
    found: list[str] = page.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)")
    return found


@pytest.mark.slow
def test_the_page_is_told_of_a_text_and_of_examples() -> None:
    found = describe.from_export(str(translations.root() / "serving" / "transformer"), "1")
    assert found is not None
    assert [feature["kind"] for feature in found["features"]] == ["text"] and not found.get("table")
    assert found["examples"] == [{"source": "4 May 1999"}, {"source": "5.6.2003"}]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_text_is_answered_with_candidates_and_attention(
    chromium: Browser, address: str, tmp_path: Path, dark: bool
) -> None:
    page = chromium.open(address, dark=dark)
    page.until("document.querySelector('#fields').children.length")
    assert page.evaluate("document.querySelector('#field-0').dir") == "auto"
    ask(page, "a man mans", "A MAN MANS")
    assert texts(page, "#candidates .found") == ["A MAN MANS", "a man mans"]
    assert texts(page, "#candidates .value") == ["-0.250", "-1.500"]
    assert texts(page, "#alignment thead th") == ["\u2581a", "\u2581man", "\u2581man", "##s"]
    assert texts(page, "#alignment tbody th") == ["\u2581A", "\u2581MAN", "\u2581MAN", "##S"]
    assert texts(page, "#alignment tbody tr:nth-child(2) td") == ["0 %", "100 %", "0 %", "0 %"]
    cells = "[...document.querySelectorAll('#alignment tbody tr:first-child td')]"
    colours = page.evaluate(f"{cells}.map(e => getComputedStyle(e).backgroundColor)")
    assert colours[0] != colours[1] == colours[2]
    page.screenshot(tmp_path / "translation.png")
    assert page.problems() == []


@pytest.mark.browser
def test_texts_of_every_kind(chromium: Browser, address: str) -> None:
    page = chromium.open(address)
    page.until("document.querySelector('#fields').children.length")
    ask(page, "<b>a</b> & <script>alert(1)</script>", "<B>A</B> & <SCRIPT>ALERT(1)</SCRIPT>")
    assert page.evaluate("document.querySelectorAll('#answer b, #answer script').length") == 0
    arabic = "\u0645\u0631\u062d\u0628\u0627"
    ask(page, arabic, arabic)
    assert page.evaluate("document.querySelector('#label').matches(':dir(rtl)')")
    ask(page, "\U0001f600", "\U0001f600")
    ask(page, "", "An empty text.")
    assert page.evaluate("document.querySelector('#alignment')") is None
    assert page.problems() == []
