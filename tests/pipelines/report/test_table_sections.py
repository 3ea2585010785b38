from __future__ import annotations

import re

import numpy as np
import pytest

from pipelines.report import sections
from pipelines.report.sections import classification, regression
from tests.pipelines.report import tables

RAW = tables.inputs(240)


def text(html: str) -> str:
    """What a reader sees, with plain spaces."""
    spaces = str.maketrans("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "  ")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).translate(spaces)


def older(values):
    """The answer of a model that looks at the age alone."""
    second = np.clip((values["age"] - 20) / 40, 0.001, 0.999)
    return {"probabilities": np.stack([1 - second, second], axis=1)}


def three(values):
    first = np.clip((values["age"] - 20) / 40, 0.01, 0.99)
    return {"probabilities": np.stack([first, (1 - first) / 2, (1 - first) / 2], axis=1)}


def classes(names: tuple[str, ...], labels: np.ndarray, ask) -> dict[str, str]:
    task = tables.task(names)
    found = classification.collect(task, tables.answered(RAW, labels, ask))
    return {section.title: str(section.html) for section in classification.sections(task, found)}


def numbers(targets: np.ndarray, ask, **settings) -> dict[str, str]:
    task = tables.task()
    found = regression.collect(task, tables.answered(RAW, targets, ask, **settings))
    return {section.title: str(section.html) for section in regression.sections(task, found)}


def test_both_tasks_have_a_module():
    assert sections.for_task("classification") is classification
    assert sections.for_task("regression") is regression


def test_mistakes_are_rows_with_their_columns_the_most_important_first():
    labels = (RAW["age"] > 40).astype(int)
    surest = int(np.argmax(RAW["age"]))
    labels[surest] = 0
    html = classes(("young", "old"), labels, older)["Most confident mistakes"]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', html)
    assert heads == ["row", "true → answer", "probability", "age", "income", "sex"]
    row = text(html.partition("<tbody>")[2])
    assert row.split()[:4] == [f"row/{surest:04d}", "young", "→", "old"]
    assert ("missing" in row) == bool(np.isnan(RAW["income"][surest]))
    assert RAW["sex"][surest].decode() in row
    assert "1 of 240 answers on the test split are wrong." in text(html)


def test_two_classes_have_curves_and_more_have_a_table():
    two = classes(("young", "old"), (RAW["age"] > 40).astype(int), older)
    assert two["Thresholds"].count("<svg") == 2
    assert "ROC curve: area 1.0000" in two["Thresholds"]
    more = classes(("a", "b", "c"), np.arange(240) % 2, three)
    rows = text(more["Classes against the rest"])
    assert "<svg" not in more["Classes against the rest"]
    assert "c 0 – –" in rows  # a class without an example has no curve and does not count in the mean
    first, second, mean = (float(re.search(rf"{name} \d+ ([\d.]+)", rows)[1]) for name in ("a", "b", "macro mean"))
    assert mean == pytest.approx((first + second) / 2, abs=1e-4)


def test_a_test_split_of_one_class_has_nothing_to_rank():
    html = classes(("young", "old"), np.zeros(240, int), older)["Thresholds"]
    assert "holds one class only" in html and "<svg" not in html


def test_what_the_model_looks_at_is_asked_of_the_model():
    html = text(classes(("young", "old"), (RAW["age"] > 40).astype(int), older)["What the model looks at"])
    ages, others = re.search(r"age ([\d.]+)", html)[1], re.findall(r"(?:income|sex) ([\d.]+)", html)
    assert float(ages) > 0.3
    assert list(map(float, others)) == [0, 0]


def test_answers_of_a_regression():
    targets = RAW["age"].astype(float) + np.linspace(-5, 5, 240)
    html = numbers(targets, lambda values: {"value": values["age"]})
    assert list(html) == ["Answers and errors", "Largest errors", "What the model looks at"]
    assert html["Answers and errors"].count("<svg") == 3
    worst = text(html["Largest errors"].partition("<tbody>")[2]).split()
    assert worst[0] in ("row/0000", "row/0239")
    assert abs(float(worst[3])) == pytest.approx(5, abs=0.01)
    # 20 of the errors c k with k = 1, 3 .. 239, twice each: their share of the sum of squares.
    squares = np.sort(np.repeat(np.arange(1, 240, 2) ** 2, 2))[::-1]
    assert f"make up {100 * squares[:20].sum() / squares.sum():.0f} % of the sum" in text(html["Largest errors"])


def test_intervals_are_held_against_their_levels():
    random = np.random.default_rng(0)
    sigma = np.where(RAW["age"] > 40, 4.0, 1.0)
    targets = RAW["age"] + random.normal(0, sigma)

    def ask(values, share=1.0):
        wide = 1.2815516 * share * np.where(values["age"] > 40, 4.0, 1.0)
        return {"value": values["age"], "low": values["age"] - wide, "high": values["age"] + wide}

    html = numbers(targets, ask, interval=0.8)
    assert html["Intervals"].count("<svg") == 3
    inside = np.mean(np.abs(targets - RAW["age"]) <= 1.2815516 * sigma)
    assert f"shall hold 80.0 % of the targets and holds {100 * inside:.1f} %" in text(html["Intervals"])
    shares = re.findall(r"(\d\d) % ([\d.]+) -?[\d.]+", text(html["Intervals"].partition("<tbody>")[2]))
    assert [int(level) for level, _ in shares] == [*range(50, 100, 5), 99]
    assert all(abs(float(share) - int(level) / 100) < 0.1 for level, share in shares)
    assert "in learned deviations" in html["Largest errors"]
    narrow = numbers(targets, lambda values: ask(values, 0.3), interval=0.8)["Intervals"]
    assert int(re.search(r"holds (\d+)", text(narrow))[1]) < 50


def test_a_model_that_answers_the_same_to_all():
    html = numbers(np.full(240, 2.0), lambda values: {"value": np.full(len(values["age"]), 2.0)})
    assert "make up 0 % of" in text(html["Largest errors"])
    assert html["Answers and errors"].count("<svg") == 3


def test_no_rows_no_sections():
    nothing = {name: values[:0] for name, values in RAW.items()}
    answered = tables.answered(nothing, np.zeros(0), lambda values: {"value": np.zeros(0), **older(values)})
    assert regression.sections(tables.task(), regression.collect(tables.task(), answered)) == []
    task = tables.task(("a", "b"))
    assert classification.sections(task, classification.collect(task, answered)) == []


def test_values_of_columns_are_escaped():
    raw = {**RAW, "sex": np.full(240, b"<script>alert(1)</script>", object)}
    found = regression.collect(
        tables.task(), tables.answered(raw, RAW["age"] + 1, lambda values: {"value": values["age"]})
    )
    html = "".join(str(section.html) for section in regression.sections(tables.task(), found))
    assert "<script" not in html and "&lt;script&gt;" in html
