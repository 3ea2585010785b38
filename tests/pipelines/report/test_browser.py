"""The page in a real browser: no message, no broken image, nothing wider than a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.report.data import BadExamples, ReportData, Threshold
from pipelines.report.render import write
from pipelines.report.sections import image_classification
from tests.browser import Browser, browser, chromium_path
from tests.pipelines.report import example

pytestmark = pytest.mark.browser

VIEWS = {"phone": (390, 844, True), "desktop": (1280, 900, False)}
SMALL_TEXT = """Array.from(document.querySelectorAll('svg.plot text')).map(
    text => parseFloat(getComputedStyle(text).fontSize) * text.closest('svg').getScreenCTM().a)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return write(example.report(), tmp_path_factory.mktemp("report") / "report.html")


def many_classes() -> ReportData:
    """What strains the page: many classes with long names, no verdict, bad data."""
    random = np.random.default_rng(0)
    names = tuple(f"{word} with_a_name_that_goes_on_{index}" for index, word in enumerate(["shoe", "bag"] * 60))
    probabilities = random.dirichlet(np.full(120, 0.05), 1200)
    keys = [f"folder/with/a/long/path/picture-{index}.png" for index in range(1200)]
    images = [example.encoded(random.uniform(size=64))] * 1200
    predictions = image_classification.Predictions(keys, images, random.integers(0, 120, 1200), probabilities)
    added = image_classification.sections(example.task(names), predictions)
    return replace(
        example.report(), model="linear", dataset="images:/home/somebody/pictures/of/many/things/without/a/space",
        blessed=False, version="", reasons=["accuracy 0.0083 is below 0.9"], sections=added,
        thresholds=[Threshold("accuracy", "lower", 0.9, 0.0083, passed=False)],
        counts={"train": dict.fromkeys(names, 40), "test": dict.fromkeys(names, 10)},
        samples={name: [(images[0], name)] * 3 for name in names[:12]},
        bad_examples=BadExamples(2, [(keys[0], "truncated JPEG"), (keys[1], "not an image")]),
        anomalies=["feature 'image': missing in 2 examples"],
    )  # fmt: skip


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_no_problem_on_the_page(chromium, page, view, dark):
    width, height, mobile = VIEWS[view]
    opened = chromium.open(page.as_uri(), width, height, mobile, dark)
    assert opened.problems() == []
    assert [url for url in opened.requests if not url.startswith("data:")] == [page.as_uri()]
    assert opened.evaluate("document.images.length") > 60
    assert opened.evaluate("innerWidth") == width


def test_the_strained_page_fits_a_phone(chromium, tmp_path):
    path = write(many_classes(), tmp_path / "report.html")
    for width, height, mobile in VIEWS.values():
        opened = chromium.open(path.as_uri(), width, height, mobile)
        opened.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
        assert opened.problems() == []


def test_text_in_figures_is_readable_on_a_phone(chromium, page):
    sizes = chromium.open(page.as_uri(), *VIEWS["phone"]).evaluate(SMALL_TEXT)
    assert len(sizes) > 20
    assert min(sizes) >= 9


def test_anchors_lead_to_their_sections(chromium, page):
    opened = chromium.open(page.as_uri(), *VIEWS["phone"])
    found = opened.evaluate(
        "Array.from(document.querySelectorAll('nav a')).every(link => document.querySelector(link.hash + ' > h2'))"
    )
    assert found is True


def test_small_pictures_are_enlarged_without_blur(chromium, page):
    opened = chromium.open(page.as_uri())
    assert opened.evaluate("getComputedStyle(document.images[0]).imageRendering") == "pixelated"


def test_the_checks_find_what_they_look_for(chromium, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<div style='width:3000px'>wide</div><img src='missing.png' alt='gone'><svg></svg>"
        "<script>console.error('oops'); undefined_function()</script>"
    )
    problems = "\n".join(chromium.open(path.as_uri(), *VIEWS["phone"]).problems())
    for expected in ("broken image: gone", "1 images without", "too wide: 3", "error: oops", "undefined_function"):
        assert expected in problems


def test_without_a_browser_a_test_is_skipped_but_fails_on_continuous_integration(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no chromium on PATH"):
        chromium_path()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        chromium_path()
