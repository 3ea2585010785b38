"""Metrics of tokens, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.metrics.sequences import Perplexity, TokenAccuracy

# Softmax of log 1, log 2, log 5 is 1/8, 2/8, 5/8.
LOGITS = np.log(np.array([1.0, 2.0, 5.0], "float32")) * np.ones((2, 2, 1), "float32")
TRUTH = np.array([[1, 2], [2, 0]], np.int32)


def test_accuracy_leaves_padding_out() -> None:
    metric = TokenAccuracy()
    assert float(metric.result()) == 0
    metric.update_state(TRUTH, LOGITS)
    assert float(metric.result()) == pytest.approx(2 / 3)
    metric.update_state(np.array([[1]]), LOGITS[:1, :1])
    assert float(metric.result()) == pytest.approx(2 / 4)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_perplexity_is_of_all_tokens_alike() -> None:
    metric = Perplexity()
    assert float(metric.result()) == 1
    metric.update_state(TRUTH, LOGITS)
    metric.update_state(np.array([[1]]), LOGITS[:1, :1])
    assert float(metric.result()) == pytest.approx((8 / 2 * 8 / 5 * 8 / 5 * 8 / 2) ** (1 / 4), rel=1e-5)
