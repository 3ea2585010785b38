from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from pipelines.report import plots, sparks
from pipelines.report.classification import ranking


def figures(rows: int) -> list[str]:
    random = np.random.default_rng(0)
    truth = random.normal(size=rows)
    answers = truth + random.normal(0, 0.3, rows)
    ranked = ranking(truth > 0, answers)
    return [
        plots.operating_characteristic(ranked),
        plots.precision_recall(ranked, 0.5),
        plots.answers_against_truth(truth, answers),
        plots.over_answers(answers, truth - answers, "residual", zero=True),
        plots.residuals(truth - answers),
        plots.coverages(np.array([0.5, 0.9]), np.array([0.4, 0.85]), rows),
        plots.transform_histogram(random.uniform(size=rows)),
    ]


@pytest.mark.parametrize("rows", [2, 5000])
def test_figures_are_well_formed_small_and_follow_the_theme(rows):
    for figure in figures(rows):
        root = ElementTree.fromstring(str(figure))
        assert root.attrib["role"] == "img" and root.attrib["aria-label"]
        assert len(figure) < 400_000
        assert "var(--first)" in figure and "#030303" not in figure


def test_many_points_become_hexagons_and_a_curve_is_thinned():
    values = np.random.default_rng(0).normal(size=5000)
    few, many = (plots.answers_against_truth(values[:rows], values[:rows]) for rows in (plots.POINTS, plots.POINTS + 1))
    assert few.count("<use") >= plots.POINTS > many.count("<use")
    ranked = ranking(values > 0, values[::-1])
    path = re.search(r'<path d="([^"]+)"[^>]*style="[^"]*var\(--first\)', plots.operating_characteristic(ranked))
    assert path is not None
    assert path[1].count("L") < plots.POINTS


def test_a_histogram_in_a_cell_is_as_high_as_its_counts():
    drawn = ElementTree.fromstring(str(sparks.histogram([1, 0, 4], "ages")))
    assert [float(bar.attrib["height"]) for bar in drawn] == [6.5, 0, 26]
    assert drawn.attrib["aria-label"] == "ages"
    assert len(ElementTree.fromstring(str(sparks.histogram([], "none")))) == 0


def test_a_signed_bar_begins_in_the_middle():
    for fraction, start, long, colour in ((0.5, 60, 30, "--second"), (-0.5, 30, 30, "--first"), (-9, 0, 60, "--first")):
        bar = ElementTree.fromstring(str(sparks.signed_bar(fraction, "weight")))[1].attrib
        assert (float(bar["x"]), float(bar["width"]), bar["fill"]) == (start, long, f"var({colour})")
