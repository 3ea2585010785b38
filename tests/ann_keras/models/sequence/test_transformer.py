"""What the Transformer claims: one position at a time as all at once, blind to padding, embeddings that are one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import decoding, settings
from ann_keras.models.sequence import transformer
from ann_keras.task import Feature

VOCABULARY = 20
SMALL = transformer.Config(width=16, depth=2, heads=4, feed_forward=32, longest=9)


def build(**overrides: Any) -> keras.Model:
    (config,) = settings.apply([SMALL], overrides)
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target_input")}
    return transformer.build(config, inputs, Feature("logits", "tensor", (None, VOCABULARY)))


def batch() -> dict[str, np.ndarray]:
    """Three sentences of 3 to 5 and 4 to 6 tokens."""
    random = np.random.default_rng(0)
    source, target = (random.integers(4, VOCABULARY, (3, length)).astype("int32") for length in (5, 6))
    for row in range(3):
        source[row, 5 - row :], target[row, 6 - row :] = 0, 0
    target[:, 0] = 2
    return {"source": source, "target_input": target}


def stepped(model: keras.Model, given: dict[str, np.ndarray], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits [b, T, V] and attention [b, heads, T, S] of the target read token by token."""
    decoder = model.get_layer("decoder")
    constants, state = decoder.begin(decoding.encoder_of(model)(given["source"]), steps)
    logits, attention = [], []
    for position in range(given["target_input"].shape[1]):
        told, weights, state = decoder.step(given["target_input"][:, position], position, constants, state)
        logits.append(told)
        attention.append(weights)
    return np.stack(logits, 1), np.stack(attention, 2)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param({}, id="default"),
        pytest.param({"tie": "all"}, id="all", marks=pytest.mark.slow),
        pytest.param({"tie": "none"}, id="none", marks=pytest.mark.slow),
        pytest.param({"norm": "post", "positions": "learned"}, id="post", marks=pytest.mark.slow),
    ],
)
def test_steps_and_files_give_what_teacher_forcing_gives(overrides: dict[str, str], tmp_path: Path) -> None:
    model, given = build(**overrides), batch()
    expected = model(given, training=False)
    logits, attention = stepped(model, given, steps=9)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    memory = decoding.encoder_of(model)(given["source"])
    attended = np.asarray(model.get_layer("decoder").attend([given["target_input"], *memory]))
    np.testing.assert_allclose(attention, attended, atol=1e-5)
    np.testing.assert_allclose(attended.sum(-1), 1, atol=1e-5)
    assert not attended[1, :, :, 4:].any() and not attended[2, :, :, 3:].any()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(given, training=False), expected)
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


def test_padding_and_later_tokens_change_nothing() -> None:
    model, given = build(), batch()
    expected = np.asarray(model(given, training=False))
    wider = {name: np.pad(ids, ((0, 0), (0, 3))) for name, ids in given.items()}
    np.testing.assert_allclose(np.asarray(model(wider, training=False))[:, :6], expected, atol=1e-5)
    later = {**given, "target_input": given["target_input"].copy()}
    later["target_input"][:, 4] = 7
    changed = np.abs(np.asarray(model(later, training=False)) - expected).max(axis=-1)
    assert changed[:, :4].max() < 1e-5 < 1e-3 < changed[0, 4:].min()


def test_ties_share_matrices() -> None:
    matrix = VOCABULARY * SMALL.width
    count = {tie: build(tie=tie).count_params() for tie in ("none", "target", "all")}
    assert count["none"] - count["target"] == count["target"] - count["all"] == matrix
    model = build(tie="all")
    assert model.get_layer("decoder").embedding is model.get_layer("embedding")
    given = batch()
    before = np.asarray(model(given, training=False))
    table = model.get_layer("embedding").table
    table.assign(np.random.default_rng(1).normal(size=table.shape))
    assert np.abs(np.asarray(model(given, training=False)) - before).max() > 1e-2


@pytest.mark.slow
def test_a_searched_sentence_has_the_probability_of_teacher_forcing() -> None:
    model, given = build(), batch()
    decoder, memory = model.get_layer("decoder"), decoding.encoder_of(model)(given["source"])
    found = tf.function(lambda: decoding.beam_search(decoder, memory, 5, beam=3))()
    tokens = found.tokens.numpy()[:, 0]
    told = {**given, "target_input": np.concatenate([np.full((3, 1), 2), tokens[:, :-1]], 1).astype("int32")}
    logs = np.asarray(keras.ops.log_softmax(model(told, training=False)))
    each = np.take_along_axis(logs, tokens[..., None], 2)[..., 0] * (tokens != 0)
    np.testing.assert_allclose(found.scores[:, 0], each.sum(1), atol=1e-4)


def test_learned_positions_end() -> None:
    model, given = build(positions="learned"), batch()
    decoder, memory = model.get_layer("decoder"), decoding.encoder_of(model)(given["source"])
    with pytest.raises(ValueError, match="a sequence of 10 tokens: expected at most longest=9, those learned"):
        decoder.begin(memory, 10)


def test_an_impossible_width_is_refused() -> None:
    with pytest.raises(ValueError, match="heads=4: expected a divisor of the width, 18"):
        build(width=18)
    with pytest.raises(ValueError, match="width=15: expected an even number"):
        build(width=15, heads=3)


@pytest.mark.slow
def test_half_precision_writes_too() -> None:
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = build()
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    given = batch()
    expected = model(given, training=False)
    assert keras.backend.standardize_dtype(expected.dtype) == "float32"
    logits, _ = stepped(model, given, steps=6)
    np.testing.assert_allclose(logits, expected, atol=0.05)
    decoder, memory = model.get_layer("decoder"), decoding.encoder_of(model)(given["source"])
    assert np.isfinite(tf.function(lambda: decoding.greedy(decoder, memory, 5))().scores).all()


def test_config_round_trips() -> None:
    decoder = build(norm="post").get_layer("decoder")
    again = transformer.TransformerDecoder.from_config(decoder.get_config())
    assert again.get_config() == decoder.get_config()
    assert again.settings == dataclasses.asdict(dataclasses.replace(SMALL, norm="post"))
