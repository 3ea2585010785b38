"""Approximates functions by one hidden layer of S-shaped units, ever wider, and by one of polynomial units.

One hidden layer of sigmoids comes as near as wanted to any continuous function on a compact set, if it is wide enough
(Cybenko 1989, Approximation by superpositions of a sigmoidal function; Hornik 1991, Approximation capabilities of
multilayer feedforward networks). It does so with exactly those activations that are not polynomials (Leshno, Lin,
Pinkus and Schocken 1993, Multilayer feedforward networks with a nonpolynomial activation function can approximate any
function). The theorem says that weights exist: here, random hidden units whose output weights are the least squares
solution. It does not say that training finds them: networks of the same widths are trained beside it.

Run it with `ann lab universal_approximation`.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.figure
import numpy as np

from ann_keras.labs import lab, networks

CLAIM = "One hidden layer of S-shaped units comes as near as wanted to a continuous function, if it is wide enough."
EQUATION = r"\sup_{x \in K} \, \left| f(x) - \sum_{j=1}^{J} v_j \, g(w_j x + b_j) - v_0 \right| < \varepsilon"

TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "waves": lambda x: np.sin(3 * np.pi * x),
    "kink": lambda x: 2 * np.abs(x) - 1,
    "bump": lambda x: 2 * np.exp(-50 * (x - 0.3) ** 2) - 1,
}
"""Continuous functions from [-1, 1] to [-1, 1]."""
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "square": np.square}
WIDTHS = (1, 2, 4, 8, 16, 32, 64)
DRAWS = 20
"""Random hidden layers of each width, of which the best counts: the theorem is on the best weights."""
STEEPEST = 10.0
POINTS, TEST_POINTS = 400, 1_999
TRAINED, TRAINED_WIDTHS = "waves", (4, 16, 64)
RESTARTS, TRAINING_POINTS, STEPS, RATE = 5, 200, 1_500, 0.05
"""Trained networks of each width, their points, steps of Adam on all of these and its first rate."""


def features(x: np.ndarray, slopes: np.ndarray, centres: np.ndarray, activation: str) -> np.ndarray:
    """The hidden units' answers and a constant.

    Args:
        x: float64 [points].
        slopes, centres: float64 [width]; a unit answers activation(slope (x - centre)).
        activation: a key of ACTIVATIONS.

    Returns:
        float64 [points, width + 1].
    """
    hidden = ACTIVATIONS[activation](slopes * (x[:, None] - centres))
    return np.column_stack([hidden, np.ones(len(x))])


def smallest_error(
    rng: np.random.Generator, target: Callable[[np.ndarray], np.ndarray], width: int, activation: str
) -> float:
    """The largest error on [-1, 1] of the best of DRAWS hidden layers, each with its least squares output weights."""
    x, test_x = np.linspace(-1, 1, POINTS), np.linspace(-1, 1, TEST_POINTS)
    errors = []
    for _ in range(DRAWS):
        slopes, centres = rng.uniform(-STEEPEST, STEEPEST, width), rng.uniform(-1, 1, width)
        weights = np.linalg.lstsq(features(x, slopes, centres, activation), target(x), rcond=None)[0]
        found = features(test_x, slopes, centres, activation) @ weights
        errors.append(float(np.abs(found - target(test_x)).max()))
    return min(errors)


def trained_errors() -> np.ndarray:
    """The largest error on [-1, 1] of trained networks, [TRAINED_WIDTHS, RESTARTS]."""
    x, test_x = (np.tile(np.linspace(-1, 1, rows)[:, None], (1, RESTARTS)) for rows in (TRAINING_POINTS, TEST_POINTS))
    model = networks.build(TRAINED_WIDTHS, RESTARTS, STEEPEST)
    networks.train(model, x, TARGETS[TRAINED](x), STEPS, RATE)
    answers = model.predict(test_x, batch_size=TEST_POINTS, verbose=0)
    largest: np.ndarray = np.abs(answers - TARGETS[TRAINED](test_x)[:, None]).max(axis=0)
    return largest


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    rng = np.random.default_rng(seed)
    errors = {
        (activation, name): np.array([smallest_error(rng, target, width, activation) for width in WIDTHS])
        for activation in ACTIVATIONS
        for name, target in TARGETS.items()
    }
    trained = trained_errors()
    widest = {name: float(errors["tanh", name][-1]) for name in TARGETS}
    gains = {name: float(errors["tanh", name][0] / errors["tanh", name][-1]) for name in TARGETS}
    stalled = float(min(errors["square", name].min() for name in TARGETS))
    best = [float(error) for error in trained.min(axis=1)]
    return lab.Result(
        checks={
            "64 S-shaped units come within 0.001 of the smooth targets": max(widest["waves"], widest["bump"]) < 1e-3,
            "and within 0.03 of the kink": widest["kink"] < 0.03,
            "on every target the error falls at least 20 times from width 1 to 64": min(gains.values()) >= 20,
            "units that square never come within 0.3 of any target, at no width": stalled > 0.3,
            "the best trained network of width 64 errs at most a tenth of that of width 4": best[-1] <= best[0] / 10,
            "but at least 100 times as much as the least squares weights": best[-1] >= 100 * widest[TRAINED],
        },
        numbers={
            **{
                f"largest error on {name}, {activation}, width {width}": float(found[WIDTHS.index(width)])
                for (activation, name), found in errors.items()
                for width in (1, 8, 64)
            },
            **{
                f"largest error on {TRAINED}, best of {RESTARTS} trained networks, width {width}": error
                for width, error in zip(TRAINED_WIDTHS, best, strict=True)
            },
        },
        setting={
            "targets on [-1, 1]": tuple(TARGETS),
            "widths": WIDTHS,
            "random hidden layers a width": DRAWS,
            "training": f"{RESTARTS} networks a width, {STEPS:,} steps of Adam from rate {RATE}",
        },
        seen=(
            f"With random hidden units and least squares output weights the largest error on the waves fell from "
            f"{errors['tanh', 'waves'][0]:.2f} at width 1 to {widest['waves']:.0e} at 64, on the kink, which is not "
            f"smooth, to {widest['kink']:.3f}. Units that square stayed above {stalled:.2f} at every width. Trained "
            f"networks of width 64 came to {best[-1]:.3f} on the waves: better weights exist than gradient descent "
            f"found."
        ),
        figure=_figure(errors, trained),
    )


def _figure(errors: dict[tuple[str, str], np.ndarray], trained: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9.0)
    left, right = figure.subplots(1, 2)
    for (name, target), colour in zip(TARGETS.items(), ("C0", "C1", "C2"), strict=True):
        x = np.linspace(-1, 1, POINTS)
        left.plot(x, target(x), color=colour, label=name)
        right.loglog(WIDTHS, errors["tanh", name], "o-", color=colour, label=f"{name}, tanh units")
        right.loglog(WIDTHS, errors["square", name], "x:", color=colour)
    right.plot([], [], "x:", color="0.4", label="the same, squaring units")
    right.loglog(TRAINED_WIDTHS, trained.min(axis=1), "s--", color="C3", label=f"{TRAINED}, tanh, trained")
    left.set(xlabel="x", ylabel="target f(x)", ylim=(-1.1, 1.6))
    left.set_xticks([-1, -0.5, 0, 0.5, 1])
    left.legend(ncols=3, loc="upper center")
    right.set(xlabel="hidden units J", ylabel="largest error on [-1, 1]")
    right.set_xticks(WIDTHS, labels=map(str, WIDTHS))
    right.minorticks_off()
    right.legend(fontsize=9, loc="lower left")
    return figure
