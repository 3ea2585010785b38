"""Learns a vocabulary in Beam, for TensorFlow Transform."""

from __future__ import annotations

import base64
import collections
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf

from ann_keras import text

Counts = collections.Counter[bytes]


PACKED = b"packed:"


def packed(model: bytes) -> bytes:
    """A model of pieces in base64, with a mark before it: numpy cuts zeros at the end of bytes."""
    return PACKED + base64.urlsafe_b64encode(model)


def unpacked(value: Any) -> Any:
    """The model that `packed` was given, string []; one without a piece for anything else.

    While Transform analyses it runs the whole graph, with a text of its own in place of what is not known yet, and the
    operation that reads a model would crash on it.
    """
    known = tf.equal(tf.strings.substr(value, 0, len(PACKED)), PACKED)
    nothing = base64.urlsafe_b64encode(text.wordpiece_model(list(text.SPECIALS)))
    return tf.io.decode_base64(tf.where(known, tf.strings.regex_replace(value, f"^{PACKED.decode()}", ""), nothing))


class Learn(beam.PTransform):
    """Batches of words -> the pieces, bytes [pieces], and their model as `packed` has it, bytes [].

    Args:
        size: most pieces.
        tokens: one of `ann_keras.text.TOKENS`.
    """

    def __init__(self, size: int, tokens: str) -> None:
        super().__init__()
        self._size, self._tokens = size, tokens

    def expand(self, batches: Any) -> tuple[Any, Any]:
        """One PCollection of one array for each answer."""
        pieces = batches | "Count" >> beam.CombineGlobally(_Count()) | "Learn" >> beam.Map(self._learn)
        return pieces | "Pieces" >> beam.Map(_encoded), pieces | "Model" >> beam.Map(_model)

    def _learn(self, counts: Counts) -> list[str]:
        return text.learn(counts, self._size, self._tokens)


class _Count(beam.CombineFn):
    """How often each word stands in the batches."""

    def create_accumulator(self) -> Counts:
        """No word."""
        return collections.Counter()

    def add_input(self, accumulator: Counts, element: tuple[np.ndarray]) -> Counts:
        """With those of a batch."""
        accumulator.update(element[0].tolist())
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        """Their sum."""
        total: Counts = collections.Counter()
        for one in accumulators:
            total.update(one)
        return total

    def extract_output(self, accumulator: Counts) -> Counts:
        """All of them."""
        return accumulator


def _encoded(pieces: list[str]) -> np.ndarray:
    return np.array([piece.encode() for piece in pieces], object)


def _model(pieces: list[str]) -> np.ndarray:
    return np.array(packed(text.wordpiece_model(pieces)), object)
