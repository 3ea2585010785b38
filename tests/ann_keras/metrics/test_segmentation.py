"""Metrics of masks while a model is trained."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix as confusion_of_sklearn

from ann_keras.metrics import segmentation
from ann_keras.task import VOID

TRUTH = np.array([[[0, 0], [1, VOID]], [[1, 1], [0, 0]]], np.uint8)
ANSWER = np.array([[[0, 1], [1, 0]], [[1, 0], [0, 0]]], np.uint8)
NAMES = {
    # n = [[3, 1], [1, 2]]
    segmentation.PixelAccuracy: 5 / 7,
    segmentation.MeanAccuracy: (3 / 4 + 2 / 3) / 2,
    segmentation.MeanIoU: (3 / 5 + 2 / 4) / 2,
    segmentation.FrequencyWeightedIoU: (4 * 3 / 5 + 3 * 2 / 4) / 7,
}


def logits(answer: np.ndarray, classes: int = 2) -> np.ndarray:
    return 3 * np.eye(classes, dtype="float32")[answer] - 1


def test_the_matrix_by_hand() -> None:
    found = segmentation.confusion_matrix(TRUTH, tf.constant(logits(ANSWER)))
    assert found.dtype == tf.float32
    assert found.numpy().tolist() == [[3, 1], [1, 2]]


@pytest.mark.parametrize(("kind", "expected"), NAMES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_by_hand_over_batches(kind: type[keras.metrics.Metric], expected: float) -> None:
    metric = kind(2, name="figure")
    for row in (0, 1):
        # Weights of the loss are not read.
        metric.update_state(TRUTH[row : row + 1], logits(ANSWER[row : row + 1]), sample_weight=np.zeros((1, 2, 2)))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-6)
    again = kind.from_config(metric.get_config())
    assert (again.name, again.classes) == ("figure", 2)
    metric.reset_state()
    assert float(metric.result()) == 0


@pytest.mark.parametrize("kind", NAMES, ids=lambda kind: kind.__name__)
def test_nothing_but_void_is_zero(kind: type[keras.metrics.Metric]) -> None:
    metric = kind(2, name="figure")
    metric.update_state(np.full((1, 2, 2), VOID, np.uint8), logits(ANSWER[:1]))
    assert float(metric.result()) == 0


def test_half_precision_logits() -> None:
    found = segmentation.confusion_matrix(TRUTH, tf.constant(logits(ANSWER), tf.float16))
    assert found.numpy().tolist() == [[3, 1], [1, 2]]


def test_in_a_graph_of_unknown_sizes() -> None:
    spec = (tf.TensorSpec([None, None, None], tf.uint8), tf.TensorSpec([None, None, None, 2], tf.float32))
    found = tf.function(segmentation.confusion_matrix, input_signature=spec)(TRUTH, logits(ANSWER))
    assert found.numpy().tolist() == [[3, 1], [1, 2]]


CLASSES = 4
pixels = arrays(np.uint8, (2, 5, 3), elements=st.sampled_from([*range(CLASSES), VOID]))
answers = arrays(np.uint8, (2, 5, 3), elements=st.integers(0, CLASSES - 1))


@given(pixels, answers)
def test_agrees_with_scikit_learn(truth: np.ndarray, answer: np.ndarray) -> None:
    found = segmentation.confusion_matrix(truth, tf.constant(logits(answer, CLASSES)))
    there = truth != VOID
    if there.any():
        expected = confusion_of_sklearn(truth[there], answer[there], labels=range(CLASSES))
        np.testing.assert_array_equal(found, expected)
    else:
        assert not found.numpy().any()
