"""What can be counted about a classifier's answers: pure functions of arrays, for any task that has classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
