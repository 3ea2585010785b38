"""Trains one sigmoid unit on the sum of squares and on the cross-entropy, from good and from bad starts.

The cross-entropy is the negative log-likelihood of labels under a Bernoulli distribution, the sum of squares that of
targets under Gaussian noise. With g = sigmoid(a), the gradient of the cross-entropy in a is g - t, that of the squares
2 (g - t) g (1 - g), which vanishes where the unit is sure, even where it is surely wrong (Bishop 2006, Pattern
Recognition and Machine Learning, section 4.3.2, eq. 4.91; Solla, Levin and Fleisher 1988, Accelerated learning in
layered neural networks).

Run it with `ann lab squares_or_cross_entropy`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import matplotlib.figure
import numpy as np
from keras import ops
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ann_keras.labs import lab

CLAIM = "Cross-entropy pulls a classifier out of confident mistakes, where squares at the same rate hardly move it."
EQUATION = (
    r"\frac{\partial}{\partial a} \left[ -t \log g - (1-t) \log (1-g) \right] = g - t, \qquad "
    r"\frac{\partial}{\partial a} (t-g)^2 = 2 \, (g-t) \, g \, (1-g)"
)

STARTS = 30
STARTING = {"bad": 2.0, "good": 0.01}
"""Deviation of the initial weights: with the first, logits beyond -10 and 10 are usual."""
RATE, HIGH_RATE = 1.0, 100.0
EPOCHS, STEPS = 40, 5
"""Points of a course, and steps of gradient descent on all examples between them."""
ENOUGH = 0.9
"""The accuracy whose reaching is timed."""
LOGITS = np.linspace(-10, 10, 81)


def squares(t: Any, logits: Any) -> Any:
    """(t - sigmoid(a))^2, averaged over the units: float32 [batch] of [batch, units] in {0, 1} and logits."""
    return ops.mean(ops.square(ops.cast(t, logits.dtype) - ops.sigmoid(logits)), axis=-1)


LOSSES: dict[str, Callable[..., Any]] = {
    "cross-entropy": keras.losses.BinaryCrossentropy(from_logits=True),
    "squares": squares,
}


def gradient(loss: Callable[..., Any], logits: np.ndarray) -> np.ndarray:
    """The derivative of a loss in each logit, where t = 1: read from one step of gradient descent.

    Args:
        loss: averages over the units.
        logits: float64 [units].

    Returns:
        float32 [units].
    """
    units = len(logits)
    inputs = keras.Input((units,))
    shift = keras.layers.Dense(units, kernel_initializer="zeros")
    model = keras.Model(inputs, inputs + shift(inputs))
    model.compile(keras.optimizers.SGD(float(units)), loss, jit_compile=False)
    model.fit(logits[None], np.ones((1, units)), verbose=0)
    return -np.asarray(shift.bias)


def course(loss: Callable[..., Any], data: list[np.ndarray], weights: np.ndarray, rate: float) -> np.ndarray:
    """Trains a unit from each start, all at once.

    Args:
        loss: averages over the units.
        data: training and test features, [rows, features], training and test labels, [rows, 1], 0 or 1.
        weights: [features, starts], the initial ones.
        rate: of gradient descent.

    Returns:
        float64 [1 + EPOCHS, starts], the accuracy on the test examples after each STEPS steps.
    """
    features, test_features, labels, test_labels = data
    starts = weights.shape[1]
    model = keras.Sequential([keras.Input((features.shape[1],)), keras.layers.Dense(starts)])
    model.set_weights([weights, np.zeros(starts)])
    # A loss averages over the units, whose gradients do not depend on each other: the rate undoes that.
    model.compile(keras.optimizers.SGD(rate * starts), loss, steps_per_execution=STEPS, jit_compile=False)
    targets = np.repeat(labels, starts, axis=1)
    accuracies: list[np.ndarray] = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: accuracies.append(_accuracy(model, test_features, test_labels))
    )
    accuracies.append(_accuracy(model, test_features, test_labels))
    batch = {"batch_size": len(features), "shuffle": False, "verbose": 0}
    rows = np.tile(features, (STEPS, 1)), np.tile(targets, (STEPS, 1))
    model.fit(*rows, epochs=EPOCHS, callbacks=[watch], **batch)
    return np.array(accuracies)


def _accuracy(model: keras.Model, features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    kernel, bias = model.get_weights()
    found: np.ndarray = ((features @ kernel + bias > 0) == labels).mean(axis=0)
    return found


def steps_to(accuracies: np.ndarray, enough: float) -> np.ndarray:
    """The steps until each start first has an accuracy.

    Args:
        accuracies: float64 [points, starts], STEPS steps apart.
        enough: the accuracy, in [0, 1].

    Returns:
        float64 [starts]; the number of all steps where it never has it.
    """
    reached = accuracies >= enough
    return np.where(reached.any(axis=0), STEPS * reached.argmax(axis=0), STEPS * (len(accuracies) - 1.0))


def _data(rng: np.random.Generator) -> list[np.ndarray]:
    """One half of the data to train on, standardised, and the other half to measure on, as of `course`."""
    features, labels = load_breast_cancer(return_X_y=True)
    parts = train_test_split(
        features, labels[:, None], test_size=0.5, stratify=labels, random_state=int(rng.integers(2**31))
    )
    scale = StandardScaler().fit(parts[0])
    return [scale.transform(parts[0]), scale.transform(parts[1]), *parts[2:]]


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    data = _data(rng)
    starts = {name: rng.normal(0, deviation, (data[0].shape[1], STARTS)) for name, deviation in STARTING.items()}
    gradients = {name: gradient(loss, LOGITS) for name, loss in LOSSES.items()}
    courses = {
        (name, start, rate): course(loss, data, starts[start], rate)
        for start, rate in (("bad", RATE), ("bad", HIGH_RATE), ("good", RATE))
        for name, loss in LOSSES.items()
    }
    steps = {key: float(np.median(steps_to(found, ENOUGH))) for key, found in courses.items()}
    wrong = {name: float(-found[0]) for name, found in gradients.items()}
    final = {key: float(found[-1].mean()) for key, found in courses.items()}
    entropy, square = (steps[name, "bad", RATE] for name in LOSSES)
    good = final["squares", "good", RATE] - final["cross-entropy", "good", RATE]
    return lab.Result(
        checks={
            "at a logit of -10 for t = 1 the cross-entropy pulls with at least 0.99": wrong["cross-entropy"] >= 0.99,
            "and the squares with at most 0.001": wrong["squares"] <= 1e-3,
            f"from bad starts squares need at least 3 times the steps to {ENOUGH:.0%} accuracy": square >= 3 * entropy,
            "from good starts squares end within 2 points of accuracy of the cross-entropy, or better": good >= -0.02,
        },
        numbers={
            **{f"pull of the {name} at a logit of -10 for t = 1": value for name, value in wrong.items()},
            **{
                f"median steps to {ENOUGH:.0%} test accuracy, {name}, {start} starts, rate {rate:g}": value
                for (name, start, rate), value in steps.items()
            },
            **{
                f"mean test accuracy after {EPOCHS * STEPS} steps, {name}, {start} starts, rate {rate:g}": value
                for (name, start, rate), value in final.items()
            },
        },
        setting={
            "data": "breast_cancer, standardised, one half to train and one to test",
            "starts": STARTS,
            "deviation of the initial weights": STARTING,
            "rates": (RATE, HIGH_RATE),
            "steps on all training examples": EPOCHS * STEPS,
        },
        seen=(
            f"At a logit of -10 for t = 1 the cross-entropy pulls with {wrong['cross-entropy']:.3f}, the squares with "
            f"{wrong['squares']:.1e}. From bad starts at rate {RATE:g} the median run had {ENOUGH:.0%} test accuracy "
            f"after {entropy:.0f} steps with the cross-entropy and {square:.0f} with squares; a rate of {HIGH_RATE:g} "
            f"makes up for it here ({steps['squares', 'bad', HIGH_RATE]:.0f} steps). From good starts squares end "
            f"{100 * good:+.1f} points of accuracy from the cross-entropy."
        ),
        figure=_figure(gradients, courses),
    )


def _figure(
    gradients: dict[str, np.ndarray], courses: dict[tuple[str, str, float], np.ndarray]
) -> matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    colours = dict(zip(LOSSES, ("C0", "C1"), strict=True))
    for name, values in gradients.items():
        left.plot(LOGITS, -values, color=colours[name], linestyle="-" if name == "cross-entropy" else "--", label=name)
    left.set(xlabel="logit a of an example with t = 1", ylabel=r"pull towards t: $-\partial E / \partial a$")
    left.annotate("surely wrong", (-10, -0.07))
    left.annotate("surely right", (10, -0.07), ha="right")
    left.set_ylim(-0.12, 1.05)
    left.legend()
    steps = STEPS * np.arange(EPOCHS + 1)
    for (name, start, rate), found in courses.items():
        if rate == RATE:
            low, middle, high = np.quantile(found, (0.1, 0.5, 0.9), axis=1)
            style = "-" if start == "bad" else ":"
            right.plot(steps, middle, style, color=colours[name], label=f"{name}, {start} starts")
            right.fill_between(steps, low, high, color=colours[name], alpha=0.15, linewidth=0)
    right.set(xlabel=f"steps of gradient descent at rate {RATE:g}", ylabel="test accuracy", ylim=(0, 1.02))
    right.set_title(f"median of {STARTS} starts; band: 10 % to 90 %", fontsize=10)
    right.legend(loc="lower right")
    return figure
