"""Searches against all sequences there are, on decoders whose every probability hangs on the whole history."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from ann_keras.decoding import Decoded, beam_search, encoder_of, greedy
from ann_keras.layers.step_decoder import StepDecoder
from ann_keras.text import EOS, PAD, SOS

V, STEPS = 6, 4
NODES = sum(V**depth for depth in range(STEPS))
WIDE = 3**STEPS
"""As many as there are sequences of the three tokens that do not end one."""
SEEDS = st.integers(0, 2**32 - 1)
PENALTIES = st.sampled_from([0.0, 0.6, 1.0, 3.0])


@keras.saving.register_keras_serializable("tests")
class TreeDecoder(StepDecoder):
    """Looks the logits up in a tree with a node for each history; its state is the node.

    The memory: the logits of each sentence float32 [b, NODES, V], the mask bool [b, S].
    """

    heads = 2

    def begin(self, memory: list[Any], steps: Any) -> tuple[list[Any], list[Any]]:
        return list(memory), [ops.zeros((ops.shape(memory[0])[0], 1), "int32")]

    def step(self, token: Any, position: Any, constants: list[Any], state: list[Any]) -> tuple[Any, Any, list[Any]]:
        tree, mask = constants
        node = ops.where(position == 0, 0, state[0] * V + token[:, None] + 1)
        logits = ops.take_along_axis(tree, node[:, :, None], axis=1)[:, 0]
        return logits, self.look(node, mask)[:, :, 0], [node]

    def look(self, nodes: Any, mask: Any) -> Any:
        """Attention [b, heads, T, S] that tells from which of the nodes [b, T] it comes."""
        turns = ops.cast(nodes, "float32")[:, None, :, None] * ops.reshape(
            ops.arange(1.0, 1.0 + self.heads), (-1, 1, 1)
        )
        seen = ops.cos(turns * ops.cast(ops.arange(ops.shape(mask)[1]), "float32"))
        return ops.softmax(ops.where(mask[:, None, None], seen, -1e9))

    def nodes(self, target: Any) -> Any:
        """The node of each position, int32 [b, T]."""
        place = ops.arange(ops.shape(target)[1])
        behind = place[:, None] - place
        powers = ops.where(behind >= 0, V ** ops.maximum(behind, 0), 0)
        return ops.sum(powers * ops.where(place > 0, target + 1, 0)[:, None], axis=-1)

    def call(self, inputs: list[Any], training: bool | None = None) -> Any:
        target, tree, _ = inputs
        return ops.take_along_axis(tree, self.nodes(target)[:, :, None], axis=1)

    def attend(self, inputs: list[Any]) -> Any:
        target, _, mask = inputs
        return self.look(self.nodes(target), mask)


@keras.saving.register_keras_serializable("tests")
class TreeEncoder(keras.layers.Layer):
    """A tree of logits for each source: the sum of its tokens' trees."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.trees = self.add_weight((9, NODES, V), keras.initializers.RandomNormal(0, 2, seed=1), name="trees")

    def call(self, source: Any) -> Any:
        mask = source != PAD
        each = ops.take(self.trees, source, axis=0) * ops.cast(mask, "float32")[:, :, None, None]
        return ops.sum(each, axis=1), mask

    def compute_output_spec(self, source: Any) -> Any:
        return keras.KerasTensor((None, NODES, V)), keras.KerasTensor(source.shape, "bool")


def tree_model() -> keras.Model:
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target_input")}
    memory = TreeEncoder(name="encoder")(inputs["source"])
    return keras.Model(inputs, TreeDecoder(name="decoder")([inputs["target_input"], *memory]))


def trees(seed: int, batch: int = 2, source: int = 3) -> list[Any]:
    """A random memory; the second sentence has one token less."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.choice([0.1, 1, 4]), (batch, NODES, V))
    mask = np.arange(source) < source - np.arange(batch)[:, None]
    return [ops.convert_to_tensor(logits.astype("float32")), ops.convert_to_tensor(mask)]


def arrays(found: Decoded) -> Decoded:
    return Decoded(*(np.array(part) for part in found))


def every(tree: np.ndarray, penalty: float) -> Iterator[tuple[float, list[int]]]:
    """All sequences of one sentence with their scores: ended, or of STEPS tokens."""
    tree = tree.astype("float64")
    logs = tree - np.log(np.exp(tree).sum(-1, keepdims=True))
    for length in range(1, STEPS + 1):
        for body in itertools.product([1, 4, 5], repeat=length - 1):
            for last in (1, EOS, 4, 5) if length == STEPS else (EOS,):
                node, total = 0, 0.0
                for token in (*body, last):
                    total += logs[node, token] if node < NODES else 0.0
                    node = node * V + token + 1
                yield total / ((5 + length) / 6) ** penalty, [*body, last]


def sequences(found: Decoded, sentence: int) -> list[list[int]]:
    return [row[:length].tolist() for row, length in zip(found.tokens[sentence], found.lengths[sentence], strict=True)]


def test_there_are_as_many_sequences_as_there_should_be() -> None:
    assert len({tuple(tokens) for _, tokens in every(np.zeros((NODES, V)), 0)}) == 1 + 3 + 9 + 27 * 4


@settings(max_examples=5)
@given(SEEDS, PENALTIES)
def test_a_wide_beam_is_exhaustive(seed: int, penalty: float) -> None:
    memory, best = trees(seed), 5
    found = arrays(beam_search(TreeDecoder(), memory, STEPS, WIDE, penalty, best))
    for sentence in range(2):
        ranked = sorted(every(np.array(memory[0][sentence]), penalty), reverse=True)[:best]
        assert sequences(found, sentence) == [tokens for _, tokens in ranked]
        np.testing.assert_allclose(found.scores[sentence], [score for score, _ in ranked], rtol=1e-4, atol=1e-5)


@settings(max_examples=5)
@given(SEEDS, st.integers(1, 4), PENALTIES)
def test_the_best_are_sorted_distinct_and_what_teacher_forcing_says(seed: int, beam: int, penalty: float) -> None:
    decoder, memory = TreeDecoder(), trees(seed)
    found = arrays(beam_search(decoder, memory, STEPS, beam, penalty, beam))
    assert (np.diff(found.scores) <= 0).all()
    for sentence in range(2):
        mine = sequences(found, sentence)
        assert len({tuple(tokens) for tokens in mine}) == beam
        known = {tuple(tokens): score for score, tokens in every(np.array(memory[0][sentence]), penalty)}
        np.testing.assert_allclose(found.scores[sentence], [known[tuple(row)] for row in mine], rtol=1e-4, atol=1e-5)
        for row, attention in zip(mine, found.attention[sentence], strict=True):
            one = [part[sentence : sentence + 1] for part in memory]
            told = decoder.attend([ops.convert_to_tensor([[SOS, *row[:-1]]], "int32"), *one])
            np.testing.assert_allclose(attention[:, : len(row)], np.array(told)[0], atol=1e-5)
            assert (attention[:, len(row) :] == 0).all()
    assert (found.tokens[np.arange(STEPS) >= found.lengths[..., None]] == PAD).all()


@settings(max_examples=5)
@given(SEEDS)
def test_greedy_is_a_beam_of_one_without_penalty(seed: int) -> None:
    memory = trees(seed)
    for mine, other in zip(
        greedy(TreeDecoder(), memory, STEPS), beam_search(TreeDecoder(), memory, STEPS, 1), strict=True
    ):
        np.testing.assert_allclose(mine, other, atol=1e-5)


@settings(max_examples=5)
@given(SEEDS, st.integers(1, 3), PENALTIES)
def test_an_early_stop_changes_nothing(seed: int, beam: int, penalty: float) -> None:
    memory = trees(seed)
    for sentence in range(2):
        one = np.array(memory[0][sentence])
        assert arrays(
            beam_search(TreeDecoder(), [part[sentence : sentence + 1] for part in memory], STEPS, beam, penalty)
        ).scores[0, 0] == pytest.approx(by_hand(one, beam, penalty), rel=1e-4, abs=1e-5)


def by_hand(tree: np.ndarray, beam: int, penalty: float) -> float:
    """The best score of a beam search over one sentence that goes on to the last step."""
    known = {tuple(tokens): score for score, tokens in every(tree, 0.0)}
    logs = tree.astype("float64") - np.log(np.exp(tree.astype("float64")).sum(-1, keepdims=True))
    hypotheses: list[tuple[float, int, tuple[int, ...]]] = [(0.0, 0, ())]
    done = []
    for length in range(1, STEPS + 1):
        grown = sorted(
            (
                (total + logs[node, token], node * V + token + 1, (*tokens, token))
                for total, node, tokens in hypotheses
                for token in (1, EOS, 4, 5)
            ),
            reverse=True,
        )
        done += [row for row in grown[:beam] if row[2][-1] == EOS or length == STEPS]
        hypotheses = [row for row in grown if row[2][-1] != EOS][:beam]
    assert all(total == pytest.approx(known[tokens]) for total, _, tokens in done)
    return max(total / ((5 + len(tokens)) / 6) ** penalty for total, _, tokens in done)


def chain(*rows: list[float]) -> list[Any]:
    """A memory whose probabilities hang on the position alone: those of the tokens 1, EOS, 4, 5 at each."""
    tree = np.full((NODES, V), -1e4, "float32")
    first = 0
    for depth in range(STEPS):
        size = V**depth
        with np.errstate(divide="ignore"):
            tree[first : first + size, [1, EOS, 4, 5]] = np.log(rows[min(depth, len(rows) - 1)])
        first += size
    return [ops.convert_to_tensor(tree[None]), ops.ones((1, 1), "bool")]


def test_the_length_penalty_by_hand() -> None:
    memory = chain([0.1, 0.5, 0.4, 0.0], [0.0, 1.0, 0.0, 0.0])
    plain = arrays(beam_search(TreeDecoder(), memory, STEPS, 3, 0.0, 3))
    assert sequences(plain, 0) == [[EOS], [4, EOS], [1, EOS]]
    np.testing.assert_allclose(plain.scores, np.log([[0.5, 0.4, 0.1]]), rtol=1e-5)
    # log 0.5 / (6/6)^3 = -0.693 against log 0.4 / (7/6)^3 = -0.577 and log 0.1 / (7/6)^3 = -1.450
    long = arrays(beam_search(TreeDecoder(), memory, STEPS, 3, 3.0, 3))
    assert sequences(long, 0) == [[4, EOS], [EOS], [1, EOS]]
    np.testing.assert_allclose(long.scores, [[-0.577023, -0.693147, -1.450024]], rtol=1e-5)
    np.testing.assert_allclose(greedy(TreeDecoder(), memory, STEPS, 3.0).scores, [[-0.693147]], rtol=1e-5)


def test_all_end_at_once() -> None:
    memory = chain([0.0, 1.0, 0.0, 0.0])
    for found in (arrays(greedy(TreeDecoder(), memory, STEPS)), arrays(beam_search(TreeDecoder(), memory, STEPS, 2))):
        assert sequences(found, 0) == [[EOS]]
        assert found.tokens.shape == (1, 1, STEPS) and found.attention.shape == (1, 1, 2, STEPS, 1)
        np.testing.assert_allclose(found.scores, 0, atol=1e-6)
        assert found.attention[0, 0].tolist() == [[[1], [0], [0], [0]]] * 2


@pytest.mark.parametrize("steps", [1, 3, STEPS])
def test_nothing_ends_within_the_steps(steps: int) -> None:
    memory = chain([0.1, 0.0, 0.6, 0.3])
    found = arrays(beam_search(TreeDecoder(), memory, steps, 2, 1.0, 2))
    assert sequences(found, 0)[0] == [4] * steps == sequences(arrays(greedy(TreeDecoder(), memory, steps)), 0)[0]
    assert found.lengths.tolist() == [[steps, steps]]
    assert found.scores[0, 0] == pytest.approx(steps * np.log(0.6) / ((5 + steps) / 6), rel=1e-5)


def test_padding_and_start_are_never_written() -> None:
    tree = np.zeros((1, NODES, V), "float32")
    tree[:, :, [PAD, SOS]] = 5
    memory = [ops.convert_to_tensor(tree), ops.ones((1, 1), "bool")]
    each = -np.log(4 + 2 * np.exp(5))
    for found in (greedy(TreeDecoder(), memory, STEPS), beam_search(TreeDecoder(), memory, STEPS, 4, 0.0, 4)):
        for row in sequences(arrays(found), 0):
            assert PAD not in row and SOS not in row
    np.testing.assert_allclose(greedy(TreeDecoder(), memory, 1).scores, [[each]], rtol=1e-5)


@pytest.mark.parametrize("beam", [0, 1, 3])
def test_a_sentence_is_answered_alike_alone_and_among_longer_ones(beam: int) -> None:
    encoder, decoder = encoder_of(tree_model()), TreeDecoder()
    source = np.array([[4, EOS, 0, 0, 0], [5, 6, 7, 4, EOS], [8, 4, EOS, 0, 0]], "int32")

    def decode(rows: np.ndarray) -> Decoded:
        memory = encoder(rows, training=False)
        return arrays(beam_search(decoder, memory, STEPS, beam, 0.6, beam) if beam else greedy(decoder, memory, STEPS))

    together = decode(source)
    for number, length in enumerate([2, 5, 3]):
        alone = decode(source[number : number + 1, :length])
        assert sequences(alone, 0) == sequences(together, number)
        np.testing.assert_allclose(alone.scores[0], together.scores[number], atol=1e-5)
        np.testing.assert_allclose(alone.attention[0], together.attention[number][..., :length], atol=1e-5)
        assert (together.attention[number][..., length:] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_eager_graph_and_saved_model_agree(tmp_path: Path, known: bool) -> None:
    """Any number of sentences of any length; the steps an int or a tensor."""
    model = tree_model()
    decoder = model.get_layer("decoder")

    def answer(source: Any, steps: Any = STEPS if known else STEPS - 1) -> dict[str, Any]:
        memory = encoder_of(model)(source, training=False)
        one = greedy(decoder, memory, steps)._asdict()
        many = beam_search(decoder, memory, steps, 3, 0.6, 2)._asdict()
        return {**many, **{f"greedy_{name}": value for name, value in one.items()}}

    @tf.function(autograph=False)
    def traced(source: Any) -> dict[str, Any]:
        return answer(source) if known else answer(source, tf.shape(source)[1])

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", traced, [tf.TensorSpec([None, None], tf.int32, "source")])
    archive.write_out(str(tmp_path / "1"), verbose=False)
    source = np.array([[4, 5, EOS], [6, EOS, 0]], "int32")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        definitions = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(tmp_path / "1")).signature_def
        serve = definitions["serve"]
        old = session.run(
            {key: info.name for key, info in serve.outputs.items()}, {serve.inputs["source"].name: source}
        )
    graph, again = traced(tf.constant(source)), loaded.signatures["serve"](tf.constant(source))
    for name, wanted in answer(source).items():
        for found in (graph, again, old):
            np.testing.assert_allclose(found[name], wanted, atol=1e-5, err_msg=name)


def test_the_scores_are_the_models_own() -> None:
    model = tree_model()
    source = np.array([[4, 5, EOS]], "int32")
    found = arrays(greedy(model.get_layer("decoder"), encoder_of(model)(source), STEPS))
    tokens = sequences(found, 0)[0]
    logs = np.array(ops.log_softmax(model({"source": source, "target_input": np.array([[SOS, *tokens[:-1]]])})))[0]
    assert found.scores[0, 0] == pytest.approx(sum(logs[range(len(tokens)), tokens]), rel=1e-5)


def test_half_precision_is_scored_in_float32() -> None:
    class Half(TreeDecoder):
        def step(self, *arguments: Any) -> tuple[Any, Any, list[Any]]:
            logits, attention, state = super().step(*arguments)
            return ops.cast(logits, "float16"), ops.cast(attention, "float16"), state

    memory = trees(0)
    for mine, other in zip(
        beam_search(Half(), memory, STEPS, 3), beam_search(TreeDecoder(), memory, STEPS, 3), strict=True
    ):
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, atol=5e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"steps": 0, "beam": 1}, "steps=0: expected at least 1"),
        ({"steps": 2, "beam": 0}, "beam=0: expected at least 1"),
        ({"steps": 2, "beam": 2, "best": 3}, "best=3: expected at most beam=2"),
        ({"steps": 2, "beam": 2, "penalty": -1.0}, "penalty=-1.0: expected at least 0"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        beam_search(TreeDecoder(), trees(0), **arguments)


def test_a_model_without_a_step_decoder() -> None:
    source = keras.Input((2,))
    with pytest.raises(ValueError, match="layer 'decoder' is a Dense: expected a StepDecoder"):
        encoder_of(keras.Model(source, keras.layers.Dense(1, name="decoder")(source)))


def test_a_decoder_says_what_it_lacks() -> None:
    with pytest.raises(NotImplementedError, match=r"StepDecoder does not define begin\(memory, steps\)"):
        greedy(StepDecoder(), trees(0), 2)
