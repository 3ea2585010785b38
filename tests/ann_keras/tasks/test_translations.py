"""What translations are judged by, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.tasks import translations


@pytest.mark.parametrize(
    ("words", "name"),
    [(0, "01-04"), (4, "01-04"), (5, "05-08"), (16, "13-16"), (24, "17-24"), (25, "25+"), (900, "25+")],
)
def test_slices_by_length(words: int, name: str) -> None:
    assert translations.length_names(tf.constant([words])).numpy().tolist() == [f"{name} words".encode()]


def test_counts_by_hand() -> None:
    answers = {
        "translation": tf.constant(["ein Hund in Rome", "ja <unk>", ""]),
        "tokens": tf.constant(
            [["▁ein", "▁Hund", "▁in", "▁Rome", "<eos>"], ["▁ja", "<unk>", "", "", ""], ["<eos>"] + [""] * 4]
        ),
        "log_likelihood": tf.constant([-1.5, -2.0, -3.0]),
    }
    prepared = {
        "reference": tf.constant(["ein Hund in Rom", "ja", ""]),
        "source_text": tf.constant(["a dog in Rome", "yes", ""]),
        "target": tf.constant([[5, 6, 7, 8, 3], [9, 3, 0, 0, 0], [3, 0, 0, 0, 0]], tf.int64),
    }
    found = {name: value.numpy().tolist() for name, value in translations.judge(answers, prepared).items()}
    assert found == {
        "translation": [b"ein Hund in Rome", b"ja <unk>", b""],
        "reference": [b"ein Hund in Rom", b"ja", b""],
        "log_likelihood": [-1.5, -2.0, -3.0],
        "tokens": [5, 2, 1],
        "words": [5, 2, 1],
        "unknown": [0, 1, 0],
        "copied": [1, 0, 0],
        "produced": [4, 2, 0],
        # The second one never comes to its end.
        "truncated": [0, 1, 0],
        "exact": [0, 0, 1],
    }


def test_counts_are_whole_numbers_that_transform_knows() -> None:
    assert translations.length_names(tf.constant([3])).dtype == tf.string
    ones = {"translation": tf.constant(["a"]), "tokens": tf.constant([["▁a"]]), "log_likelihood": tf.constant([0.0])}
    prepared = {
        "reference": tf.constant(["a"]),
        "source_text": tf.constant(["b"]),
        "target": tf.constant([[4]], tf.int64),
    }
    judged = translations.judge(ones, prepared)
    for name in set(judged) - {"translation", "reference", "log_likelihood"}:
        assert judged[name].dtype == tf.int64 and np.shape(judged[name]) == (1,)
