"""The page of a model that reads a table: a form with a field per column, filled by real keys and clicks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import Browser, Page
from tests.serving.playground.conftest import page_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
ANSWERED = "document.querySelector('#label, #raw, .error')?.textContent"


@pytest.fixture(scope="module")
def address(table_rest_url: str, table_models: dict[str, str | None]) -> Iterator[str]:
    with page_of(table_rest_url, table_models) as found:
        yield found


def _opened(chromium: Browser, address: str, model: str, **how: Any) -> Page:
    page = chromium.open(address, **how)
    page.until("document.querySelector('#fields').children.length")
    page.evaluate(f"document.querySelector('#model').value = '{model}'")
    page.evaluate("document.querySelector('#model').dispatchEvent(new Event('change'))")
    return page


def _type(page: Page, label: str, text: str) -> None:
    """Clicks on a field and presses a key for each letter."""
    names = "[...document.querySelectorAll('#fields label')].map(e => e.firstChild.textContent)"
    page.click(f"#field-{page.evaluate(names).index(label)}")
    for letter in text:
        page.call("Input.dispatchKeyEvent", type="keyDown", text=letter, key=letter)
        page.call("Input.dispatchKeyEvent", type="keyUp", key=letter)


def _ask(page: Page) -> str:
    page.evaluate("document.querySelector('#answer').replaceChildren()")
    page.click("#ask")
    return page.until(ANSWERED)


def _shell(page: Page) -> Any:
    line = page.evaluate("document.querySelector('#curl').textContent")
    return json.loads(subprocess.run(["sh"], input=line, capture_output=True, text=True, check=True).stdout)


def test_a_typed_row_is_answered_with_a_number_and_its_interval(chromium, address, tmp_path):
    page = _opened(chromium, address, "price")
    hints = page.evaluate("[...document.querySelectorAll('#fields .hint')].map(e => e.textContent)")
    assert hints == ["number", "number · may stay empty", "text · may stay empty", "text"]
    offered = page.evaluate("[...document.querySelector('#field-2').list.options].map(e => e.value)")
    assert {"Private", "State"} <= set(offered)
    _type(page, "Fixed acidity", "7.4")
    _type(page, "city", "Köln")
    answer = _ask(page)
    (prediction,) = _shell(page)["predictions"]
    assert set(prediction) == {"value", "low", "high"}
    assert float(answer) == pytest.approx(prediction["value"], rel=1e-5)
    ends = page.evaluate("[...document.querySelectorAll('.interval .ends span')].map(e => Number(e.textContent))")
    assert ends == pytest.approx([prediction["low"], prediction["high"]], rel=1e-5)
    assert "90 %" in page.evaluate("document.querySelector('.interval').textContent")
    left, dot, right = page.evaluate(
        "(([i, b]) => [i.left, (b.left + b.right) / 2, i.right])"
        "(['i', 'b'].map(name => document.querySelector(`.interval ${name}`).getBoundingClientRect()))"
    )
    assert left < dot < right
    assert '"age":NaN,"work_class":""' in page.evaluate("state.curl")
    page.screenshot(tmp_path / "number.png")
    _type(page, "age", "39")
    assert _ask(page) != answer
    assert '"age":39' in page.evaluate("state.curl")
    assert page.problems() == []


def test_what_may_not_be_missing_and_what_is_no_number(chromium, address):
    page = _opened(chromium, address, "price")
    assert _ask(page) == "No answer: Fixed acidity: type a number, it may not be missing"
    _type(page, "Fixed acidity", "1e")
    assert _ask(page) == "No answer: Fixed acidity: this is no number"
    _type(page, "Fixed acidity", "40")
    assert _ask(page) == "No answer: Fixed acidity: 1e40 is beyond float32"
    page.evaluate("document.querySelector('#field-0').value = 1")
    assert _ask(page) == "No answer: city: type a text, it may not be missing"


@pytest.mark.parametrize("dark", [False, True])
def test_examples_fill_the_form_and_classes_are_bars(chromium, address, tmp_path, dark):
    page = _opened(chromium, address, "income", width=390, height=844, mobile=True, dark=dark)
    seen = set()
    for _ in range(3):
        page.click("#example")
        seen.add(page.evaluate("JSON.stringify([...document.querySelectorAll('#fields input')].map(e => e.value))"))
        answer = _ask(page)
        (prediction,) = _shell(page)["predictions"]
        assert answer == prediction["label"]
        bars = page.evaluate("[...document.querySelectorAll('.bars .value')].map(e => e.textContent)")
        assert bars == [f"{100 * share:.1f} %" for share in sorted(prediction["probabilities"], reverse=True)]
    assert len(seen) == 3
    page.screenshot(tmp_path / "classes.png")
    assert page.problems() == []
