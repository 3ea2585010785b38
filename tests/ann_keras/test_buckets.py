"""Batches of sequences: their tokens, their padding, and that every example is in one of them."""

from __future__ import annotations

import functools
import itertools
import operator
from collections import Counter

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras import buckets
from ann_keras.data import Split

LONGEST = 30


def split(sizes: np.ndarray, tokens: int, memory_mb: int = 4096) -> Split:
    """Sequences of ones of these lengths; the label's last token is the example's number."""

    def transform(record: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        time = tf.range(LONGEST)[tf.newaxis]
        first, last = (tf.cast(time < record["sizes"][:, side : side + 1], tf.int32) for side in (0, 1))
        numbered = last + tf.where(time == 0, record["number"][:, tf.newaxis], 0)
        return {"source": first, "target_input": last, "target": numbered}

    records = tf.data.Dataset.from_tensor_slices(
        {"sizes": sizes.astype("int32"), "number": np.arange(len(sizes), dtype="int32")}
    )
    return Split(records, transform, "target", len(sizes), memory_mb, batch_tokens=tokens)


def drawn(sizes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, LONGEST, (sizes, 2))


def test_lengths_and_trimming_by_hand() -> None:
    ids = tf.constant([[5, 6, 0, 0], [7, 0, 0, 0]])
    assert buckets.lengths([ids, ids[:, :1]]).numpy().tolist() == [[2, 1], [1, 1]]
    batch = {"ids": ids, "text": tf.constant(["a", "b"]), "pixels": tf.zeros([2, 4])}
    found = buckets.trimmed(batch)
    assert found["ids"].numpy().tolist() == [[5, 6], [7, 0]]
    assert found["pixels"].shape == (2, 4) and found["text"] is batch["text"]
    assert buckets.trimmed({"ids": tf.zeros([2, 4], tf.int32)})["ids"].shape == (2, 1)


def test_boundaries_by_hand() -> None:
    sizes = np.array([[2, 2], [2, 2], [2, 3], [9, 9]], np.int32)
    # Two pairs of 4 tokens are 8, the third would make it 3 x 5; the last is too long for any batch.
    assert buckets.boundaries(sizes, 12).tolist() == [0, 2, 3, 4]
    assert buckets.boundaries(sizes, 15).tolist() == [0, 3, 4]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 200), st.integers(20, 400), st.integers(0, 9))
def test_without_a_blur_no_batch_holds_more(rows: int, tokens: int, seed: int) -> None:
    sizes = drawn(rows, seed).astype(np.int32)
    bounds = buckets.boundaries(sizes, tokens)
    ranked = sizes[buckets.order(sizes).numpy()]
    assert bounds[0] == 0 and bounds[-1] == rows and (np.diff(bounds) > 0).all()
    for first, after in itertools.pairwise(bounds):
        batch = ranked[first:after]
        assert batch.max(0).sum() * len(batch) <= tokens or len(batch) == 1


def numbers(label: np.ndarray) -> list[int]:
    return (label[:, 0] - 1).tolist()


def epoch(taken: Split, number: int, seed: int = 0) -> list[list[int]]:
    batches = taken.training_batches(64, seed, number).take(taken.steps(64)).as_numpy_iterator()
    return [numbers(label) for _, label in batches]


def test_every_epoch_has_every_example_once_in_other_batches() -> None:
    for memory_mb in (4096, 0):
        taken = split(drawn(500), 600, memory_mb)
        first, second = epoch(taken, 0), epoch(taken, 1)
        for batches in (first, second):
            assert Counter(functools.reduce(operator.iadd, batches, [])) == Counter(range(500))
        assert {frozenset(batch) for batch in first} != {frozenset(batch) for batch in second}
        assert first == epoch(taken, 0) and first != epoch(taken, 0, seed=1)


def test_an_epoch_goes_on_where_it_was() -> None:
    taken = split(drawn(300), 600)
    steps = taken.steps(64)
    both = [numbers(label) for _, label in taken.training_batches(64, 0).take(2 * steps).as_numpy_iterator()]
    assert both == epoch(taken, 0) + epoch(taken, 1)


def test_little_is_padding() -> None:
    generator = np.random.default_rng(0)
    source = generator.normal(15, 4, 20_000).clip(3, LONGEST - 1).round()
    target = (source + generator.integers(-4, 5, 20_000)).clip(1, LONGEST - 1)
    sizes = np.stack([source, target], 1)
    taken, used, held = split(sizes, 4096), 0, 0
    for inputs, _ in taken.training_batches(64, 0).take(taken.steps(64)).as_numpy_iterator():
        used += sum(int((value > 0).sum()) for value in inputs.values())
        held += sum(value.size for value in inputs.values())
        assert held
    assert 1 - used / held < 0.1


def test_evaluation_is_in_order() -> None:
    taken = split(drawn(50), 600)
    found = [numbers(label) for _, label in taken.batches(8).as_numpy_iterator()]
    assert functools.reduce(operator.iadd, found, []) == list(range(50))
