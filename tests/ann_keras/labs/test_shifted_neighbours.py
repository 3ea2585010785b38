"""One pixel, and the shift itself."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, shifted_neighbours


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("shifted_neighbours", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, result.checks
    numbers = result.numbers
    assert numbers["test accuracy of nearest neighbours, one pixel, mean of four directions"] < 0.75
    assert numbers["test accuracy of CNN, one pixel, mean of four directions"] > 0.9


def test_shift_by_hand() -> None:
    image = np.array([[[0, 0, 0], [0, 7, 0], [0, 0, 0]]])
    assert shifted_neighbours.shift(image, 1, 0).tolist() == [[[0, 0, 0], [0, 0, 0], [0, 7, 0]]]
    assert shifted_neighbours.shift(image, 0, -1).tolist() == [[[0, 0, 0], [7, 0, 0], [0, 0, 0]]]
    assert shifted_neighbours.shift(image, -1, 1).tolist() == [[[0, 0, 7], [0, 0, 0], [0, 0, 0]]]


def test_nothing_leaves_the_frame() -> None:
    image = np.array([[[0, 0, 0], [0, 7, 0], [0, 0, 0]]])
    with pytest.raises(ValueError, match=r"a shift by \(0, 2\) moves a part"):
        shifted_neighbours.shift(image, 0, 2)
