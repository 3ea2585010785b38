"""The section on a validation."""

from __future__ import annotations

from ann_keras.estimates import Estimate, Validation
from pipelines.report import resampling


def html(found: Validation) -> str:
    section = resampling.section(found.to_dict())
    assert section.title == "Validation"
    return str(section.html)


def test_bootstrap_shows_dots_and_the_formula() -> None:
    one = Estimate(0.75, 0.1, [0.7, 0.8], 0.74, apparent=0.9, no_information=0.5, point632=0.8052, point632plus=0.79)
    shown = html(Validation("bootstrap", 2, 40, {"balanced_accuracy": one}))
    for text in (
        "0.7500",
        "0.1000",
        "0.7400",
        "0.9000",
        "0.8052",
        "0.7900",
        "balanced accuracy",
        "2 bootstrap samples",
    ):
        assert text in shown
    assert "0.368 × apparent + 0.632 × out-of-bag (Efron 1983)" in shown
    assert shown.count("left:") == 2


def test_leave_one_out_shows_pooled_figures_alone() -> None:
    shown = html(Validation("leave_one_out", 40, 40, {"r2": Estimate(pooled=0.4321)}))
    assert "0.4321" in shown and "pooled" in shown
    for absent in ("spread", ".632", "left:"):
        assert absent not in shown


def test_no_artifact_no_section() -> None:
    assert resampling.sections({}) == []
