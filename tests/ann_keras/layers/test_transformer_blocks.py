"""What a block may see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ann_keras.layers.transformer_blocks import DecoderBlock, EncoderBlock


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


VISIBLE = np.array([[True, True, True, False]])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_an_encoder_does_not_see_padding(norm: str) -> None:
    block = EncoderBlock(8, 2, 16, 0.1, norm)
    x = noise(1, 4, 8)
    other = x.copy()
    other[0, 3] *= -3
    one, two = (np.asarray(block(values, visible=VISIBLE)) for values in (x, other))
    np.testing.assert_allclose(one[0, :3], two[0, :3], atol=1e-6)
    other[0, 2] *= -3
    assert np.abs(np.asarray(block(other, visible=VISIBLE))[0, 0] - one[0, 0]).max() > 1e-3


def decoded(block: DecoderBlock, x: np.ndarray, memory: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    output, weights = block(x, *block.cross_attention.project(memory), VISIBLE)
    return np.asarray(output), np.asarray(weights)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_decoder_sees_neither_the_future_nor_padding(norm: str) -> None:
    block = DecoderBlock(8, 2, 16, 0.1, norm)
    block.build((None, None, 8))
    x, memory = noise(1, 5, 8), noise(1, 4, 8, seed=1)
    output, weights = decoded(block, x, memory)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert not weights[..., 3].any()
    later, padding = x.copy(), memory.copy()
    later[0, 3] *= -3
    padding[0, 3] *= -3
    changed, _ = decoded(block, later, padding)
    np.testing.assert_allclose(changed[0, :3], output[0, :3], atol=1e-6)
    assert np.abs(changed[0, 3:] - output[0, 3:]).max(axis=-1).min() > 1e-3


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_steps_are_the_whole(norm: str) -> None:
    block = DecoderBlock(8, 2, 16, 0.1, norm)
    block.build((None, None, 8))
    x, memory = noise(1, 5, 8), noise(1, 4, 8, seed=1)
    expected, attention = decoded(block, x, memory)
    keys, values = block.cross_attention.project(memory)
    caches: Any = block.attention.caches(1, 6)
    for position in range(5):
        output, weights, caches = block.step(x[:, position], position, (keys, values, VISIBLE), caches)
        np.testing.assert_allclose(output, expected[:, position], atol=1e-5)
        np.testing.assert_allclose(weights, attention[:, :, position], atol=1e-5)
