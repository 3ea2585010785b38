"""Compares the training error of regressions with ever more parameters with their error on new data.

A model is fitted to the very data that its training error is measured on, so that this error is too low. For least
squares with d parameters and noise of variance sigma^2 it is too low by 2 d sigma^2 / N on average, where new targets
are drawn at the same inputs (Efron 1986, How biased is the apparent error rate of a prediction rule?; Hastie,
Tibshirani and Friedman 2009, The Elements of Statistical Learning, section 7.4).

Run it with `ann lab optimism`.
"""

from __future__ import annotations

import matplotlib.figure
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

from ann_keras.labs import lab

CLAIM = "Training error underestimates the error on new data, the more so the more parameters a model has."
EQUATION = r"E \left[ \mathrm{error}_{new} - \mathrm{error}_{training} \right] = \frac{2 \, d \, \sigma^2}{N}"

ROWS, NOISE = 60, 0.5
"""Observations of the toy data, and the deviation of their noise."""
DEGREES = (1, 3, 5, 9, 14, 19, 24, 29)
REPETITIONS = 10_000
PARAMETERS = (2, 4, 8, 16, 32, 50, 66)
"""Of the models of the diabetes data: a constant, then products of its features in random order."""
TRAINING_ROWS, SPLITS = 150, 100


def least_squares(design: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The weights of smallest sum of squares.

    Args:
        design: float64 [rows, parameters].
        targets: float64 [rows] or [rows, repetitions].

    Returns:
        float64 [parameters] or [parameters, repetitions].
    """
    weights: np.ndarray = np.linalg.lstsq(design, targets, rcond=None)[0]
    return weights


def toy_errors(rng: np.random.Generator, degree: int) -> tuple[float, float]:
    """Mean squared error on training targets and on new targets at the same inputs, of a polynomial of `degree`.

    The truth is a parabola, so that all but the first model can be it.
    """
    x = np.linspace(-1, 1, ROWS)
    design = np.polynomial.legendre.legvander(x, degree)
    truth = (1 - x - 2 * x**2)[:, None]
    targets, new = truth + NOISE * rng.normal(size=(2, ROWS, REPETITIONS))
    answers = design @ least_squares(design, targets)
    return float(np.square(answers - targets).mean()), float(np.square(answers - new).mean())


def diabetes_errors(rng: np.random.Generator) -> np.ndarray:
    """Mean squared errors on training and test rows, float64 [2, PARAMETERS, SPLITS], in squared deviations of t.

    A model with d parameters has a constant and d - 1 of the features, their squares and products, in random order.
    """
    features, targets = load_diabetes(return_X_y=True)
    products = PolynomialFeatures(2, include_bias=False).fit_transform(features)
    products /= products.std(axis=0)
    targets = (targets - targets.mean()) / targets.std()
    errors = np.empty((2, len(PARAMETERS), SPLITS))
    for split in range(SPLITS):
        order = rng.permutation(len(targets))
        parts = order[:TRAINING_ROWS], order[TRAINING_ROWS:]
        columns = rng.permutation(products.shape[1])
        for row, parameters in enumerate(PARAMETERS):
            design = np.column_stack([np.ones(len(targets)), products[:, columns[: parameters - 1]]])
            weights = least_squares(design[parts[0]], targets[parts[0]])
            for which, rows in enumerate(parts):
                errors[which, row, split] = np.square(design[rows] @ weights - targets[rows]).mean()
    return errors


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    toy = np.array([toy_errors(rng, degree) for degree in DEGREES]).T
    parameters = 1 + np.array(DEGREES)
    theory = 2 * parameters * NOISE**2 / ROWS
    measured = toy[1] - toy[0]
    deviation = float(np.abs(measured - theory).max())
    diabetes = diabetes_errors(rng)
    gap = (diabetes[1] - diabetes[0]).mean(axis=1)
    low, high = float((diabetes[1, 0] - diabetes[0, 0]).mean()), float((diabetes[1, -1] - diabetes[0, -1]).mean())
    optimistic = float((diabetes[1, -1] > diabetes[0, -1]).mean())
    return lab.Result(
        checks={
            "toy: the gap is 2 d sigma^2 / N within 0.005 at every d": deviation < 0.005,
            "toy: it grows with every step of d": bool((np.diff(measured) > 0).all()),
            "toy: the largest model has the smallest training error": bool(toy[0].argmin() == len(DEGREES) - 1),
            "toy: and not the smallest error on new data": bool(toy[1].argmin() < len(DEGREES) - 2),
            "diabetes: the gap grows with every step of d": bool((np.diff(gap) > 0).all()),
            "diabetes: it is at least 5 times as large with the most parameters as with the fewest": high >= 5 * low,
            "diabetes: training error is below test error in at least 95 % of the splits there": optimistic >= 0.95,
        },
        numbers={
            **{f"toy, training error, {d} parameters": float(e) for d, e in zip(parameters, toy[0], strict=True)},
            **{f"toy, error on new data, {d} parameters": float(e) for d, e in zip(parameters, toy[1], strict=True)},
            "toy, largest distance of the gap from 2 d sigma^2 / N": deviation,
            **{
                f"diabetes, test less training error, {d} parameters": float(value)
                for d, value in zip(PARAMETERS, gap, strict=True)
            },
        },
        setting={
            "toy": f"parabola, {ROWS} rows, noise {NOISE}, polynomials, {REPETITIONS:,} repetitions",
            "diabetes": f"{TRAINING_ROWS} training rows of 442, {SPLITS} splits, squared errors over the variance of t",
        },
        seen=(
            f"On the toy data the gap followed 2 d sigma^2 / N to {deviation:.4f}: {measured[0]:.3f} with "
            f"{parameters[0]} parameters, {measured[-1]:.3f} with {parameters[-1]}. On diabetes training error was too "
            f"low by {low:.3f} of the variance with {PARAMETERS[0]} parameters and by {high:.2f} with {PARAMETERS[-1]}."
        ),
        figure=_figure(parameters, toy, diabetes.mean(axis=2)),
    )


def _figure(parameters: np.ndarray, toy: np.ndarray, diabetes: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    for axes, counts, (training, new), names in (
        (left, parameters, toy, ("training", "new targets")),
        (right, np.array(PARAMETERS), diabetes, ("training", "test")),
    ):
        axes.plot(counts, new, "s-", color="C1", label=names[1])
        axes.plot(counts, training, "o-", color="C0", label=names[0])
        axes.fill_between(counts, training, new, color="0.9", label="optimism")
        axes.set(xlabel="parameters d", ylim=(0, None))
    left.plot(parameters, toy[0] + 2 * parameters * NOISE**2 / ROWS, "k:", label=r"training $+\; 2 d \sigma^2 / N$")
    left.axhline(NOISE**2, color="0.5", linewidth=1)
    left.annotate("noise", (parameters[-1], NOISE**2), (0, 3), textcoords="offset points", ha="right", color="0.4")
    left.set(ylabel="mean squared error", title="toy: a parabola under noise", ylim=(0, 0.6))
    right.set(ylabel="mean squared error / variance of t", title="diabetes")
    left.legend()
    right.legend()
    return figure
