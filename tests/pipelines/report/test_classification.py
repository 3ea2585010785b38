from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import precision_recall_fscore_support

from pipelines.report.classification import (
    class_scores,
    confidence_bins,
    confusion_matrix,
    cross_entropy,
    expected_calibration_error,
    most_confident_mistakes,
    ranking,
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


def test_cross_entropy_by_hand():
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert cross_entropy(np.array([0, 1]), probabilities) == pytest.approx(-(np.log(0.5) + np.log(0.75)) / 2)
    assert cross_entropy(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-7))


def test_the_surest_mistakes_come_first():
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    assert most_confident_mistakes(np.array([1, 0, 1, 1]), probabilities).tolist() == [1, 3, 0]


def test_ranking_by_hand():
    # Of the four pairs of one and another the scores put three in order: the area is 3/4. Precisions at the recalls
    # 1/2 and 1 are 1 and 2/3: the average precision is (1 + 2/3) / 2.
    found = ranking(np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1]))
    assert found.area == pytest.approx(3 / 4)
    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (found.true_positive[-1], found.false_positive[-1], found.recall[0], found.recall[-1]) == (1, 1, 0, 1)


def test_a_ranking_of_one_side_is_none():
    for true in ([True, True], [False, False], []):
        found = ranking(np.array(true, bool), np.linspace(0, 1, len(true)))
        assert np.isnan([found.area, found.average_precision]).all()
        assert not len(found.recall)


def test_scores_by_chance_have_an_area_of_one_half():
    random = np.random.default_rng(0)
    assert ranking(random.uniform(size=20_000) < 0.3, random.uniform(size=20_000)).area == pytest.approx(0.5, abs=0.02)
