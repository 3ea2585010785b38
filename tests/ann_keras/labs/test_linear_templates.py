"""The templates, and the correlation of rows by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, linear_templates


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("linear_templates", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, result.checks
    numbers = result.numbers
    own, other = (
        numbers[f"correlation of a template with {whose}, on average"]
        for whose in ("its class's mean", "another class's mean")
    )
    assert own - other > 0.4
    assert numbers["correlation with the difference from the mean of all, on average"] > 0.8


def test_row_correlations_by_hand() -> None:
    rows = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    others = np.array([[10.0, 20.0, 30.0], [1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    # The last: (-1, 0, 1).(-1, -1, 2) / 3 over sqrt(2) sqrt(6) / 3 = 3 / sqrt(12).
    expected = [[1.0, 0.0, np.sqrt(0.75)], [-1.0, 0.0, -np.sqrt(0.75)]]
    np.testing.assert_allclose(linear_templates.row_correlations(rows, others), expected, atol=1e-12)
