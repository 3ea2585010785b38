"""Networks at every position, and what stands around them."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.layers.positionwise import FeedForward, PositionwiseDense, Residual


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 4), (2, 3, 5, 4)], ids=str)
def test_dense_is_that_of_keras(shape: tuple[int, ...]) -> None:
    x = noise(2, *shape)
    layer = PositionwiseDense(6, activation="tanh", bias_initializer="ones")
    output = layer(x)
    theirs = keras.layers.Dense(6, activation="tanh")
    theirs.build(x.shape)
    theirs.set_weights(layer.get_weights())
    np.testing.assert_allclose(output, theirs(x), atol=1e-6)


def test_feed_forward_by_hand() -> None:
    layer = FeedForward(3)
    layer.build((None, 2))
    inner, outer = np.array([[1.0, 0, -1], [0, 1, 0]]), np.array([[1.0, 0], [2, 0], [0, 3]])
    layer.set_weights([inner, np.array([0.0, 0, 1]), outer, np.array([0.5, 0])])
    # x = (2, -1): inner (2, -1, -1) -> (2, 0, 0) -> (2.5, 0). x = (-3, 1): (-3, 1, 4) -> (0, 1, 4) -> (2.5, 12).
    np.testing.assert_allclose(layer(np.array([[2.0, -1], [-3, 1]])), [[2.5, 0], [2.5, 12]])


def test_normalisation_before_and_after_by_hand() -> None:
    x, answer = np.array([[1.0, 3.0]]), np.array([[10.0, 0.0]])
    before, after = Residual("pre", 0.0), Residual("post", 0.0)
    for layer in (before, after):
        layer.build((None, 2))
    # Of two numbers the normalised ones are -1 and 1.
    np.testing.assert_allclose(before.enter(x), [[-1, 1]], atol=1e-5)
    np.testing.assert_array_equal(before(x, answer), [[11, 3]])
    np.testing.assert_array_equal(after.enter(x), x)
    np.testing.assert_allclose(after(x, answer), [[1, -1]], atol=1e-5)


def test_what_is_added_is_dropped_and_the_path_is_not() -> None:
    layer = Residual("pre", 0.5)
    output = np.asarray(layer(np.full((50, 4), 3.0), np.ones((50, 4)), training=True))
    assert set(np.unique(output)) == {3.0, 5.0}


def test_another_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="norm='rms': expected pre or post"):
        Residual("rms", 0.0)
