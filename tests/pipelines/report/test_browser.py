"""The page in a real browser: no message, no broken image, nothing wider than a phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.report import alignments, coefficients, columns
from pipelines.report.data import BadExamples, ReportData, Section, Threshold
from pipelines.report.render import write
from pipelines.report.sections import classification, image_classification, regression, sequence_to_sequence
from tests.browser import Browser, browser, chromium_path
from tests.pipelines.report import example, tables, test_sequence_to_sequence

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


def table_sections() -> list[Section]:
    """What both tasks on tables and a linear model show."""
    raw = tables.inputs(700)
    targets = raw["age"] + np.random.default_rng(0).normal(0, 3, 700)

    def ask(values):
        second = np.clip((values["age"] - 20) / 40, 0.01, 0.99)
        answer = {"value": values["age"], "low": values["age"] - 4, "high": values["age"] + 4}
        return {**answer, "probabilities": np.stack([1 - second, second], axis=1)}

    added = regression.sections(
        tables.task(), regression.collect(tables.task(), tables.answered(raw, targets, ask, interval=0.9))
    )
    task = tables.task(("under_forty_years_of_age", "forty_years_and_above"))
    added += classification.sections(
        task, classification.collect(task, tables.answered(raw, (targets > 40).astype(int), ask))
    )
    names = [f"a_column_of_a_long_name = and a long value {index}" for index in range(50)]
    weights = np.random.default_rng(1).normal(size=(50, 9))
    added.append(coefficients.section({"mean": weights[:, 0]}, names, 17.0))
    added.append(coefficients.section({f"class {index}": weights[:, index] for index in range(9)}, names))
    return added


def test_a_page_about_a_table_fits_a_phone(chromium, tmp_path):
    raw, features = tables.inputs(700), tables.COLUMNS
    report = ReportData(
        model="linear", dataset="csv:/home/somebody/table.csv", task="regression", run="one", target="Years of age.",
        counts={"train": {"examples": 700}}, metrics={"test": {"rmse": 123456.7}}, sections=table_sections(),
        columns=columns.read([raw], features, "label"), remarks=["converged: epoch 3"],
    )  # fmt: skip
    path = write(report, tmp_path / "report.html")
    for width, height, mobile in VIEWS.values():
        for dark in (False, True):
            opened = chromium.open(path.as_uri(), width, height, mobile, dark)
            opened.evaluate("document.querySelectorAll('details').forEach(box => box.open = true)")
            assert opened.problems() == []
            if mobile:
                assert min(opened.evaluate(SMALL_TEXT)) >= 9


def test_a_page_about_translations_fits_a_phone(chromium, tmp_path):
    long, word = "a word and another " * 9, "without" * 30
    pairs = [*test_sequence_to_sequence.PAIRS, (long, long, long), (word, word, word)]
    answered = test_sequence_to_sequence.answered(pairs)
    task = test_sequence_to_sequence.TASK
    added = sequence_to_sequence.sections(task, sequence_to_sequence.collect(task, answered))
    heads = alignments.heads(np.random.default_rng(0).dirichlet(np.ones(40), (8, 30)), "Attention")
    report = ReportData("transformer", "dates", task.name, "one", sections=[*added, Section("Attention heads", heads)])
    path = write(report, tmp_path / "report.html")
    for width, height, mobile in VIEWS.values():
        opened = chromium.open(path.as_uri(), width, height, mobile)
        assert opened.problems() == []
    directions = opened.evaluate("""Array.from(document.querySelectorAll('.text')).map(
        text => [text.textContent.slice(0, 3), getComputedStyle(text).direction])""")
    assert ["قطة", "rtl"] in directions and ["zwe", "ltr"] in directions


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
