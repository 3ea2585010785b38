"""What a translation is judged by, counted in the graph of the exported model."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ann_keras import text
from ann_keras.task import Tensors

LENGTHS = (5, 9, 13, 17, 25)
"""From so many words on a source belongs to the next slice."""


def length_names(words: Any) -> Any:
    """The slice of a source by its number of words, string [batch]: "01-04 words" to "25+ words"."""
    firsts = (1, *LENGTHS)
    names = [f"{first:02d}-{after - 1:02d} words" for first, after in zip(firsts, LENGTHS, strict=False)]
    return tf.gather(tf.constant([*names, f"{firsts[-1]:02d}+ words"]), tf.searchsorted(LENGTHS, words, side="right"))


def judge(answers: Tensors, prepared: Tensors) -> Tensors:
    """Counts what the metrics are made of.

    Args:
        answers: as of `sequence_to_sequence.postprocess`, with the target.
        prepared: as of `sequence_to_sequence.preprocess`, with the target.

    Returns:
        "translation", "reference": string [batch]; "log_likelihood": float32 [batch], of the reference, natural; and
        int64 [batch] each: "tokens" and "words" of the reference, its end included; "unknown", words without pieces in
        the translation; "copied", words of the translation that are the source's and not the reference's; "produced",
        words of the translation; "truncated" and "exact", 1 where the translation has no end, or is the reference.
    """
    translation, reference = answers["translation"], prepared["reference"]
    # Splitting at spaces would lose the rows of empty texts otherwise.
    said, source, wanted = (
        tf.strings.split(value).to_tensor("") for value in (translation, prepared["source_text"], reference)
    )
    copied = tf.logical_and(_among(said, source), tf.logical_not(_among(said, wanted)))
    tokens = answers["tokens"]
    counts = {
        "tokens": tf.math.count_nonzero(prepared["target"], axis=1),
        "words": text.count_words(reference) + 1,
        "unknown": _count(tf.equal(tokens, text.SPECIALS[text.UNK])),
        "copied": _count(copied),
        "produced": text.count_words(translation),
        "truncated": tf.logical_not(tf.reduce_any(tf.equal(tokens, text.SPECIALS[text.EOS]), axis=1)),
        "exact": tf.equal(translation, reference),
    }
    whole = {name: tf.cast(value, tf.int64) for name, value in counts.items()}
    likely = answers["log_likelihood"]
    return {"translation": translation, "reference": reference, "log_likelihood": likely, **whole}


def _among(words: Any, others: Any) -> Any:
    """Whether each word, "" apart, is one of the others; bool [batch, words]."""
    same = tf.equal(words[:, :, tf.newaxis], others[:, tf.newaxis])
    return tf.logical_and(tf.reduce_any(same, axis=2), tf.not_equal(words, ""))


def _count(there: Any) -> Any:
    return tf.math.count_nonzero(there, axis=1)
