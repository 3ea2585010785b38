"""Trains one network on digits whose labels are more and more drawn by lot.

A network with enough weights finds patterns even where there are none: it learns labels by heart that have nothing to
do with the images, and its training error, which falls to zero all the same, says nothing of new images (Zhang, Bengio,
Hardt, Recht and Vinyals 2017, Understanding deep learning requires rethinking generalization).

Run it with `ann lab random_labels`.
"""

from __future__ import annotations

import keras
import matplotlib.figure
import numpy as np
from sklearn.datasets import load_digits

from ann_keras.labs import lab

CLAIM = "A network learns random labels without an error and knows nothing: the test error stays at chance."
EQUATION = (
    r"\frac{1}{N} \sum_{n} [\, g(x_n) \neq t_n \,] \; \to \; 0, \qquad "
    r"P\left( g(x) \neq t \right) = \frac{9}{10} \;\; \mathrm{for} \;\; t \;\mathrm{drawn\ by\ lot}"
)

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the labels, drawn anew and uniformly from all classes."""
CLASSES = 10
REPETITIONS = 3
ROWS, UNITS = 500, 256
POINTS, STEPS, RATE = 25, 10, 3e-3
"""Points of the course, and steps of Adam on all training images between them."""


def draw(rng: np.random.Generator, labels: np.ndarray, share: float) -> np.ndarray:
    """Replaces a share of the labels, int64 [rows], by uniform draws from the classes; the others stay."""
    chosen = rng.permutation(len(labels))[: round(share * len(labels))]
    drawn = labels.copy()
    drawn[chosen] = rng.integers(0, CLASSES, len(chosen))
    return drawn


def networks(inputs: int, copies: int) -> keras.Model:
    """Networks of one hidden layer, none connected to another: [batch, inputs] -> logits [batch, copies, classes]."""
    images = keras.Input((inputs,))
    # The copies see the same images, so that one wide layer is their hidden layers side by side.
    hidden = keras.layers.Dense(copies * UNITS, activation="relu", kernel_initializer="he_normal")(images)
    hidden = keras.layers.Reshape((copies, UNITS))(hidden)
    weights = keras.initializers.RandomNormal(stddev=UNITS**-0.5)
    scores = keras.layers.EinsumDense("bcu,cuk->bck", (copies, CLASSES), bias_axes="ck", kernel_initializer=weights)
    return keras.Model(images, scores(hidden))


def course(images: np.ndarray, labels: np.ndarray, test_images: np.ndarray, test_labels: np.ndarray) -> np.ndarray:
    """Trains a network on each column of labels, all on the same images.

    Args:
        images, test_images: float64 [rows, pixels].
        labels, test_labels: int64 [rows, copies].

    Returns:
        float64 [POINTS, 2, copies], the error on the training and on the test images after each STEPS steps.
    """
    copies = labels.shape[1]
    model = networks(images.shape[1], copies)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(RATE), loss, steps_per_execution=STEPS, jit_compile=False)
    repeated = np.tile(images, (STEPS, 1)), np.tile(labels, (STEPS, 1))
    errors = []
    for _ in range(POINTS):
        model.fit(*repeated, batch_size=len(images), shuffle=False, verbose=0)
        parts = ((images, labels), (test_images, test_labels))
        errors.append([(_answers(model, x) != t).mean(axis=0) for x, t in parts])
    return np.array(errors)


def _answers(model: keras.Model, images: np.ndarray) -> np.ndarray:
    answers: np.ndarray = np.asarray(model(images)).argmax(axis=2)
    return answers


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    images, truth = load_digits(return_X_y=True)
    images = (images - images.mean()) / images.std()
    order = rng.permutation(len(truth))
    images, truth = images[order], truth[order]
    shares = np.repeat(SHARES, REPETITIONS)
    # Test labels are drawn as the training labels are: where all are, no answer is better than chance.
    labels, test_labels = (
        np.column_stack([draw(rng, part, share) for share in shares]) for part in (truth[:ROWS], truth[ROWS:])
    )
    found = course(images[:ROWS], labels, images[ROWS:], test_labels)
    means = found.reshape(POINTS, 2, len(SHARES), REPETITIONS).mean(axis=3)
    training, test = means[-1]
    chance, worst = 1 - 1 / CLASSES, float(found[-1, 0].max())
    learnt = [STEPS * (1 + int((means[:, 0, row] <= 0.01).argmax())) for row in (0, -1)]
    return lab.Result(
        checks={
            "no network errs on more than 1 in 100 of its training labels, whatever their share by lot": worst <= 0.01,
            "all labels by lot: the test error is within 3 points of chance": bool(abs(test[-1] - chance) <= 0.03),
            "no label by lot: the test error is at most 10 %": bool(test[0] <= 0.1),
            "the test error grows with the share by lot, at the same training error": bool((np.diff(test) > 0).all()),
        },
        numbers={
            **{f"training error, {share:.0%} by lot": float(e) for share, e in zip(SHARES, training, strict=True)},
            **{f"test error, {share:.0%} by lot": float(e) for share, e in zip(SHARES, test, strict=True)},
            "largest training error of any network": worst,
            "chance": chance,
            "steps to 1 % training error, true labels": learnt[0],
            "steps to 1 % training error, labels by lot": learnt[1],
        },
        setting={
            "data": f"digits, {ROWS} training and {len(truth) - ROWS:,} test images",
            "share of labels drawn by lot, in training and test": SHARES,
            "networks of each": REPETITIONS,
            "hidden units": UNITS,
            "training": f"{POINTS * STEPS} steps of Adam on all training images, rate {RATE}",
        },
        seen=(
            f"All networks came to a training error of at most {worst:.1%}: the true labels in {learnt[0]} steps, "
            f"labels by lot in {learnt[1]}. The test error was {test[0]:.1%} with the true labels and {test[-1]:.1%} "
            f"with those by lot, where chance is {chance:.0%}."
        ),
        figure=_figure(means),
    )


def _figure(means: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    steps = STEPS * (1 + np.arange(POINTS))
    for row, (name, colour) in enumerate((("true labels", "C0"), ("labels by lot", "C1"))):
        copies = means[:, :, -row]  # the first share and the last
        left.plot(steps, copies[:, 0], "-", color=colour, label=f"training, {name}")
        left.plot(steps, copies[:, 1], "--", color=colour, label=f"test, {name}")
    left.axhline(1 - 1 / CLASSES, color="0.6", linewidth=1)
    left.annotate("chance", (steps[-1], 1 - 1 / CLASSES), (0, -12), textcoords="offset points", ha="right", color="0.4")
    left.set(xlabel="steps of Adam", ylabel="share of wrong answers", ylim=(-0.02, 1.02))
    left.legend(fontsize=9, loc="center right")
    right.plot(SHARES, means[-1, 1], "s--", color="C1", label="test")
    right.plot(SHARES, means[-1, 0], "o-", color="C0", label="training")
    right.set(xlabel="share of labels drawn by lot", ylabel="share of wrong answers at the end", ylim=(-0.02, 1.02))
    right.legend()
    return figure
