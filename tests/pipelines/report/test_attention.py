from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from ann_keras import decoding, text
from ann_keras.models.sequence import transformer
from ann_keras.task import Feature
from pipelines.report import attention
from pipelines.report.sections import sequence_to_sequence as section
from tests.pipelines.report.test_sequence_to_sequence import TASK, answered

PIECES = [*text.SPECIALS, *(f"▁{letter}" for letter in "abcdefgh")]
SOURCES = np.array([[4, 5, 6, 7, 3, 0, 0], [8, 9, 3, 0, 0, 0, 0]], np.int64)
PREPARED = {"source": SOURCES, "target_vocabulary": np.array(["\n".join(PIECES).encode(), b""], object)}
STEPS = 6


def model(heads: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target_input")}
    config = replace(transformer.TINY, heads=heads)
    return transformer.build(config, inputs, Feature("logits", "tensor", (None, len(PIECES))))


def test_the_heads_of_a_translation_are_those_of_its_decoding() -> None:
    asked = model(heads=2)
    memory = decoding.encoder_of(asked)(SOURCES[:, :5].astype("int32"), training=False)
    found = decoding.greedy(asked.get_layer("decoder"), memory, STEPS)
    ids = keras.ops.convert_to_numpy(found.tokens)[:, 0]
    tokens = [[PIECES[token] for token in row if token] for row in ids]
    weights = attention.over(asked, PREPARED, tokens)
    longest = max(map(len, tokens))
    assert weights.shape == (2, 2, longest, 5)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
    expected = keras.ops.convert_to_numpy(found.attention)[:, 0]
    for row, target in enumerate(tokens):
        np.testing.assert_allclose(weights[row, :, : len(target)], expected[row, :, : len(target)], atol=1e-5)
    assert np.ptp(weights[:, 0] - weights[:, 1]) > 1e-3


@pytest.mark.parametrize(("heads", "titles"), [(1, []), (2, ["Attention heads"])])
def test_several_heads_are_drawn(heads: int, titles: list[str]) -> None:
    pairs = [("a b c d", "e f g", "e <b>"), ("e f", "a b", "a b")]
    examples = section.collect(TASK, answered(pairs))
    asked: list[Any] = []

    def prepare(places: Any) -> Any:
        asked.append(list(places))
        return {**PREPARED, "source": SOURCES[list(places)]}

    found = section.inside(TASK, model(heads), examples, prepare)
    assert [one.title for one in found] == titles and asked == [examples.drawn()]
    for one in found:
        assert len(re.findall(r"head \d\n[\d.]+ bits", str(one.html))) == 4
        assert 'alt="Attention of pair-1, head 2"' in str(one.html) and "e &lt;b&gt;" in str(one.html)
