"""The recurrent translators: a step says what teacher forcing says, padding nothing, and own tokens are fed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import decoding, settings
from ann_keras.models.sequence import seq2seq, seq2seq_attention
from ann_keras.task import Feature

VOCABULARY = 11
SOURCE = np.array([[4, 5, 6, 3], [7, 3, 0, 0]], np.int32)
TARGET = np.array([[2, 8, 9, 4, 5], [2, 6, 7, 8, 9]], np.int32)

VARIANTS: list[tuple[ModuleType, dict[str, Any]]] = [
    (seq2seq, {"depth": 2}),
    (seq2seq, {"cell": "gru", "bidirectional": False, "reverse": True, "tie": "none"}),
    (seq2seq_attention, {}),
    (seq2seq_attention, {"score": "additive", "cell": "gru", "depth": 2}),
    (seq2seq_attention, {"feeding": False, "reverse": True}),
]
QUICK = (0, 2)
"""The places of those that the fast tests take."""
every_variant = pytest.mark.parametrize(
    ("module", "overrides"),
    [
        pytest.param(
            module,
            overrides,
            id=f"{module.__name__.rsplit('.', 1)[1]}-{overrides}",
            marks=() if place in QUICK else pytest.mark.slow,
        )
        for place, (module, overrides) in enumerate(VARIANTS)
    ],
)


def built(module: ModuleType, **overrides: Any) -> keras.Model:
    keras.utils.set_random_seed(1)
    (config,) = settings.apply([module.TINY], {"width": 8, **overrides})
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target_input")}
    model: keras.Model = module.build(config, inputs, Feature("logits", "tensor", (None, VOCABULARY)))
    return model


@every_variant
def test_steps_are_teacher_forcing(module: ModuleType, overrides: dict[str, Any]) -> None:
    model = built(module, **overrides)
    decoder, memory = model.get_layer("decoder"), decoding.encoder_of(model)(SOURCE)
    whole = model({"source": SOURCE, "target_input": TARGET})
    aligned = decoder.attend([TARGET, *memory])
    assert whole.shape == (2, 5, VOCABULARY) and aligned.shape == (2, 1, 5, 4)
    np.testing.assert_allclose(np.sum(aligned, -1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(aligned)[1, :, :, 2:], 0, atol=1e-6)
    constants, state = decoder.begin(memory, 5)
    for place in range(5):
        logits, weights, after = decoder.step(TARGET[:, place], place, constants, state)
        np.testing.assert_allclose(logits, whole[:, place], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(weights, aligned[:, :, place], rtol=1e-4, atol=1e-5)
        assert [one.shape for one in after] == [one.shape for one in state]
        state = after


@every_variant
def test_padding_of_the_source_says_nothing(module: ModuleType, overrides: dict[str, Any]) -> None:
    model = built(module, **overrides)
    among = model({"source": SOURCE, "target_input": TARGET})
    alone = model({"source": SOURCE[1:, :2], "target_input": TARGET[1:]})
    np.testing.assert_allclose(among[1:], alone, rtol=1e-4, atol=1e-5)


@every_variant
def test_a_keras_file_answers_the_same(module: ModuleType, overrides: dict[str, Any], tmp_path: Path) -> None:
    model = built(module, **overrides)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    given = {"source": SOURCE, "target_input": TARGET}
    np.testing.assert_allclose(again(given), model(given), rtol=1e-6)


def test_attention_vector_by_hand() -> None:
    """a_t = tanh(W_c [c_t; h_t]), fed to the next step (Luong et al. 2015, eq. 5 and section 3.3)."""
    model = built(seq2seq_attention)
    decoder, memory = model.get_layer("decoder"), decoding.encoder_of(model)(SOURCE)
    (visible, encoded, keys), state = decoder.begin(memory, 2)
    np.testing.assert_array_equal(state[-1], 0)
    _, weights, after = decoder.step(TARGET[:, 0], 0, [visible, encoded, keys], state)
    context = np.einsum("bs,bsm->bm", np.asarray(weights)[:, 0], encoded)
    said = np.tanh(np.concatenate([context, after[0]], 1) @ np.asarray(decoder.combination.kernel))
    np.testing.assert_allclose(after[-1], said, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("module", [seq2seq, seq2seq_attention])
def test_sampling_always_feeds_its_own_tokens(module: ModuleType) -> None:
    model = built(module, sampling=1.0)
    given = {"source": SOURCE, "target_input": TARGET}

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32)] * 2)  # of any length, as a fit has it
    def train(source: Any, target: Any) -> Any:
        return model({"source": source, "target_input": target}, training=True)

    trained = np.asarray(train(SOURCE, TARGET))
    token = TARGET[:, 0]
    decoder, memory = model.get_layer("decoder"), decoding.encoder_of(model)(SOURCE)
    constants, state = decoder.begin(memory, 5)
    for place in range(5):
        logits, _, state = decoder.step(token, place, constants, state)
        np.testing.assert_allclose(trained[:, place], logits, rtol=1e-4, atol=1e-5)
        token = np.argmax(logits, axis=-1).astype("int32")
    # Told nothing but the start, it cannot depend on what it was to be told.
    np.testing.assert_array_equal(trained, train(SOURCE, np.where(TARGET == 2, 2, 10).astype("int32")))
    plain = np.asarray(model(given, training=False))
    assert np.abs(plain - trained).max() > 1e-3


def test_dropout_leaves_out_the_same_units_everywhere_and_only_in_training() -> None:
    model = built(seq2seq_attention, dropout=0.5, depth=2)
    given = {"source": SOURCE, "target_input": TARGET}
    np.testing.assert_array_equal(model(given, training=False), model(given, training=False))
    assert np.abs(np.asarray(model(given, training=True)) - np.asarray(model(given, training=True))).max() > 1e-3


def test_an_odd_width_cannot_read_both_ways() -> None:
    with pytest.raises(ValueError, match=r"^width=9: expected an even number, a half for each direction$"):
        built(seq2seq, width=9)
