"""The filters by hand, and the letters of the scenes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from ann_keras.labs import filters, lab

IMAGE = np.arange(12.0).reshape(3, 4)
FILTER = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("filters", seed=0)


def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, result.checks
    found = [result.numbers[f"share of letters found by {name}"] for name in ("correlation", "normalised correlation")]
    assert found[1] - found[0] > 0.7


def test_correlation_by_hand() -> None:
    # 1*0 + 2*1 + 3*4 + 4*5, and so on; a step to the right adds 10, a step down 40.
    assert filters.correlate(IMAGE, FILTER).tolist() == [[34, 44, 54], [74, 84, 94]]


def test_convolution_by_hand() -> None:
    # The filter turned by 180 degrees: 4*0 + 3*1 + 2*4 + 1*5.
    assert filters.convolve(IMAGE, FILTER).tolist() == [[16, 26, 36], [56, 66, 76]]


def test_both_equal_scipy_s() -> None:
    image, template = (np.random.default_rng(0).normal(size=shape) for shape in ((9, 7), (3, 2)))
    np.testing.assert_allclose(filters.convolve(image, template), signal.convolve2d(image, template, "valid"))
    np.testing.assert_allclose(filters.correlate(image, template), signal.correlate2d(image, template, "valid"))


def test_normalised_correlation_is_one_on_the_template_in_any_light() -> None:
    answers = filters.correlate_normalised(5 + 0.3 * FILTER, FILTER)
    np.testing.assert_allclose(answers, [[1.0]])
    np.testing.assert_allclose(filters.correlate_normalised(-FILTER, FILTER), [[-1.0]])
    # Centred: (-1.5, -0.5, 0.5, 1.5) and (0.5, -0.5, -0.5, 0.5): products sum to 0 - 0.75 + 0.25 - 0.25 + 0.75 = 0.
    np.testing.assert_allclose(filters.correlate_normalised(np.array([[1.0, 0], [0, 1]]), FILTER), [[0.0]], atol=1e-12)


def test_normalised_correlation_of_a_constant_is_zero() -> None:
    assert filters.correlate_normalised(np.full((4, 4), 3.0), FILTER).tolist() == np.zeros((3, 3)).tolist()


def test_peaks_leave_the_neighbours_of_a_peak_out() -> None:
    answer = np.zeros((6, 6))
    answer[1, 1], answer[1, 2], answer[4, 4] = 9, 8, 7
    assert filters.peaks(answer, 2, 2) == [(1, 1), (4, 4)]
    assert filters.peaks(answer, 2, 1) == [(1, 1), (1, 2)]


def test_a_scene_holds_its_letters_apart() -> None:
    _, places = filters.draw_scene(np.random.default_rng(3))
    size = len(filters.LETTER)
    assert len(places) == filters.LETTERS
    for number, (row, column) in enumerate(places):
        assert 0 <= row <= filters.SIDE - size and 0 <= column <= filters.SIDE - size
        for other_row, other_column in places[:number]:
            assert max(abs(row - other_row), abs(column - other_column)) >= size
