"""What can be counted about a classifier's answers: pure functions of arrays, for any task that has classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST = 1e-7
"""The least probability that a logarithm is taken of."""


@dataclass(frozen=True)
class Bins:
    """Answers grouped by confidence into equal intervals of (0, 1].

    Attributes:
        counts: int64 [bins].
        confidence: float64 [bins], mean probability of the predicted class; 0 in an empty bin.
        accuracy: float64 [bins], fraction that is right; 0 in an empty bin.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class ClassScores:
    """Figures of each class, float64 [classes] in [0, 1]; NaN where nothing is divided by nothing."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


@dataclass(frozen=True)
class Ranking:
    """The curves of one class against all others, over falling thresholds of its probability.

    Attributes:
        false_positive, true_positive: float64 [thresholds] in [0, 1], share of the others and of the class at or above
            the threshold: the receiver operating characteristic (Fawcett 2006, An introduction to ROC analysis).
        recall, precision: float64 [thresholds + 1] in [0, 1].
        area: under the receiver operating characteristic: the probability that an example of the class is put before
            one of the others.
        average_precision: the precisions, weighted by the gain in recall at each threshold.
    """

    false_positive: np.ndarray
    true_positive: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    area: float
    average_precision: float


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts how often each class was taken for each.

    Args:
        labels: int [examples], the true classes in [0, classes).
        predicted: int [examples], the answers.
        classes: the number of classes.

    Returns:
        int64 [classes, classes]; true class in rows, answer in columns.
    """
    flat = np.asarray(labels, dtype=np.int64) * classes + np.asarray(predicted, dtype=np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def class_scores(matrix: np.ndarray) -> ClassScores:
    """Precision, recall and F1 of every class of a confusion matrix."""
    right = np.diag(matrix).astype(np.float64)
    answered, true = matrix.sum(axis=0), matrix.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return ClassScores(right / answered, right / true, 2 * right / (answered + true))


def confidence_bins(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> Bins:
    """Groups answers by the probability of the predicted class.

    Args:
        labels: int [examples].
        probabilities: float [examples, classes] in [0, 1].
        bins: the number M of intervals ((m - 1) / M, m / M].
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == np.asarray(labels)
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    divisor = np.maximum(counts, 1)
    return Bins(
        counts=counts,
        confidence=np.bincount(index, weights=confidence, minlength=bins) / divisor,
        accuracy=np.bincount(index, weights=right, minlength=bins) / divisor,
    )


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """The gap between confidence and accuracy, averaged over the answers.

    ECE = sum over bins of |B_m| / n * |acc(B_m) - conf(B_m)|: Guo, Pleiss, Sun and Weinberger, "On Calibration of
    Modern Neural Networks", ICML 2017, equation 3; 15 bins as in their table 1.

    Args:
        labels: int [examples].
        probabilities: float [examples, classes] in [0, 1].
        bins: the number of intervals of confidence.

    Returns:
        The error in [0, 1]; NaN without examples.
    """
    grouped = confidence_bins(labels, probabilities, bins)
    total = grouped.counts.sum()
    if not total:
        return float("nan")
    return float(np.sum(grouped.counts * np.abs(grouped.accuracy - grouped.confidence)) / total)


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean negative logarithm of the true class's probability, in nats; probabilities below 1e-7 count as that, as
    in Keras.

    Args:
        labels: int [examples].
        probabilities: float [examples, classes] in [0, 1].
    """
    chosen = np.asarray(probabilities, np.float64)[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(chosen, LEAST))))


def most_confident_mistakes(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The examples that are answered wrong, int64 [wrong], the most probable answers first.

    Args:
        labels: int [examples].
        probabilities: float [examples, classes] in [0, 1].
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")]


def ranking(true: np.ndarray, scores: np.ndarray) -> Ranking:
    """How well `scores` put the examples that belong to a class before those that do not, at every threshold.

    Args:
        true: bool [examples], whether it belongs to the class.
        scores: float [examples], its probability.

    Returns:
        The curves; without an example on one of the sides they are empty and the areas NaN.
    """
    from sklearn import metrics

    true = np.asarray(true, bool)
    if not len(true) or true.all() or not true.any():
        nothing = np.zeros(0)
        return Ranking(nothing, nothing, nothing, nothing, float("nan"), float("nan"))
    false_positive, true_positive, _ = metrics.roc_curve(true, scores)
    precision, recall, _ = metrics.precision_recall_curve(true, scores)
    area = float(metrics.auc(false_positive, true_positive))
    average = float(metrics.average_precision_score(true, scores))
    return Ranking(false_positive, true_positive, recall[::-1], precision[::-1], area, average)
