"""Counts the steps of gradient descent with and without memory down valleys of growing condition number.

Polyak 1964, Some methods of speeding up the convergence of iteration methods, for the velocity and the best rates;
Nesterov 1983, A method of solving a convex programming problem with convergence rate O(1/k^2). The course writes both
with the last gradient alone (`ann_keras.optimizers.CourseMomentum`), which is the velocity's sum cut after two terms.
Every method gets its best rates for the valley: in closed form, or for the course's forms from a search over both.

Run it with `ann lab momentum`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import matplotlib.figure
import numpy as np
from keras import ops

from ann_keras.labs import lab
from ann_keras.optimizers import CourseMomentum, CourseNesterov

CLAIM = (
    "Momentum and Nesterov's gradient cross an ill-conditioned valley in a number of steps that grows with the square "
    "root of its condition number, gradient descent and one-step momentum in one that grows with it."
)
EQUATION = (
    r"v_{k+1} = \mu v_k - \eta\, g(w_k), \quad w_{k+1} = w_k + v_{k+1} = w_k - \eta\, g(w_k) - "
    r"\eta \mu\, g(w_{k-1}) - \eta \mu^2 g(w_{k-2}) - \ldots"
)

CONDITIONS = (10, 30, 100, 200)
DRAWN = 100
STARTS = 20
ENOUGH = 1e-4
"""Distance from the minimum at which a start, at distance 1, has arrived."""
QUIET = 20
MOST_STEPS = 4000
STYLES = {
    "gradient descent": "C7o-",
    "one-step momentum": "C1s--",
    "one-step Nesterov": "C4v:",
    "Nesterov": "C2^-",
    "momentum": "C0D-",
}
"""Format of each method's lines."""

Rates = tuple[float, float]
"""Learning rate and momentum."""


def contraction(now: np.ndarray | float, before: np.ndarray | float, curvature: np.ndarray) -> np.ndarray:
    """By what the distance shrinks in a step of w_{k+1} = w_k - now g(w_k) - before g(w_{k-1}), in the long run.

    It is the largest root of r^2 - (1 - now c) r + before c = 0 over all curvatures c.

    Args:
        now, before: rates of the two gradients, float [rates] or numbers.
        curvature: eigenvalues of the Hessian, float [units].

    Returns:
        float [rates], or a number.
    """
    half = (1 - np.multiply.outer(now, curvature)) / 2
    root = np.emath.sqrt(half**2 - np.multiply.outer(before, curvature))
    largest: np.ndarray = np.max(np.maximum(np.abs(half + root), np.abs(half - root)), axis=-1)
    return largest


def searched(condition: float, rates: Callable[[Any, Any], tuple[Any, Any]]) -> Rates:
    """The learning rate and momentum of the smallest `contraction`, for curvatures 1/condition to 1.

    Args:
        condition: largest over smallest curvature.
        rates: of a learning rate and a momentum: what the last gradient and the one before it are multiplied with.
    """
    curvature = np.geomspace(1 / condition, 1, 25)
    rate_axis, momentum_axis = np.linspace(0.1, 3.2, 125), np.linspace(0, 0.98, 99)
    for _ in range(3):
        learning_rate, momentum = (axis.ravel() for axis in np.meshgrid(rate_axis, momentum_axis))
        place = np.argmin(contraction(*rates(learning_rate, momentum), curvature))
        best = float(learning_rate[place]), float(momentum[place])
        rate_step, momentum_step = rate_axis[1] - rate_axis[0], momentum_axis[1] - momentum_axis[0]
        rate_axis = np.linspace(best[0] - 2 * rate_step, best[0] + 2 * rate_step, 41)
        momentum_axis = np.linspace(max(best[1] - 2 * momentum_step, 0), best[1] + 2 * momentum_step, 41)
    return best


@functools.cache
def best_rates(condition: float) -> dict[str, Rates]:
    """The best learning rate and momentum of each method for curvatures from 1/condition to 1."""
    low, root = 1 / condition, condition**0.5
    return {
        "gradient descent": (2 / (1 + low), 0.0),
        "one-step momentum": searched(condition, lambda rate, m: (rate, rate * m)),
        "one-step Nesterov": searched(condition, lambda rate, m: (rate * (1 + m), -rate * m)),
        "Nesterov": (1.0, (root - 1) / (root + 1)),
        "momentum": (4 / (1 + low**0.5) ** 2, ((root - 1) / (root + 1)) ** 2),
    }


def optimizer(method: str, rates: Rates) -> keras.optimizers.Optimizer:
    """The Keras optimizer of a method."""
    rate, m = rates
    if method == "one-step momentum":
        return CourseMomentum(rate, m)
    if method == "one-step Nesterov":
        return CourseNesterov(rate, m)
    return keras.optimizers.SGD(rate, momentum=m, nesterov=method == "Nesterov")


def descend(method: keras.optimizers.Optimizer, condition: float, starts: np.ndarray) -> np.ndarray:
    """Walks down 0.5 (w_1^2 / condition + w_2^2) until all starts have arrived for QUIET steps.

    Args:
        method: the optimizer.
        condition: largest over smallest curvature.
        starts: float32 [starts, 2], at distance 1 from the minimum.

    Returns:
        The places, float32 [steps + 1, starts, 2].
    """
    curvature = np.array([1 / condition, 1.0], "float32")
    w, places, quiet = keras.Variable(starts), [starts], 0
    while quiet < QUIET and len(places) <= MOST_STEPS:
        method.apply([ops.convert_to_tensor(curvature * places[-1])], [w])
        places.append(ops.convert_to_numpy(w).copy())
        quiet = quiet + 1 if np.all(np.linalg.norm(places[-1], axis=1) <= ENOUGH) else 0
    return np.array(places)


def steps_needed(places: np.ndarray) -> np.ndarray:
    """The step from which on each start stays within ENOUGH of the minimum, int [starts].

    Args:
        places: float [steps + 1, starts, 2].
    """
    far = np.linalg.norm(places, axis=2) > ENOUGH
    first: np.ndarray = len(far) - np.argmax(far[::-1], axis=0)
    return first


def run(seed: int = 0) -> lab.Result:
    """Runs the experiment."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, STARTS)
    starts = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype("float32")
    steps: dict[str, list[float]] = {}
    paths: dict[str, np.ndarray] = {}
    for condition in CONDITIONS:
        for method, rates in best_rates(condition).items():
            places = descend(optimizer(method, rates), condition, starts)
            steps.setdefault(method, []).append(float(np.mean(steps_needed(places))))
            if condition == DRAWN:
                paths[method] = places
    growth = {method: float(np.polyfit(np.log(CONDITIONS), np.log(mean), 1)[0]) for method, mean in steps.items()}
    return _result(steps, growth, paths, _third_step(starts))


def _third_step(starts: np.ndarray) -> tuple[float, float]:
    """How far the one-step momentum is from Keras's after two steps, and after the third, beside the missing term.

    Returns:
        The largest difference after two steps, and of the third step's from eta m^2 g(w_0), both as shares of the
        largest missing term.
    """
    rate, m = 0.5, 0.8
    curvature = np.array([1 / CONDITIONS[-1], 1.0])
    course, keras_ = (keras.Variable(starts) for _ in range(2))
    pair = ((CourseMomentum(rate, m), course), (keras.optimizers.SGD(rate, momentum=m), keras_))
    missing = rate * m**2 * curvature * starts
    differences = []
    for _ in range(3):
        for method, w in pair:
            method.apply([ops.multiply(ops.convert_to_tensor(curvature, "float32"), w)], [w])
        differences.append(ops.convert_to_numpy(course) - ops.convert_to_numpy(keras_))
    scale = np.max(np.abs(missing))
    return float(np.max(np.abs(differences[1])) / scale), float(np.max(np.abs(differences[2] - missing)) / scale)


def _result(
    steps: dict[str, list[float]], growth: dict[str, float], paths: dict[str, np.ndarray], third: tuple[float, float]
) -> lab.Result:
    last = {method: mean[-1] for method, mean in steps.items()}
    plain, one_step = last["gradient descent"], last["one-step momentum"]
    fastest = max(last["momentum"], last["Nesterov"])
    return lab.Result(
        checks={
            "the steps of gradient descent grow with the condition number to the power of 0.85 to 1.15": (
                0.85 <= growth["gradient descent"] <= 1.15
            ),
            "those of momentum and Nesterov to the power of 0.35 to 0.65": all(
                0.35 <= growth[method] <= 0.65 for method in ("momentum", "Nesterov")
            ),
            f"momentum and Nesterov need at most a quarter of its steps at {CONDITIONS[-1]}": fastest <= plain / 4,
            "one-step momentum saves steps, but not more than two thirds of them": plain / 3 <= one_step < plain,
            "the steps of one-step momentum grow to the power of at least 0.8": growth["one-step momentum"] >= 0.8,
            "two steps of one-step momentum are Keras's, the third lacks eta mu^2 g(w_0), to 1e-5": (
                max(third) <= 1e-5
            ),
        },
        numbers={
            **{
                f"steps of {method} at condition number {condition}": steps[method][place]
                for method in steps
                for place, condition in enumerate(CONDITIONS)
            },
            **{f"power of the condition number, {method}": growth[method] for method in growth},
            "difference of one-step and Keras's momentum after 2 steps": third[0],
            "difference after 3 steps from the term that is missing": third[1],
        },
        setting={
            "valley": "0.5 (w1^2 / condition number + w2^2)",
            "starts": f"{STARTS} on the unit circle",
            "arrived": f"stays within {ENOUGH:g} of the minimum, from a distance of 1",
            "rates": "the best of each method at each condition number: "
            + "; ".join(f"{name} {rate:.2f}, {m:.2f}" for name, (rate, m) in best_rates(DRAWN).items())
            + f" (learning rate, momentum at {DRAWN})",
        },
        seen=(
            f"At condition number {CONDITIONS[-1]} gradient descent needs {plain:.0f} steps, Nesterov "
            f"{last['Nesterov']:.0f}, momentum {last['momentum']:.0f}, and the course's one-step form {one_step:.0f}; "
            f"the powers of the condition number are {growth['gradient descent']:.2f}, {growth['Nesterov']:.2f}, "
            f"{growth['momentum']:.2f} and {growth['one-step momentum']:.2f}. "
            f"One-step Nesterov, which steps from where it was before the jump, needs "
            f"{last['one-step Nesterov']:.0f}."
        ),
        figure=_drawn(steps, paths),
    )


def _drawn(steps: dict[str, list[float]], paths: dict[str, np.ndarray]) -> matplotlib.figure.Figure:
    figure = lab.figure(10, 4.2)
    course, counts = figure.subplots(1, 2)
    for method, places in paths.items():
        distance = np.exp(np.mean(np.log(np.linalg.norm(places, axis=2)), axis=1))
        course.semilogy(distance, STYLES[method], markevery=0.15, linewidth=1.2, markersize=5, label=method)
    course.axhline(ENOUGH, color="0.7", linewidth=0.8)
    course.set(xlabel="step", ylabel="distance from the minimum, mean of the starts", ylim=(ENOUGH / 10, 3))
    course.set_title(f"condition number {DRAWN}", fontsize=10)
    course.legend(loc="upper right", fontsize=8)
    for method, mean in steps.items():
        counts.loglog(CONDITIONS, mean, STYLES[method])
    heights = {method: mean[-1] for method, mean in steps.items()}
    heights["gradient descent"] *= 1.08
    heights["one-step Nesterov"] /= 1.08
    for method, height in heights.items():
        counts.annotate(method, (CONDITIONS[-1] * 1.1, height), color=STYLES[method][:2], va="center", fontsize=8)
    counts.set(xlabel="condition number of the valley", ylabel=f"steps to {ENOUGH:g} of the first distance")
    counts.set(xlim=(9, 800), xticks=CONDITIONS, xticklabels=map(str, CONDITIONS))
    counts.minorticks_off()
    counts.set_title("steps that are needed, at the best rates", fontsize=10)
    return figure
