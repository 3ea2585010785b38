"""Positions by hand, at once and one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from ann_keras.layers.positions import LearnedPositions, SinusoidalPositions, sinusoids


def test_sinusoids_by_hand() -> None:
    # width 4: the rates are 1 and 10000^(-2/4) = 1/100.
    expected = [
        [0, 1, 0, 1],
        [np.sin(1), np.cos(1), np.sin(0.01), np.cos(0.01)],
        [np.sin(200), np.cos(200), np.sin(2), np.cos(2)],
    ]
    np.testing.assert_allclose(sinusoids(np.array([0, 1, 200]), 4), expected, atol=1e-5)


def test_a_shift_is_a_rotation_of_each_pair() -> None:
    # Section 3.5: PE(p + k) is a linear function of PE(p).
    before, after = (ops.convert_to_numpy(sinusoids(np.array(place), 8)).reshape(4, 2) for place in (11, 16))
    angles = 5 * 10000.0 ** (-np.arange(0, 8, 2) / 8)
    turned = np.stack(
        [
            before[:, 0] * np.cos(angles) + before[:, 1] * np.sin(angles),
            before[:, 1] * np.cos(angles) - before[:, 0] * np.sin(angles),
        ],
        axis=1,
    )
    np.testing.assert_allclose(after, turned, atol=1e-5)


@pytest.mark.parametrize("layer", [SinusoidalPositions(6), LearnedPositions(9)], ids=["sinusoidal", "learned"])
def test_one_position_is_the_row_of_all(layer: SinusoidalPositions | LearnedPositions) -> None:
    x = np.random.default_rng(0).normal(size=(2, 9, 6)).astype("float32")
    whole = ops.convert_to_numpy(layer(x))
    assert np.abs(whole - x).max() > 0.1
    for position in range(9):
        np.testing.assert_allclose(layer.at(x[:, position], position), whole[:, position], atol=1e-6)


def test_lengths() -> None:
    SinusoidalPositions(4).check(10**6)
    layer = LearnedPositions(3)
    layer.check(3)
    message = "a sequence of 4 tokens: expected at most longest=3, those learned"
    with pytest.raises(ValueError, match=message):
        layer.check(4)
    layer.build((None, None, 4))
    with pytest.raises(ValueError, match="expected at most longest=3"):
        layer(np.zeros((1, 4, 4), "float32"))


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width=5: expected an even number"):
        SinusoidalPositions(5)
