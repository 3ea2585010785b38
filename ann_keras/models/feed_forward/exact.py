"""Linear models solved to convergence: least squares, ridge, lasso and logistic regression by proximal Newton steps.

The penalised negative log-likelihood is convex; each pass over the data gives its gradient and Hessian, and a step goes
to the minimum of that quadratic and the penalties: at once for squares, and for logistic and softmax regression as
iteratively reweighted least squares (Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.3). The lasso's
part is coordinate descent with soft thresholding (Friedman, Hastie and Tibshirani 2010, Regularization Paths for
Generalized Linear Models via Coordinate Descent, eq. 5), which makes exact zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

Batches = Callable[[], Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]]
"""A pass over the data: units, float [rows, units], targets, float or int [rows], and weights, float [rows]."""
STEPS, HALVINGS = 100, 30
TOLERANCE = 1e-10
"""A step that gains less than this share of the objective is the last."""
SWEEPS = 20_000


@dataclass(frozen=True)
class Objective:
    """sum_n -log p(t_n | x_n, w) (times 2 sigma^2 for squares) + gamma |w|^2 (half of it beside logarithms)
    + lasso |w|_1; the biases are free.

    Attributes:
        kind: "squares", "bernoulli" or "softmax".
        outputs: columns of the weights.
        gamma, lasso: >= 0.
    """

    kind: str
    outputs: int
    gamma: float
    lasso: float

    @property
    def ridge(self) -> float:
        """Factor of |w|^2 in the objective."""
        return self.gamma if self.kind == "squares" else self.gamma / 2


def solve(batches: Batches, units: int, objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    """Returns the kernel, float64 [units, outputs], and the bias, float64 [outputs], with the smallest objective."""
    weights = np.zeros((objective.outputs, units + 1))
    value, gradient, hessian = _expanded(batches, weights, objective)
    for _ in range(STEPS):
        target = _quadratic_minimum(weights, gradient, hessian, objective)
        step = target - weights
        for _ in range(HALVINGS):
            found = _expanded(batches, weights + step, objective)
            if found[0] <= value:
                break
            step = step / 2
        else:
            break
        gained, weights = value - found[0], weights + step
        value, gradient, hessian = found
        if gained <= TOLERANCE * max(abs(value), 1.0) or (objective.kind == "squares" and not objective.lasso):
            break
    return weights[:, :-1].T, weights[:, -1]


def _expanded(batches: Batches, weights: np.ndarray, objective: Objective) -> tuple[float, np.ndarray, np.ndarray]:
    """The objective at `weights`, [outputs, units + 1], and gradient and Hessian of the likelihood's part alone."""
    size = weights.size
    value, gradient, hessian = 0.0, np.zeros(size), np.zeros((size, size))
    for units, target, weight in batches():
        wide = np.concatenate([units.astype(np.float64), np.ones((len(units), 1))], axis=1)
        loss, slope, curvature = _derivatives(wide @ weights.T, target, objective.kind)
        value += float(weight @ loss)
        gradient += ((slope * weight[:, None]).T @ wide).reshape(-1)
        hessian += _outer(wide, curvature * weight[:, None, None])
    kernel = weights[:, :-1]
    value += objective.ridge * float((kernel**2).sum()) + objective.lasso * float(np.abs(kernel).sum())
    return value, gradient, hessian


def _outer(wide: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """sum_n c_n (x) x_n x_n', [outputs * wide, outputs * wide], of curvatures [rows, outputs, outputs]."""
    outputs, columns = curvature.shape[1], wide.shape[1]
    blocks = np.empty((outputs, columns, outputs, columns))
    for row in range(outputs):
        for column in range(row, outputs):
            block = (wide * curvature[:, row, column, None]).T @ wide
            blocks[row, :, column] = block
            blocks[column, :, row] = block
    return blocks.reshape(outputs * columns, outputs * columns)


def _derivatives(scores: np.ndarray, target: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss [rows], gradient [rows, outputs] and Hessian [rows, outputs, outputs] in the scores [rows, outputs]."""
    if kind == "squares":
        error = scores - target[:, None]
        return (error**2)[:, 0], 2 * error, np.full((len(scores), 1, 1), 2.0)
    if kind == "bernoulli":
        scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
    highest = scores.max(axis=1, keepdims=True)
    logarithm = scores - highest - np.log(np.exp(scores - highest).sum(axis=1, keepdims=True))
    share = np.exp(logarithm)
    rows = np.arange(len(scores))
    loss = -logarithm[rows, target]
    slope = share.copy()
    slope[rows, target] -= 1
    if kind == "bernoulli":
        return loss, slope[:, 1:], (share[:, 0] * share[:, 1])[:, None, None]
    curvature = share[:, :, None] * (np.eye(scores.shape[1])[None] - share[:, None, :])
    return loss, slope, curvature


def _quadratic_minimum(
    weights: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, objective: Objective
) -> np.ndarray:
    """The minimum of the quadratic around `weights` and the penalties."""
    penalised = np.ones_like(weights, bool)
    penalised[:, -1] = False
    flat, free = weights.reshape(-1), ~penalised.reshape(-1)
    curved = hessian + np.diag(np.where(free, 0.0, 2 * objective.ridge))
    linear = gradient - hessian @ flat
    if not objective.lasso:
        # Directions without curvature, such as adding a constant to all scores of a softmax, stay where they are.
        return np.linalg.lstsq(curved, -linear, rcond=1e-13)[0].reshape(weights.shape)
    threshold = np.where(free, 0.0, objective.lasso)
    return _coordinate_descent(curved, linear, threshold, flat.copy()).reshape(weights.shape)


def _coordinate_descent(curved: np.ndarray, linear: np.ndarray, threshold: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Minimises w'Aw / 2 + b'w + sum threshold |w|."""
    diagonal = np.maximum(np.diag(curved), 1e-12)
    slope = curved @ start + linear
    for _ in range(SWEEPS):
        largest = 0.0
        for place in range(len(start)):
            pulled = diagonal[place] * start[place] - slope[place]
            new = np.sign(pulled) * max(abs(pulled) - threshold[place], 0.0) / diagonal[place]
            change = new - start[place]
            if change:
                slope += curved[:, place] * change
                start[place] = new
                largest = max(largest, diagonal[place] * change**2)
        if largest <= 1e-16 * max(float(np.abs(linear) @ np.abs(start)), 1e-12):
            break
    return start
