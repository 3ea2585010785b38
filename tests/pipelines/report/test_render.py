from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from pipelines.report import blocks, figures
from pipelines.report.classification import confidence_bins
from pipelines.report.data import BadExamples, Column, ReportData, Section, Slice, Threshold, Trial
from pipelines.report.render import render, write

BARE = ReportData(model="knn", dataset="digits", task="image_classification", run="one")


def headings(page: str) -> list[str]:
    return re.findall(r"<h2><a href=\"#[^\"]*\">([^<]*)</a></h2>", page)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<body>")[2])).replace("\N{NO-BREAK SPACE}", " ")


class Balance(HTMLParser):
    """Collects tags that are closed in another order than they were opened."""

    VOID = ("meta", "link", "img", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_everything_is_on_the_page(report):
    page = render(report)
    assert headings(page) == [
        "Metrics", "Learning curves", "Confusion matrix", "Most confident mistakes", "Calibration", "Classes",
        "Templates", "Slices", "Folds", "Tuning", "Data", "Settings", "Components",
    ]  # fmt: skip
    words = text(page)
    assert "✓ Blessed pushed as version 1" in words
    for expected in ("seed 0", "accuracy, test split", "step of the optimizer", "CC BY 4.0", "2.3 s, reused", "fold 5"):
        assert expected in words
    assert f"early stopping: {report.stopped_epoch}" in words
    assert f"best epoch: {report.best_epoch}" in words


def test_tags_are_balanced_and_ids_unique(report):
    page = render(report)
    balance = Balance()
    balance.feed(page)
    assert (balance.wrong, balance.open) == ([], [])
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)


def test_nothing_outside_of_the_page_is_asked_for(report):
    page = render(report)
    assert not re.search(r"<(script|iframe|object|embed)\b|@import|@font-face", page)
    for address in re.findall(r'(?:src|href)="([^"]+)"', page) + re.findall(r"url\(([^)]+)\)", page):
        assert address.strip("\"'").startswith(("#", "data:")), address


def test_a_bare_report():
    page = render(BARE)
    assert "✗ Not blessed" in page
    assert headings(page) == []
    assert "seed" not in text(page)


def test_a_model_that_is_not_trained_in_epochs(report):
    page = render(replace(report, history={}, best_epoch=None, stopped_epoch=None, folds=None, tuning=None))
    assert not {"Learning curves", "Folds", "Tuning"} & set(headings(page))
    assert "epochs" not in text(page).partition("Metrics")[0]


def test_why_a_model_was_not_blessed():
    check = Threshold("accuracy", "lower", 0.9, 0.7214, passed=False)
    loss = Threshold("accuracy", "change", 0.02, 0.031, passed=False)
    upper = Threshold("mean_absolute_error", "upper", 2.0, float("nan"), passed=False)
    words = text(render(replace(BARE, reasons=["accuracy 0.7214 is below 0.9"], thresholds=[check, loss, upper])))
    assert "✗ Not blessed not pushed accuracy 0.7214 is below 0.9" in words
    assert "accuracy at least 0.9 0.7214 ✗ failed" in words
    assert "accuracy at most 0.02 worse than the last blessed model 0.0310 ✗ failed" in words
    assert "mean absolute error at most 2 – ✗ failed" in words


def test_what_was_wrong_with_the_data():
    bad = BadExamples(1200, [("cats/7.jpg", "truncated <JPEG>")])
    words = render(replace(BARE, bad_examples=bad, anomalies=["feature 'label': value 11 is out of range"]))
    assert "1\N{NARROW NO-BREAK SPACE}200 unreadable examples were left out" in words
    assert "<code>cats/7.jpg</code>: truncated &lt;JPEG&gt;" in words
    assert "feature &#39;label&#39;: value 11 is out of range" in words


def test_every_value_is_escaped():
    evil = "<img src=x onerror=alert(1)>\"'&"
    page = render(
        ReportData(
            model=evil, dataset=evil, task=evil, run=evil, when=evil, version=evil, reasons=[evil],
            settings={evil: evil}, settings_help={evil: evil}, dataset_description=evil,
            dataset_licence=evil, dataset_citation=evil,
            counts={evil: {evil: 1}}, bad_examples=BadExamples(1, [(evil, evil)]), anomalies=[evil],
            samples={evil: [(b"no image", evil)]}, history={evil: [1.0, 2.0]},
            metrics={evil: {evil: 1.0}, "test": {evil: 1}},
            thresholds=[Threshold(evil, "lower", 1, 1, True)], slices=[Slice(evil, {evil: 0.5})], folds=[{evil: 1.0}],
            component_seconds={evil: 1.0}, tuning=[Trial({evil: evil}, 1.0)], sections=[Section(evil, evil)],
        )
    )  # fmt: skip
    assert "<img" not in page
    balance = Balance()
    balance.feed(page)
    assert balance.wrong == []


def test_sections_of_the_same_title_have_anchors_of_their_own():
    sections = [Section(title, Markup("<p></p>")) for title in ("Masks", "Masks", "Masks!", "ε")]
    page = render(replace(BARE, sections=sections))
    assert re.findall(r'<section id="([^"]+)"', page) == ["masks", "masks-2", "masks-3", "section"]


def test_counts_are_summed():
    counts = {"train": {"a": 5, "b": 7}, "test": {"b": 2}}
    words = text(render(replace(BARE, counts=counts)))
    assert "class train test all a 5 0 5 b 7 2 9 all 12 2 14" in words


def test_a_number_that_is_predicted_has_a_unit_and_no_classes():
    counts = {"train": {"examples": 310}, "test": {"examples": 66}}
    metrics = {"test": {"rmse": 54.3512, "mae": 123456.7, "r2": 0.5}}
    words = text(render(replace(BARE, counts=counts, metrics=metrics, target="price in euro")))
    assert "rmse 54.35 mae 123 457 r2 0.5000" in words.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "in the unit of the target. Price in euro." in words
    assert "Examples train test all examples 310 66 376" in words
    assert "class" not in words.partition("Examples")[2]


def test_columns_of_a_table():
    found = [Column("age", "number", 310, 0.25, 40.5, 10.0, 18.0, 90.0, histogram=[1, 2])]
    counts = {"train": {"a": 310}}
    words = text(render(replace(BARE, columns=found, counts=counts)))
    assert "Over the 310 rows of the training split" in words
    assert "age number 25.0 % 40.5 10 18 90" in words


def test_what_a_model_says_of_its_training():
    page = render(replace(BARE, remarks=["converged: epoch <3>"], history={"loss": [1.0]}))
    assert headings(page) == ["Learning curves"]
    assert "<p>Converged: epoch &lt;3&gt;.</p>" in page
    assert "<svg" not in page  # one epoch is no curve
    assert "<svg" in render(replace(BARE, history={"loss": [1.0, 0.5]}))


def test_folds_show_mean_and_spread():
    words = text(render(replace(BARE, folds=[{"accuracy": value} for value in (0.8, 0.9, 1.0)])))
    assert "accuracy 0.9000 0.1000 0.8000 0.9000 1.0000" in words


def test_the_first_rows_of_a_ranked_table_show():
    html = blocks.ranked_table(["name", "number"], [(f"row {index}", index) for index in range(33)])
    shown, folded = html.split("<details>")
    assert "row 29<" in shown and "row 30<" in folded
    assert "<summary>3 more rows</summary>" in folded
    assert "<details>" not in blocks.ranked_table(["name"], [("a",)] * 30)


def test_a_long_table_is_folded_away():
    rows = [(f"row {index}", index) for index in range(31)]
    assert "<summary>31 rows</summary>" in blocks.table(["name", "number"], rows)
    assert "<summary>" not in blocks.table(["name", "number"], rows[:30])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3, "3"), (np.int64(60000), "60 000"), (0.98765, "0.9877"), (np.float32(0.5), "0.5000"), (1.0, "1.0000"),
     (0.0, "0.0000"), (12.0, "12"), (54.3512, "54.35"),
     (123456.7, "123 457"), (-2500.4, "-2 500"), (2.5e10, "2.5e+10"), (1e-5, "1e-05"),
     (float("nan"), "–"), (True, True), ("text", "text")],
)  # fmt: skip
def test_numbers(value, shown):
    found = blocks.figure(value)
    assert (found.replace("\N{NARROW NO-BREAK SPACE}", " ") if isinstance(found, str) else found) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.042, "0.04 s"), (8.31, "8.3 s"), (71.2, "71 s"), (725, "12 min 5 s"), (7300, "2 h 1 min")]
)
def test_durations(value, shown):
    assert blocks.seconds(value) == shown


def test_figures_are_well_formed_and_share_no_names():
    curves = figures.learning_curves({"loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "accuracy": [0.1]}, 2, 2)
    assert list(curves) == ["loss", "accuracy"]
    bins = confidence_bins(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    drawn = [
        *curves.values(),
        figures.reliability_diagram(bins, 0.1),
        figures.heat_map(np.eye(30, dtype=int), ["x"] * 30),
    ]
    names = [name for figure in drawn for name in re.findall(r'\bid="([^"]+)"', figure)]
    assert len(names) == len(set(names))
    for figure in drawn:
        root = ElementTree.fromstring(str(figure))
        assert root.attrib["role"] == "img" and root.attrib["aria-label"]
        assert "#010101" not in figure and "var(--muted)" in figure


def test_a_figure_is_the_same_each_time():
    assert figures.learning_curves({"loss": [2.0, 1.0]}) == figures.learning_curves({"loss": [2.0, 1.0]})


def test_write_is_whole_or_not_at_all(tmp_path, report, monkeypatch):
    path = write(BARE, tmp_path / "reports" / "knn" / "report.html")
    before = path.read_text()
    assert before == render(BARE)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(report, path)
    assert path.read_text() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_importing_costs_no_matplotlib():
    code = "import sys, pipelines.report.render; print('matplotlib' in sys.modules, 'tensorflow' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]


def test_examples_without_classes_are_counted_once():
    page = render(replace(BARE, counts={"train": {"examples": 100}, "test": {"examples": 20}}))
    assert "Examples train test all examples 100 20 120" in text(page)
    page = render(replace(BARE, counts={"train": {"cat": 60, "dog": 40}, "test": {"cat": 15, "dog": 5}}))
    assert "class train test all cat 60 15 75 dog 40 5 45 all 100 20 120" in text(page)
