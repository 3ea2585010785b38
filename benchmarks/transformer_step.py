"""Tokens a second of training `transformer`, against a plain Keras Transformer of the same size on the same batches.

    python -m benchmarks.transformer_step [--dataset multi30k] [--pairs 6000] [--steps 30] [--rounds 5] [--set tie=none]

The plain one is made of `keras.layers.MultiHeadAttention`, `Embedding`, `Dense` and `LayerNormalization`, with a matrix
of its own to tell the next token, and has Keras's own loss and metric; ours shares the target's embedding unless --set
tie=none, smooths the labels and measures two metrics. Both train by turns in one process on the batches that `ann run`
would give them. Tokens are those of source and target without padding. The first round, which compiles, does not
count; the processor's seconds say the same on a machine that has other work. How much of the batches is padding stands
beside that of batches of as many pairs in a random order.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from ann_keras import data, registry, training
from ann_keras.layers.positions import SinusoidalPositions
from ann_keras.models.sequence.transformer import Config
from benchmarks.trainings import overrides
from benchmarks.unet_step import loaded

LEAST, MOST_PADDING = 1.0, 0.10


def plain(config: Config, vocabulary: int) -> keras.Model:
    """A Transformer as it is usually written in Keras, with normalisation before each sub-layer."""
    source, target = (keras.Input((None,), dtype="int32", name=name) for name in ("source", "target_input"))
    mask = ops.expand_dims(ops.not_equal(source, 0), 1)

    def embedded(ids: Any) -> Any:
        x = layers.Embedding(vocabulary, config.width)(ids)
        return layers.Dropout(config.dropout)(SinusoidalPositions(config.width)(x))

    def attended(x: Any, memory: Any = None, **more: Any) -> Any:
        attention = layers.MultiHeadAttention(config.heads, config.width // config.heads, dropout=config.dropout)
        y = layers.LayerNormalization()(x)
        return x + layers.Dropout(config.dropout)(attention(y, y if memory is None else memory, **more))

    def forward(x: Any) -> Any:
        y = layers.Dense(config.feed_forward, activation="relu")(layers.LayerNormalization()(x))
        return x + layers.Dropout(config.dropout)(layers.Dense(config.width)(y))

    x = embedded(source)
    for _ in range(config.depth):
        x = forward(attended(x, attention_mask=mask))
    memory = layers.LayerNormalization()(x)
    x = embedded(target)
    for _ in range(config.depth):
        x = forward(attended(attended(x, use_causal_mask=True), memory, attention_mask=mask))
    logits = layers.Dense(vocabulary, use_bias=False)(layers.LayerNormalization()(x))
    return keras.Model({"source": source, "target_input": target}, logits)


def padding(batches: Any) -> float:
    """The share of padding in source and target of all batches."""
    held = used = 0
    for inputs, label in batches:
        for ids in (inputs["source"], label):
            held += np.size(ids)
            used += np.count_nonzero(ids)
    return 1 - used / held


def shuffled(split: data.Split, pairs: int) -> Any:
    """Batches of `pairs` each in a random order, padded to their longest."""
    arrays = split.arrays
    assert arrays is not None
    rows = np.random.default_rng(0).permutation(len(split))
    for first in range(0, len(rows), pairs):
        some = rows[first : first + pairs]
        yield {"source": _cut(arrays["source"][some])}, _cut(arrays["target"][some])


def _cut(ids: np.ndarray) -> np.ndarray:
    return ids[:, : np.count_nonzero(ids, axis=1).max()]


def compare(triple: registry.Triple, pairs: int, steps: int, rounds: int) -> None:
    """Prints tokens a second of each round and of all, their ratio, and the padding."""
    mine = loaded(triple, pairs, 64)
    epoch = mine.train.steps(0)
    whole = mine.train.training_batches(0, seed=0)
    ours_padding = padding(whole.take(epoch).as_numpy_iterator())
    batches = whole.take(min(steps, epoch)).cache()
    tokens = sum(np.count_nonzero(inputs["source"]) + np.count_nonzero(label) for inputs, label in batches)
    model, other = training.build(triple), plain(triple.config, int(triple.task.outputs.shape[-1] or 0))
    model.compile(training.optimizer(triple.training, epoch), **triple.task.compile_args())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
    other.compile(training.optimizer(triple.training, epoch), loss, metrics=["sparse_categorical_accuracy"])
    print(f"{model.count_params():,} parameters, plain {other.count_params():,}; {epoch} batches an epoch", flush=True)
    found: list[tuple[float, float, float, float]] = []
    for number in range(rounds + 1):
        (one, one_cpu), (two, two_cpu) = timed(model, batches), timed(other, batches)
        if number:
            found.append((one, one_cpu, two, two_cpu))
            told = f"{tokens / one:,.0f} tokens/s, plain {tokens / two:,.0f}, ratio {two / one:.3f}"
            print(f"  round {number}: {told}, of processor seconds {two_cpu / one_cpu:.3f}", flush=True)
    one, one_cpu, two, two_cpu = (statistics.median(column) for column in zip(*found, strict=True))
    print(f"processor: ratio {two_cpu / one_cpu:.3f}")
    verdict = "holds" if two / one >= LEAST else "FAILS"
    told = f"{tokens / one:,.0f}, a plain Keras Transformer {tokens / two:,.0f}"
    print(f"transformer, tokens a second {told}: ratio {two / one:.3f} (at least {LEAST}): {verdict}")
    random = padding(shuffled(mine.train, max(1, round(len(mine.train) / epoch))))
    verdict = "holds" if ours_padding < MOST_PADDING else "FAILS"
    print(f"padding {ours_padding:.3f} (below {MOST_PADDING}), in a random order {random:.3f}: {verdict}")


def timed(model: keras.Model, batches: tf.data.Dataset) -> tuple[float, float]:
    """Seconds of one epoch over the batches, by the clock and of the processor."""
    started = time.perf_counter(), time.process_time()
    model.fit(batches, verbose=0)
    return time.perf_counter() - started[0], time.process_time() - started[1]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="multi30k")
    parser.add_argument("--pairs", type=int, default=6000, help="of the training split")
    parser.add_argument("--steps", type=int, default=30, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting")
    given = parser.parse_args()
    triple = registry.resolve("transformer", given.dataset, overrides=overrides(given.set))
    compare(triple, given.pairs, given.steps, given.rounds)


if __name__ == "__main__":
    main()
