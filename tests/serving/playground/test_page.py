"""The page in a real browser, asked by real clicks and strokes."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator

import pytest

from tests.browser import Browser, Page
from tests.serving.playground.conftest import page_of

pytestmark = pytest.mark.browser
ANSWERED = "document.querySelector('#label, #raw, .error')?.textContent"


def _arc(x: float, y: float, wide: float, high: float, start: float, end: float) -> list[tuple[float, float]]:
    angles = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


DRAWN = {
    "0": [_arc(0.5, 0.5, 0.2, 0.36, -90, 270)],
    "1": [[(0.38, 0.28), (0.52, 0.14), (0.52, 0.86)]],
    "2": [[*_arc(0.48, 0.32, 0.19, 0.18, -170, 30), (0.34, 0.84), (0.7, 0.84)]],
    "3": [_arc(0.47, 0.32, 0.19, 0.18, -150, 90) + _arc(0.47, 0.68, 0.21, 0.18, -90, 150)],
    "4": [[(0.5, 0.14), (0.27, 0.56), (0.72, 0.56)], [(0.58, 0.4), (0.58, 0.88)]],
    "5": [[(0.68, 0.15), (0.38, 0.15), (0.36, 0.45), *_arc(0.47, 0.63, 0.19, 0.22, -110, 140)]],
    "6": [[(0.56, 0.13), (0.38, 0.4), *_arc(0.48, 0.67, 0.17, 0.19, 200, -160)]],
    "7": [[(0.3, 0.16), (0.7, 0.16), (0.46, 0.87)], [(0.36, 0.52), (0.68, 0.52)]],
    "8": [_arc(0.5, 0.31, 0.15, 0.17, 90, 450), _arc(0.5, 0.68, 0.18, 0.19, -90, 270)],
    "9": [[*_arc(0.5, 0.34, 0.17, 0.19, 0, -360), (0.66, 0.6), (0.54, 0.87)]],
}


@pytest.fixture(scope="module")
def address(rest_url: str, models: dict[str, str | None]) -> Iterator[str]:
    with page_of(rest_url, models) as found:
        yield found


def _opened(chromium: Browser, address: str, **how: object) -> Page:
    page = chromium.open(address, **how)
    page.until("document.querySelector('#fields').children.length")
    return page


def _ask(page: Page) -> str:
    page.evaluate("document.querySelector('#answer').replaceChildren()")
    page.click("#ask")
    return page.until(ANSWERED)


def _shell(page: Page) -> dict:
    line = page.evaluate("state.curl")
    return json.loads(subprocess.run(["sh"], input=line, capture_output=True, text=True, check=True).stdout)


def test_a_chosen_file_is_asked_by_a_click_and_by_the_curl_line(chromium, address, digits):
    page = _opened(chromium, address)
    right = 0
    for path, label in digits[:4]:
        page.choose_file("[type=file]", path)
        page.until(f"document.querySelector('.sent').textContent.includes('{path.name}')")
        answer = _ask(page)
        (prediction,) = _shell(page)["predictions"]
        assert prediction["label"] == answer
        shown = page.evaluate("[...document.querySelectorAll('.bars .name')].map(e => e.textContent)")
        ranked = sorted(zip(prediction["probabilities"], prediction["classes"], strict=True), reverse=True)
        assert shown[0] == ranked[0][1] == answer
        assert sorted(shown) == list("0123456789")
        right += answer == label
    assert right >= 3
    assert page.evaluate("document.querySelector('#curl').textContent === state.curl")
    page.call("Page.bringToFront")
    page.click("#copy")
    said = page.until("document.querySelector('#copied').textContent")
    # A browser that keeps the clipboard to itself gets the line selected.
    assert said == "Copied." or page.evaluate("getSelection().toString() === state.curl")
    assert page.problems() == []


def test_most_drawn_digits_are_recognised(chromium, address, tmp_path):
    page = _opened(chromium, address)
    answers = {}
    for digit, strokes in DRAWN.items():
        page.click(".tools button")
        for stroke in strokes:
            page.drag("canvas", stroke)
        answers[digit] = _ask(page)  # at once: the page asks with the last stroke in it
    page.screenshot(tmp_path / "desktop.png")
    assert sum(digit == answer for digit, answer in answers.items()) >= 8, answers
    assert page.problems() == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_finger_draws_on_a_phone(chromium, address, tmp_path, dark):
    page = _opened(chromium, address, width=390, height=844, mobile=True, dark=dark)
    for stroke in DRAWN["0"]:
        page.drag("canvas", stroke, touch=True)
    page.until("document.querySelector('.sent').textContent.includes('drawing')")
    assert _ask(page) == "0"
    page.screenshot(tmp_path / "phone.png")
    assert page.problems() == []


def test_a_file_that_is_no_picture_and_nothing_at_all(chromium, address, tmp_path):
    page = _opened(chromium, address)
    assert _ask(page) == "No answer: image: choose a picture or draw one"
    path = tmp_path / "text.png"
    path.write_text("no picture")
    page.choose_file("[type=file]", path)
    page.until("document.querySelector('.sent').textContent.includes('text.png')")
    answer = _ask(page)
    assert answer.startswith("No answer: ")
    assert answer == "No answer: " + _shell(page)["error"]
    page.screenshot(tmp_path / "error.png")


def test_any_saved_model_is_asked_with_typed_json(chromium, address, tmp_path):
    page = _opened(chromium, address)
    page.evaluate("document.querySelector('#model').value = 'half'")
    page.evaluate("document.querySelector('#model').dispatchEvent(new Event('change'))")
    page.click("#fields input")
    page.call("Input.insertText", text="3")
    assert json.loads(_ask(page)) == 3.5
    assert _shell(page) == {"predictions": [3.5]}
    page.screenshot(tmp_path / "half.png")
    assert page.problems() == []


def test_a_large_picture_has_a_line_that_runs(chromium, address, tmp_path):
    import numpy as np
    from PIL import Image

    path = tmp_path / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (400, 500), "uint8")).save(path)
    page = _opened(chromium, address)
    page.choose_file("[type=file]", path)
    page.until("document.querySelector('.sent').textContent.includes('large.png')")
    answer = _ask(page)
    assert len(page.evaluate("state.curl")) > 200_000
    assert _shell(page)["predictions"][0]["label"] == answer
