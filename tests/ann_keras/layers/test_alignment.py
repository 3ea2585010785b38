"""The two scores of attention, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.layers.alignment import Alignment

MEMORY = np.array([[[1.0, 0.0], [0.0, 2.0], [5.0, 5.0]]], "float32")
VISIBLE = np.array([[True, True, False]])
QUERY = np.array([[[1.0, 1.0]]], "float32")


def layer(score: str, **weights: list[list[float]]) -> Alignment:
    made = Alignment(score, 2)
    made.build((None, None, 2))
    for name, values in weights.items():
        getattr(made, name).kernel.assign(np.array(values, "float32"))
    return made


def softmax(scores: list[float]) -> np.ndarray:
    powers = np.exp(scores)
    return powers / powers.sum()


def test_bilinear_by_hand() -> None:
    # The rows of the memory times W are (1, 2) and (6, 8): with (1, 1) they score 3 and 14.
    made = layer("bilinear", memory_projection=[[1, 2], [3, 4]])
    context, weights = made(QUERY, made.keys(MEMORY), MEMORY, VISIBLE)
    expected = softmax([3.0, 14.0])
    np.testing.assert_allclose(weights[0, 0], [*expected, 0], atol=1e-6)
    np.testing.assert_allclose(context[0, 0], expected @ MEMORY[0, :2], rtol=1e-5)


def test_additive_by_hand() -> None:
    made = layer(
        "additive", memory_projection=[[1, 0], [0, 1]], query_projection=[[0.5, 0], [0, -1]], direction=[[1], [2]]
    )
    context, weights = made(QUERY, made.keys(MEMORY), MEMORY, VISIBLE)
    # tanh of (0.5, -1) + (1, 0) and of (0.5, -1) + (0, 2), read by (1, 2).
    scores = [np.tanh(1.5) + 2 * np.tanh(-1.0), np.tanh(0.5) + 2 * np.tanh(1.0)]
    expected = softmax(scores)
    np.testing.assert_allclose(weights[0, 0], [*expected, 0], atol=1e-6)
    np.testing.assert_allclose(context[0, 0], expected @ MEMORY[0, :2], rtol=1e-5)


@pytest.mark.parametrize("score", ["bilinear", "additive"])
def test_padding_is_not_read(score: str) -> None:
    made = Alignment(score, 2)
    made.build((None, None, 2))
    query = np.random.default_rng(0).normal(size=(1, 4, 2)).astype("float32")
    one = made(query, made.keys(MEMORY), MEMORY, VISIBLE)
    other = MEMORY.copy()
    other[0, 2] = -9
    for first, second in zip(one, made(query, made.keys(other), other, VISIBLE), strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(np.sum(one[1], axis=-1), 1, rtol=1e-6)


def test_another_score_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^score='dot': expected one of bilinear, additive$"):
        Alignment("dot", 2)
