"""Draws the weights of a linear classifier of digits as images, and compares them with the mean image of each class.

A linear classifier's row of weights has a weight for each pixel: seen as an image it is a template, and the class's
score is the correlation of the image with it, plus the bias (Bishop 2006, Pattern Recognition and Machine Learning,
section 4.3.4, for the fit by cross-entropy). Softmax ignores what all rows share, so that a template shows how its
class differs from the mean of all: it is compared with that difference too. The peer is the classifier by distance from
the mean images, which is linear as well and has them as its templates.

Run it with `ann lab linear_templates`.
"""

from __future__ import annotations

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestCentroid

from ann_keras.labs import lab
from ann_keras.labs.filters import correlate

CLAIM = "A linear classifier learns a template of each class and answers with the one that correlates best."
EQUATION = r"s_i = w_i^\top x + b_i = \sum_{u, v} W_i(u, v) \, I(u, v) + b_i, \quad \hat{y} = \arg\max_{i} \, s_i"

CLASSES, SIDE = 10, 8
PENALTY = 4e-4
"""Times the sum of squares of the weights, beside the mean cross-entropy."""
EPOCHS, BATCH, RATE = 60, 128, 0.01
TEST_FRACTION = 0.3


def row_correlations(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The correlation coefficient of each row with each other row.

    Args:
        rows: float64 [count, pixels], none constant.
        others: float64 [other_count, pixels], none constant.

    Returns:
        float64 [count, other_count] in [-1, 1].
    """
    first, second = (values - values.mean(axis=1, keepdims=True) for values in (rows, others))
    lengths = np.outer(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1))
    return first @ second.T / lengths


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    images, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(
        images / 16, labels, test_size=TEST_FRACTION, stratify=labels, random_state=seed
    )
    model = _fit(train, train_labels)
    weights, biases = (values.astype(np.float64) for values in model.get_weights())
    templates = weights.T
    means = np.stack([train[train_labels == label].mean(axis=0) for label in range(CLASSES)])
    with_means = row_correlations(templates, means)
    with_differences = np.diag(row_correlations(templates, means - means.mean(axis=0)))
    own, others = np.diag(with_means), with_means[~np.eye(CLASSES, dtype=bool)]
    best = int((with_means.argmax(axis=1) == np.arange(CLASSES)).sum())
    scores = model.predict(test, verbose=0)
    gap = np.abs(scores - _scores_by_correlation(test, templates, biases)).max()
    accuracy = float((scores.argmax(axis=1) == test_labels).mean())
    by_means = float(NearestCentroid().fit(train, train_labels).score(test, test_labels))
    return lab.Result(
        checks={
            "the scores are the images' correlations with the templates, plus the bias, to 1e-4": bool(gap < 1e-4),
            "each template correlates best with the mean image of its own class": best == CLASSES,
            "each with at least 0.6 with what sets that mean apart from the mean of all": bool(
                with_differences.min() >= 0.6
            ),
            "at least 93 % of the test images are classified right": accuracy >= 0.93,
            "that is at least 3 percentage points more than by the mean images as templates": accuracy
            >= by_means + 0.03,
        },
        numbers={
            "largest difference of a score and the correlation": gap,
            "classes whose template correlates best with their own mean": best,
            "correlation of a template with its class's mean, on average": float(own.mean()),
            "correlation of a template with another class's mean, on average": float(others.mean()),
            "correlation with the difference from the mean of all, on average": float(with_differences.mean()),
            "correlation with the difference from the mean of all, smallest": float(with_differences.min()),
            "test accuracy": accuracy,
            "test accuracy by distance from the mean images": by_means,
        },
        setting={
            "data": f"scikit-learn's digits: {len(train):,} to train, {len(test)} to test, pixels in [0, 1]",
            "weights begin at": 0,
            "L2 penalty": PENALTY,
            "training": f"Adam, rate {RATE}, batches of {BATCH}, {EPOCHS} epochs",
        },
        seen=(
            f"A template correlates with the mean image of its class with {own.mean():.2f} on average, with another's "
            f"with {others.mean():.2f}; with what sets its class apart with {with_differences.mean():.2f}. "
            f"{best} of {CLASSES} correlate best with their own. As a classifier the learned templates are right on "
            f"{accuracy:.1%} of the test images, the mean images on {by_means:.1%}: training adds what tells "
            f"neighbouring classes apart."
        ),
        figure=_figure(templates, means, with_differences),
    )


def _fit(images: np.ndarray, labels: np.ndarray) -> keras.Model:
    pixels = keras.Input((images.shape[1],))
    # From zero, since a pixel that is never lit leaves its weights where they were.
    penalty = keras.regularizers.L2(PENALTY)
    scores = keras.layers.Dense(CLASSES, kernel_initializer="zeros", kernel_regularizer=penalty)(pixels)
    model = keras.Model(pixels, scores)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss, jit_compile=False)
    model.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return model


def _scores_by_correlation(images: np.ndarray, templates: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """float64 [rows, classes]: each image filtered by each template, which is as large as the image."""
    pictures, filters = images.reshape(-1, SIDE, SIDE), templates.reshape(-1, SIDE, SIDE)
    return np.array([[correlate(picture, template)[0, 0] for template in filters] for picture in pictures]) + biases


def _figure(templates: np.ndarray, means: np.ndarray, correlations: np.ndarray) -> lab.matplotlib.figure.Figure:
    figure = lab.figure(9.6, 3.4)
    axes = figure.subplots(3, CLASSES)
    differences = means - means.mean(axis=0)
    rows = (
        ("mean image", means, "gray", 0.0, 1.0),
        ("less the mean\nof all", differences, "RdBu_r", -np.abs(differences).max(), np.abs(differences).max()),
        ("template", templates, "RdBu_r", -np.abs(templates).max(), np.abs(templates).max()),
    )
    for panels, (name, pictures, colours, low, high) in zip(axes, rows, strict=True):
        for label, panel in enumerate(panels):
            drawn = panel.imshow(pictures[label].reshape(SIDE, SIDE), cmap=colours, vmin=low, vmax=high)
            panel.set_xticks([])
            panel.set_yticks([])
        panels[0].set_ylabel(name, fontsize=10)
        figure.colorbar(drawn, ax=panels.tolist(), shrink=0.9, aspect=8)
    for label, panel in enumerate(axes[0]):
        panel.set_title(str(label))
    for label, panel in enumerate(axes[2]):
        panel.set_xlabel(f"r = {correlations[label]:.2f}")
    figure.supxlabel("r: correlation of the template with the row above", fontsize=10)
    return figure
