"""Attention by hand, beside Keras's own, and one position at a time."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from ann_keras.layers.attention import MultiHeadAttention, scaled_dot_product


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_scaled_dot_product_by_hand() -> None:
    # d_k = 4: scores 2 log 3 / 2 = log 3 and 0, so weights 3/4 and 1/4.
    query = np.array([[[2.0, 0, 0, 0]]], "float32")
    key = np.array([[[math.log(3), 0, 0, 0], [0, 1, 0, 0]]], "float32")
    value = np.array([[[4.0, 8.0], [0.0, -8.0]]], "float32")
    output, weights = scaled_dot_product(query, key, value)
    np.testing.assert_allclose(weights, [[[0.75, 0.25]]], atol=1e-6)
    np.testing.assert_allclose(output, [[[3.0, 4.0]]], atol=1e-6)


def test_a_mask_hides_keys_and_a_row_that_sees_nothing_is_zero() -> None:
    query, key = np.ones((1, 3, 4), "float32"), 50 * noise(1, 3, 4)
    value = np.array([[[1.0], [2.0], [4.0]]], "float32")
    mask = np.array([[[False, True, False], [False, False, False], [True, False, False]]])
    output, weights = scaled_dot_product(query, key, value, mask)
    np.testing.assert_array_equal(weights, [[[0, 1, 0], [0, 0, 0], [1, 0, 0]]])
    np.testing.assert_array_equal(output, [[[2], [0], [1]]])


def test_half_precision_hides_too() -> None:
    one = np.ones((1, 2, 4), "float16")
    _, weights = scaled_dot_product(one, one, one, np.array([[[True, False], [False, False]]]))
    np.testing.assert_array_equal(weights, [[[1, 0], [0, 0]]])


def of_keras(ours: MultiHeadAttention) -> keras.layers.MultiHeadAttention:
    """Keras's layer with the same weights."""
    units = ours.width // ours.heads
    theirs = keras.layers.MultiHeadAttention(ours.heads, units, use_bias=False)
    theirs.build((None, None, ours.width), (None, None, ours.width))
    query, key, value, output = (ops.convert_to_numpy(weight) for weight in ours.weights)
    parted = [kernel.reshape(ours.width, ours.heads, units) for kernel in (query, key, value)]
    theirs.set_weights([*parted, output.reshape(ours.heads, units, ours.width)])
    return theirs


@pytest.mark.parametrize("heads", [1, 4])
def test_agrees_with_keras(heads: int) -> None:
    ours = MultiHeadAttention(16, heads)
    ours.build((None, None, 16))
    theirs = of_keras(ours)
    x, memory = noise(3, 5, 16), noise(3, 7, 16, seed=1)
    padding = np.arange(7) < np.array([[7], [4], [1]])
    causal = np.tril(np.ones((5, 5), bool))
    np.testing.assert_allclose(ours(x), theirs(x, x), atol=1e-5)
    np.testing.assert_allclose(ours(x, visible=causal), theirs(x, x, use_causal_mask=True), atol=1e-5)
    output, weights = ours.attend(x, *ours.project(memory), visible=padding[:, None, None])
    expected = theirs(x, memory, attention_mask=padding[:, None], return_attention_scores=True)
    np.testing.assert_allclose(output, expected[0], atol=1e-5)
    np.testing.assert_allclose(weights, expected[1], atol=1e-5)
    np.testing.assert_array_equal(ours(x, memory, visible=padding[:, None, None]), output)


def test_gradients_agree_with_keras() -> None:
    import tensorflow as tf

    ours = MultiHeadAttention(8, 2)
    ours.build((None, None, 8))
    theirs = of_keras(ours)
    x = tf.constant(noise(2, 4, 8))
    mask = np.array([[True, True, True, False], [False] * 4])
    gradients = []
    for layer, arguments in (
        (ours, {"visible": mask[:, None, None]}),
        (theirs, {"value": x, "attention_mask": mask[:, None]}),
    ):
        with tf.GradientTape() as tape:
            # Keras answers a row that sees nothing otherwise: only the first example counts.
            loss = tf.reduce_sum(layer(x, **arguments)[:1] ** 2)
        gradients.append([np.reshape(gradient, (8, 8)) for gradient in tape.gradient(loss, layer.trainable_weights)])
    for one, other in zip(*gradients, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_positions_one_by_one_are_those_at_once() -> None:
    layer = MultiHeadAttention(8, 2)
    layer.build((None, None, 8))
    x = noise(3, 6, 8)
    expected = np.asarray(layer(x, visible=np.tril(np.ones((6, 6), bool))))
    caches: list[Any] = layer.caches(3, 9)
    for position in range(6):
        output, *caches = layer.step(x[:, position], position, *caches)
        np.testing.assert_allclose(output, expected[:, position], atol=1e-5)
    keys, values = layer.project(x)
    for cache, whole in zip(caches, (keys, values), strict=True):
        np.testing.assert_allclose(cache[:, :, :6], whole, atol=1e-5)
        assert not np.any(cache[:, :, 6:])


def test_dropout_of_weights_in_training_alone() -> None:
    layer = MultiHeadAttention(8, 2, dropout=0.5)
    x = noise(4, 6, 8)
    still = np.asarray(layer(x))
    np.testing.assert_array_equal(layer(x, training=False), still)
    assert np.abs(np.asarray(layer(x, training=True)) - still).max() > 1e-3


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="heads=3: expected a divisor of the width, 8"):
        MultiHeadAttention(8, 3)
