"""Sequence to sequence: what it binds to, and its functions against values worked out by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import settings, text
from ann_keras.data import Constants
from ann_keras.models.sequence import transformer
from ann_keras.task import Feature, Task
from ann_keras.tasks import sequence_to_sequence
from ann_keras.tasks.sequence_to_sequence import Config, ask, bind, check, missing_roles, postprocess

FEATURES = {"source": Feature("source", "text"), "target": Feature("target", "text")}
PIECES = [*text.SPECIALS, "▁a", "##b", "▁c"]
CONSTANTS = Constants(
    {
        f"{side}_vocabulary": np.array([piece.encode() for piece in PIECES], object)
        for side in ("source", "target", "joint")
    }
)


def bound(**overrides: Any) -> Task:
    (config,) = settings.apply([Config()], {"max_length": 6, "vocabulary": 9, "beam": 2, "best": 2, **overrides})
    return bind(FEATURES, config)


def prepared(task: Task, source: list[str], target: list[str] | None = None) -> dict[str, tf.Tensor]:
    raw = {"source": tf.constant(source)} | ({} if target is None else {"target": tf.constant(target)})
    return dict(task.preprocess(raw, CONSTANTS))


def tiny(task: Task) -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = {
        feature.name: keras.Input(feature.shape, dtype=feature.dtype, name=feature.name) for feature in task.inputs
    }
    return transformer.build(transformer.TINY, inputs, task.outputs)


def test_missing_roles_are_named_with_their_kinds() -> None:
    assert missing_roles(FEATURES) == []
    assert missing_roles({"source": FEATURES["source"], "target": Feature("target", "label")}) == ["target (text)"]


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^best=5: expected at most beam=2$"):
        bound(best=5)
    with pytest.raises(ValueError, match="joint=true"):
        check(transformer, Config(), transformer.Config(tie="all"))
    check(transformer, Config(joint=True), transformer.Config(tie="all"))
    with pytest.raises(
        ValueError, match=r"^max_length=64: expected at most longest=9, the positions that are learned$"
    ):
        check(transformer, Config(), transformer.Config(positions="learned", longest=9))


def test_ids_by_hand() -> None:
    found = prepared(bound(), ["ab c", ""], ["c", "a x"])
    assert found["source"].numpy().tolist() == [[4, 5, 6, 3, 0, 0], [3, 0, 0, 0, 0, 0]]
    assert found["target_input"].numpy().tolist() == [[2, 6, 0, 0, 0, 0], [2, 4, 1, 0, 0, 0]]
    assert found["target"].numpy().tolist() == [[6, 3, 0, 0, 0, 0], [4, 1, 3, 0, 0, 0]]
    assert found["reference"].numpy().tolist() == [b"c", b"a x"]
    assert found["source_length"].numpy().tolist() == [b"01-04 words"] * 2


def test_what_is_too_long_is_cut() -> None:
    found = prepared(bound(), ["a " * 10_000], ["c " * 10_000])
    assert found["source"].numpy().tolist() == [[4, 4, 4, 4, 4, 3]]
    assert found["target_input"].numpy().tolist() == [[2, 6, 6, 6, 6, 6]]
    # Cut without an end: the model shall not learn to stop there.
    assert found["target"].numpy().tolist() == [[6] * 6]


def test_a_server_is_told_no_target() -> None:
    found = prepared(bound(), ["a"])
    assert set(found) == {"source", "source_text", "source_length", "source_vocabulary", "target_vocabulary"}
    whole = prepared(bound(), ["a"], ["c"])
    for name, value in found.items():
        assert whole[name].numpy().tolist() == value.numpy().tolist()
    first, second = prepared(bound(), ["a", "c"])["target_vocabulary"].numpy()
    assert first.decode("utf-8").split("\n") == PIECES and second == b""


def test_small_letters_are_read_and_references_stay() -> None:
    found = prepared(bound(lowercase=True), ["A"], ["C"])
    assert found["source"].numpy()[0, 0] == 4 and found["target"].numpy()[0, 0] == 6
    assert found["reference"].numpy().tolist() == [b"C"]


def test_the_answer_by_hand() -> None:
    outputs = {
        "source": tf.constant([[4, 5, 3], [3, 0, 0]]),
        "tokens": tf.constant([[[6, 4, 5, 3], [6, 3, 0, 0]], [[4, 3, 0, 0], [3, 0, 0, 0]]]),
        "scores": tf.constant([[-0.5, -1.0], [-2.0, -3.0]]),
        "lengths": tf.constant([[4, 2], [2, 1]]),
        "alignment": tf.zeros([2, 4, 3]),
    }
    answers = postprocess(outputs, prepared(bound(), ["ab", ""]))
    found = {name: value.numpy().tolist() for name, value in answers.items()}
    assert found["translation"] == [b"c ab", b""]
    # Of nothing no translation is made up.
    assert found["candidates"] == [[b"c ab", b"c"], [b"", b""]]
    assert found["tokens"] == [["▁c".encode(), "▁a".encode(), b"##b", b"<eos>"], ["▁a".encode(), b"<eos>", b"", b""]]
    assert found["source_tokens"] == [["▁a".encode(), b"##b", b"<eos>"], [b"<eos>", b"", b""]]
    assert "log_likelihood" not in found


@pytest.mark.parametrize("beam", [1, 2])
def test_asking_searches_and_judges_the_reference(beam: int) -> None:
    task = bound(beam=beam)
    model, batch = tiny(task), prepared(task, ["ab c", "c"], ["c c", "a"])
    (config,) = settings.apply([Config()], {"max_length": 6, "vocabulary": 9, "beam": beam, "best": 2})
    found = ask(model, batch, config=config)
    assert found["tokens"].shape[1] == beam
    np.testing.assert_allclose(np.sum(found["alignment"], -1)[:, 0], 1, rtol=1e-5)
    told = {name: tf.cast(batch[name], tf.int32) for name in ("source", "target_input")}
    likely = tf.nn.log_softmax(model(told)).numpy()
    by_hand = [likely[0, 0, 6] + likely[0, 1, 6] + likely[0, 2, 3], likely[1, 0, 4] + likely[1, 1, 3]]
    np.testing.assert_allclose(found["log_likelihood"], by_hand, rtol=1e-4)
    assert "log_likelihood" not in ask(model, prepared(task, ["ab c"]), config=config)


def test_a_sentence_is_answered_alone_as_among_others() -> None:
    task = bound()
    model = tiny(task)
    together = task.answer(model, prepared(task, ["ab c", "a", "c c c"]))
    alone = task.answer(model, prepared(task, ["a"]))
    assert alone["translation"].numpy()[0] == together["translation"].numpy()[1]
    np.testing.assert_allclose(alone["scores"][0], together["scores"][1], rtol=1e-4)


def test_metrics_are_named() -> None:
    assert bound().evaluation.metrics[0].name == "bleu"
    assert sequence_to_sequence.compile_args(smoothing=0.1)["loss"].smoothing == 0.1
