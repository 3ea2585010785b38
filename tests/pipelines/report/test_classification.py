from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import precision_recall_fscore_support

from pipelines.report.classification import (
    class_scores,
    confidence_bins,
    confusion_matrix,
    expected_calibration_error,
)


def test_confusion_matrix_by_hand():
    matrix = confusion_matrix(np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 2]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


def test_confusion_matrix_keeps_classes_that_never_occur():
    assert confusion_matrix(np.array([1]), np.array([1]), 3).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert confusion_matrix(np.array([], int), np.array([], int), 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("classes", [2, 10, 150])
def test_counts_and_scores_agree_with_scikit_learn(classes):
    random = np.random.default_rng(classes)
    labels, predicted = random.integers(0, classes, (2, 40 * classes))
    matrix = confusion_matrix(labels, predicted, classes)
    np.testing.assert_array_equal(matrix, reference_matrix(labels, predicted, labels=range(classes)))
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, zero_division=0)
    scores = class_scores(matrix)
    np.testing.assert_allclose(np.nan_to_num(scores.precision), precision)
    np.testing.assert_allclose(np.nan_to_num(scores.recall), recall)
    np.testing.assert_allclose(np.nan_to_num(scores.f1), f1)


def test_a_class_without_examples_or_answers_has_no_scores():
    scores = class_scores(np.array([[2, 0], [0, 0]]))
    assert scores.recall[0] == 1
    assert np.isnan([scores.precision[1], scores.recall[1], scores.f1[1]]).all()


def test_bins_are_open_below_and_closed_above():
    # Two bins (0, 0.5] and (0.5, 1]: a confidence of exactly 0.5 belongs to the first.
    bins = confidence_bins(np.array([0, 0]), np.array([[0.5, 0.5], [0.75, 0.25]]), bins=2)
    assert bins.counts.tolist() == [1, 1]
    assert bins.confidence.tolist() == [0.5, 0.75]


def test_expected_calibration_error_by_hand():
    # (0.4, 0.6]: confidence 0.6, all of 1 wrong -> gap 0.6. (0.6, 0.8]: 0.7 and 0.8, half right -> gap 0.25.
    # (0.8, 1]: 0.9 right -> gap 0.1. ECE = 1/4 * 0.6 + 2/4 * 0.25 + 1/4 * 0.1 = 0.3.
    probabilities = np.array([[0.6, 0.4], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]])
    labels = np.array([1, 0, 0, 1])
    assert expected_calibration_error(labels, probabilities, bins=5) == pytest.approx(0.3)


def test_calibration_at_its_ends():
    certain = np.eye(3)
    assert expected_calibration_error(np.arange(3), certain) == 0
    assert expected_calibration_error((np.arange(3) + 1) % 3, certain) == 1
    assert np.isnan(expected_calibration_error(np.array([], int), np.zeros((0, 3))))


def test_a_calibrated_model_has_a_small_error():
    random = np.random.default_rng(0)
    positive = random.uniform(size=200_000)
    labels = (random.uniform(size=positive.size) < positive).astype(int)
    assert expected_calibration_error(labels, np.stack([1 - positive, positive], axis=1)) < 0.01
