"""Underfitting and overfitting by width and by the number of examples."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, width_and_data


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("width_and_data", seed=0)


def test_measured_by_hand() -> None:
    """Two rows, two widths, one copy: answers 1, 3 and 2, 2 to targets 1, 2."""
    answers = np.array([[[1.0], [2.0]], [[3.0], [2.0]]])
    np.testing.assert_allclose(width_and_data.measured(answers, np.array([[1.0], [2.0]])), [[0.5], [0.5]])


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_more_examples_lower_the_test_error_of_every_width(result: lab.Result) -> None:
    for width in width_and_data.WIDTHS:
        few, many = (result.numbers[f"test error, width {width}, {rows} examples"] for rows in (15, 320))
        assert many < few
    noise = width_and_data.NOISE**2
    # The noise and a little of variance: 20 data sets of 1,000 test rows tell it to a few hundredths.
    assert result.numbers["test error, width 8, 320 examples"] == pytest.approx(noise * 1.06, rel=0.08)
