"""Reads rows of prepared TFDS splits in the order of their files; images and masks stay encoded."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator

import numpy as np

from ann_keras.datasets import masks
from ann_keras.datasets.base import DatasetError

READ_BATCH = 32
"""Rows that are held at once where they hold bytes."""

NUMBER_BATCH = 4096


def batches(
    directory: str, split: str, first: int, last: int, numbers: Collection[str] = (), encoded: Collection[str] = ()
) -> Iterator[dict[str, np.ndarray]]:
    """Yields rows [first, last) of a split, some at a time.

    Args:
        directory: of the prepared builder.
        split: its name.
        first, last: places of rows in the split.
        numbers: keys of numbers and texts, which TFDS decodes.
        encoded: keys of images whose bytes are wanted.

    Yields:
        The wanted features by key, and perhaps others; object [batch] of bytes for texts and the encoded ones.

    Raises:
        DatasetError: for files that cannot be read.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(directory)
    decoders = {key: tfds.decode.SkipDecoding() for key in encoded} or None
    wanted = dict.fromkeys((*numbers, *encoded), True)
    # TFDS takes a FeaturesDict apart and none of its subclasses: a Translation is read whole.
    is_dict = type(builder.info.features) is tfds.features.FeaturesDict
    data = builder.as_dataset(
        split=tfds.core.ReadInstruction(split, from_=first, to=last, unit="abs"),
        decoders=tfds.decode.PartialDecoding(wanted, decoders=decoders) if is_dict else decoders,
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
        shuffle_files=False,
    )
    # One thread: with many, each leaves freed memory in an arena of its own, and the peak grows with every shard.
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    try:
        batched = data.batch(READ_BATCH if encoded else NUMBER_BATCH)
        yield from batched.with_options(options).as_numpy_iterator()
    except tf.errors.OpError as error:
        rows = f"rows {first} to {last} of {split!r}"
        raise DatasetError(f"{directory}: {rows} cannot be read: {one_line(error.message)}") from None


@functools.lru_cache(maxsize=16)
def mask_values(directory: str, split: str, rows: int, key: str, fingerprint: str) -> tuple[np.ndarray, np.ndarray]:
    """Decodes all masks of a split once in a process and counts their pixels.

    Args:
        directory: of the prepared builder.
        split: its name.
        rows: their number.
        key: the mask's.
        fingerprint: of the files; others are read anew.

    Returns:
        The values that occur, uint8 [values] ascending, and how many pixels of a row have them, int32 [rows, values]:
        none where the mask cannot be read.
    """
    found = []
    for batch in batches(directory, split, 0, rows, encoded=[key]):
        counts = np.stack([_histogram(encoded) for encoded in batch[key]])
        present = np.flatnonzero(counts.any(axis=0))
        # Of a dataset's 256 values a few occur: kept in full, the counts of 100,000 rows would take 100 MB.
        found.append((present, counts[:, present]))
    values = functools.reduce(np.union1d, [present for present, _ in found], np.zeros(0, np.int64)).astype(np.uint8)
    table = np.zeros((rows, len(values)), np.int32)
    start = 0
    for present, counts in found:
        table[start : start + len(counts), np.searchsorted(values, present)] = counts
        start += len(counts)
    return values, table


def _histogram(encoded: bytes) -> np.ndarray:
    try:
        return np.bincount(masks.pixels(encoded).ravel(), minlength=256).astype(np.int32)
    except ValueError:  # the shard that reads the row says so
        return np.zeros(256, np.int32)


def one_line(text: str | None) -> str:
    """The text with every run of white space as one space; "" for None."""
    return " ".join((text or "").split())
