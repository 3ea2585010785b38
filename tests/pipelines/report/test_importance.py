from __future__ import annotations

import numpy as np
import pytest

from pipelines.report import importance
from pipelines.report.regression import root_mean_square


def measure(raw, ask, targets, **more):
    return importance.measure(
        raw, ask, "value", "rmse", lambda rows, got: root_mean_square(targets[rows] - got["value"]), **more
    )


def test_a_column_that_the_model_ignores_adds_nothing_and_the_others_what_they_weigh():
    random = np.random.default_rng(0)
    raw = {name: random.normal(size=1500) for name in ("strong", "weak", "ignored")}
    targets = 3 * raw["strong"] + raw["weak"] + random.normal(0, 0.1, 1500)
    found = measure(raw, lambda values: {"value": 3 * values["strong"] + values["weak"]}, targets)
    assert found.before == pytest.approx(0.1, rel=0.1)
    np.testing.assert_array_equal(found.added["ignored"], 0.0)
    # A shuffled column of unit variance and weight w adds 2 w^2 to the mean square.
    assert found.before + found.added["strong"].mean() == pytest.approx(np.sqrt(2 * 9 + 0.01), rel=0.05)
    assert found.before + found.added["weak"].mean() == pytest.approx(np.sqrt(2 * 1 + 0.01), rel=0.05)
    assert found.leading(2) == ["strong", "weak"]


def test_it_is_bounded_and_says_so():
    random = np.random.default_rng(1)
    raw = {f"column_{index}": random.normal(size=5000) for index in range(70)}
    asked = []

    def ask(values):
        asked.append(len(values["column_0"]))
        return {"value": values["column_69"]}

    found = measure(raw, ask, raw["column_69"])
    assert set(asked) == {importance.ROWS}
    assert len(asked) == 1 + importance.COLUMNS * importance.REPEATS
    html = importance.section(found).html
    assert "2000 of 5000 rows" in html
    assert "Only the 60 of 70 columns whose own values go most with the answers" in html
    assert found.leading(1) == ["column_69"]
    assert len(found.leading(65)) == 65


def test_the_same_seed_gives_the_same_shuffles_and_leaves_the_rows_alone():
    raw = {"a": np.arange(50.0), "b": np.array([b"x", b""] * 25, object)}
    before = {name: values.copy() for name, values in raw.items()}
    one, other = (measure(raw, lambda values: {"value": values["a"]}, raw["a"], seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.added["a"], other.added["a"])
    assert one.added["a"].min() > 0
    for name, values in raw.items():
        np.testing.assert_array_equal(values, before[name])


def test_no_rows():
    found = measure({"a": np.zeros(0)}, lambda values: pytest.fail("asked"), np.zeros(0))
    assert (found.rows, found.added, found.leading(3)) == (0, {}, ["a"])


def test_bars_and_dots_stand_for_the_shuffles():
    added = {"b": np.array([1.0, 2.0, 3.0]), "a": np.array([-1.0, -1.0, -1.0])}
    html = str(importance.section(importance.Importance("rmse", 1.0, added, 9, 9, ["a", "b"])).html)
    assert html.index(">b<") < html.index(">a<")
    assert "width:100.0%" in html and "2.0000" not in html and ">2<" in html
    assert "width:0.0%" in html  # a column without which the model does better
    assert [part for part in ("left:0.0%", "left:100.0%") if part not in html] == []


def test_a_wide_table_is_asked_about_less(monkeypatch):
    monkeypatch.setattr(importance, "VALUES", 3 * 20 * 2)
    raw = {f"column_{index}": np.random.default_rng(index).normal(size=30) for index in range(20)}
    found = measure(raw, lambda values: {"value": values["column_7"]}, raw["column_7"])
    assert len(found.added) == 2 and "column_7" in found.added


def test_association_by_hand():
    # Correlation of 0, 1, 2 with 0, 1, 0 is 0; with 0, 1, 1: covariance 1, squares 2 and 2/3, so 1 / (4/3) = 3/4.
    numbers = np.array([0.0, 1.0, 2.0])
    assert importance.association(numbers, np.array([[0.0], [1.0], [0.0]])) == 0
    assert importance.association(numbers, np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])) == pytest.approx(3 / 4)
    # Around their mean 1/2 the answers have squares of 1 in all. Sums of the groups -1/2 and 1/2, so 1/4 + 1/12 = 1/3
    # between them, and adjusted 1 - (1 - 1/3) 3 / 2 = 0.
    texts = np.array([b"a", b"b", b"b", b"b"], object)
    assert importance.association(texts, np.array([[0.0], [1.0], [1.0], [0.0]])) == pytest.approx(0)
    assert importance.association(texts, np.array([[0.0], [1.0], [1.0], [1.0]])) == pytest.approx(1)


def test_what_never_varies_or_never_repeats_tells_nothing():
    answers = np.arange(4.0)[:, np.newaxis]
    for values in (np.full(4, np.nan), np.ones(4), np.array([b"a", b"b", b"c", b"d"], object)):
        assert importance.association(values, answers) == 0
    assert importance.association(np.arange(4.0), np.ones((4, 1))) == 0
