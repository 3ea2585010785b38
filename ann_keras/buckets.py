"""Batches of sequences of about the same length, so that little of a batch is padding.

A batch is filled with tokens, not with examples, and never holds much more than it is told to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras.task import Tensors

WIDTH = 2.0
"""Tokens by which the lengths of the last sequence are put together; within them examples are sorted by the others."""
JITTER = (0.5, 1.0)
"""By so many tokens lengths, of the last sequence and of the others, are blurred from epoch to epoch, so that batches
are other ones each time."""
SPREAD = 4096.0
"""No sequences are longer together."""
STEPS_IN_POOL = 64
"""So many batches of a streamed split are sorted by length at a time."""


def is_sequence(spec: Any) -> bool:
    """Whether a tensor, or its specification, holds ids: whole numbers [batch, time]."""
    return len(spec.shape) == 2 and tf.as_dtype(spec.dtype).is_integer


def lengths(sequences: list[Any]) -> Any:
    """How long each sequence is without the zeros at its end, int32 [examples, sequences]."""
    return tf.stack([tf.math.count_nonzero(ids, axis=1, dtype=tf.int32) for ids in sequences], 1)


def boundaries(sizes: np.ndarray, tokens: int) -> np.ndarray:
    """Where batches part, once the examples are sorted as `order` has them without a blur.

    Args:
        sizes: int32 [examples, sequences], as of `lengths`.
        tokens: most tokens in a batch, padding included, over all its sequences; a longer example is a batch by itself.

    Returns:
        int64 [batches + 1], from 0 to the number of examples.
    """
    cuts, first, longest = [0], 0, np.zeros(sizes.shape[1], sizes.dtype)
    for place, row in enumerate(sizes[order(sizes).numpy()]):
        longer = np.maximum(longest, row)
        if place > first and longer.sum() * (place + 1 - first) > tokens:
            cuts.append(place)
            first, longer = place, row
        longest = longer
    return np.array([*cuts, len(sizes)], np.int64)


def order(sizes: Any, seed: Any = None) -> Any:
    """The examples by their lengths, int32 [examples]: by the last sequence's, and among those of a `WIDTH` by the
    others', rising and falling by turns, so that neighbours are alike in all.

    Args:
        sizes: int32 [examples, sequences], as of `lengths`.
        seed: int32 [2]; another one blurs the lengths otherwise. None does not.
    """
    last, others = (tf.cast(size, tf.float32) for size in (sizes[:, -1], tf.reduce_sum(sizes[:, :-1], axis=1)))
    if seed is not None:
        noise = tf.random.stateless_uniform([tf.shape(sizes)[0], 2], seed, -1.0, 1.0) * JITTER
        last, others = last + noise[:, 0], others + noise[:, 1]
    group = tf.floor(last / WIDTH)
    return tf.argsort(group * SPREAD + tf.where(group % 2 == 0, others, -others), stable=True)


def trimmed(tensors: Tensors) -> Tensors:
    """A batch without the columns that are padding in all of its examples; what is no sequence stays as it is."""
    return {name: _trimmed(value) if is_sequence(value) else value for name, value in tensors.items()}


def _trimmed(ids: Any) -> Any:
    longest = tf.reduce_max(tf.math.count_nonzero(ids, axis=1, dtype=tf.int32))
    return ids[:, : tf.maximum(longest, 1)]


def streamed(pools: tf.data.Dataset, names: list[str], examples: int) -> tf.data.Dataset:
    """Batches of `examples` each, from pools of transformed examples that are sorted by length one by one.

    Args:
        pools: tensors by name, [pool, ...]; all but the last a multiple of `examples`.
        names: the sequences that are sorted by.
        examples: in a batch.
    """

    def batched(tensors: Tensors) -> tf.data.Dataset:
        ranked = order(lengths([tensors[name] for name in names]))
        rows = tf.data.Dataset.from_tensor_slices({name: tf.gather(value, ranked) for name, value in tensors.items()})
        return rows.batch(examples)

    return pools.flat_map(batched)
