"""A matrix that reads tokens and tells them."""

from __future__ import annotations

import numpy as np

from ann_keras.layers.token_embedding import TokenEmbedding


def test_rows_are_scaled_and_logits_are_not() -> None:
    layer = TokenEmbedding(3, 4)
    layer.build()
    table = np.array([[1.0, 0, 0, 0], [0, 1, 2, 0], [3, 0, 0, 1]])
    layer.set_weights([table])
    np.testing.assert_array_equal(layer(np.array([[2, 1]])), [[[6, 0, 0, 2], [0, 2, 4, 0]]])
    x = np.array([[[1.0, 1, 1, 1], [0, 0, 5, 0]]])
    np.testing.assert_array_equal(layer.logits(x), [[[1, 3, 4], [0, 10, 0]]])


def test_tokens_start_with_the_variance_of_one() -> None:
    vectors = np.asarray(TokenEmbedding(500, 64)(np.arange(500)))
    assert abs(vectors.std() - 1) < 0.02
