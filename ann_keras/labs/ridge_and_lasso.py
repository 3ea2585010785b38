"""The weights of ridge regression and of the lasso over gamma, on diabetes with columns of noise beside its own.

The course's objectives, with sums over the examples: squares plus gamma times the squared, or the absolute, weights.
Ridge is solved in closed form (Hoerl and Kennard 1970), the lasso (Tibshirani 1996, Regression shrinkage and selection
via the lasso; section 2 for orthonormal columns) by scikit-learn's coordinate descent. Adam in Keras minimises the same
absolute penalty; its steps lead about zero but not onto it.

Run it with `ann lab ridge_and_lasso`.
"""

from __future__ import annotations

import keras
import matplotlib.figure
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import lasso_path

from ann_keras.labs import lab

CLAIM = (
    "The absolute penalty of the lasso makes weights exactly zero, the more the larger gamma is; the squares of ridge "
    "make none."
)
EQUATION = (
    r"\hat{w} = \mathrm{argmin}_w \sum_n (t_n - w^T x_n)^2 + \gamma \sum_q |w_q|^p: \quad "
    r"w_q^{p=1} = \mathrm{sign}(c_q)\,(|c_q| - \gamma / 2)_+, \quad w_q^{p=2} = \frac{c_q}{1 + \gamma} \quad "
    r"(X^T X = I,\ c = X^T t)"
)

NOISE = 10
STEPS = 60
RATIO = 1e-4
ABOVE = 1.01
"""Gamma takes STEPS values from RATIO to ABOVE times 2 max_q |c_q|, the least with which the lasso is zero."""
EPOCHS = 2000


def run(seed: int = 0) -> lab.Result:
    """Follows both paths, compares both with their closed forms, and lets Adam minimise the absolute penalty."""
    X, t = data(seed)
    highest = ABOVE * 2 * np.abs(X.T @ t).max()
    gammas = np.geomspace(highest, RATIO * highest, STEPS)
    lassos = lasso(X, t, gammas)
    ridges = np.array([ridge(X, t, gamma) for gamma in gammas])
    zeros = {"lasso": (lassos == 0).sum(axis=1), "ridge": (ridges == 0).sum(axis=1)}
    Q = np.linalg.qr(X)[0]
    c = Q.T @ t
    errors = {
        "lasso": max(np.abs(lasso(Q, t, gammas) - [soft_threshold(c, gamma) for gamma in gammas]).ravel()),
        "ridge": max(np.abs([ridge(Q, t, gamma) - c / (1 + gamma) for gamma in gammas]).ravel()),
    }
    relative = {name: float(error / np.abs(c).max()) for name, error in errors.items()}
    middle = STEPS // 3
    stepped = by_adam(X, t, gammas[middle])
    distance = float(np.abs(stepped - lassos[middle]).max() / np.abs(lassos[middle]).max())
    columns = X.shape[1]
    checks = {
        "ridge has no exact zero at any gamma": not zeros["ridge"].any(),
        f"the lasso has all {columns} weights at zero at the highest gamma and none at the lowest": (
            zeros["lasso"][0] == columns and zeros["lasso"][-1] == 0
        ),
        "a third of the way the lasso has at least a quarter of its weights at zero": zeros["lasso"][middle]
        >= columns / 4,
        "with orthonormal columns both are the equation's, to 1e-6 of the largest weight": max(relative.values())
        < 1e-6,
        "Adam comes within 2 % of the lasso's largest weight and makes no exact zero": distance < 0.02
        and not (stepped == 0).any(),
    }
    return lab.Result(
        checks={name: bool(held) for name, held in checks.items()},
        numbers={
            "exact zeros of ridge on the whole path": float(zeros["ridge"].sum()),
            "smallest absolute weight of ridge on the path": float(np.abs(ridges).min()),
            f"exact zeros of the lasso of {columns}, a third of the way": float(zeros["lasso"][middle]),
            "exact zeros of Adam with the absolute penalty there": float((stepped == 0).sum()),
            "distance of Adam from the lasso, of its largest weight": distance,
            "distance of the lasso from soft thresholding, orthonormal columns": relative["lasso"],
            "distance of ridge from its shrinkage, orthonormal columns": relative["ridge"],
        },
        setting={
            "data": "diabetes (scikit-learn), standardised",
            "columns of noise": NOISE,
            "gamma": f"{gammas[-1]:.2g} to {gammas[0]:.2g}, {STEPS} values",
        },
        seen=(
            f"Over {STEPS} values of gamma the lasso goes from {columns} exact zeros to {zeros['lasso'][-1]}, by way "
            f"of {zeros['lasso'][middle]} at gamma = {gammas[middle]:.3g}; ridge has none, its smallest weight is "
            f"{np.abs(ridges).min():.1g}. Adam comes within {distance:.1%} of the lasso, and of its weights "
            f"{(stepped == 0).sum()} are exactly zero: the zeros are the minimum's, and gradient steps do not hit them."
        ),
        figure=_figure(gammas, lassos, ridges, zeros),
    )


def data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Diabetes and NOISE columns of noise, float64 [442, 10 + NOISE], and the target, [442]; mean 0, variance 1."""
    X, t = load_diabetes(return_X_y=True)
    X = np.column_stack([X, np.random.default_rng(seed).normal(size=(len(t), NOISE))])
    return (X - X.mean(axis=0)) / X.std(axis=0), (t - t.mean()) / t.std()


def ridge(X: np.ndarray, t: np.ndarray, gamma: float) -> np.ndarray:
    """argmin of sum_n (t_n - w x_n)^2 + gamma |w|^2."""
    solved: np.ndarray = np.linalg.solve(X.T @ X + gamma * np.eye(X.shape[1]), X.T @ t)
    return solved


def lasso(X: np.ndarray, t: np.ndarray, gammas: np.ndarray) -> np.ndarray:
    """argmin of sum_n (t_n - w x_n)^2 + gamma sum_q |w_q| for descending gammas: [gammas, features].

    scikit-learn halves the squares' mean, so its alpha is gamma / (2 N).
    """
    found = lasso_path(X, t, alphas=gammas / (2 * len(t)), tol=1e-10, max_iter=100_000)[1]
    return np.asarray(found).T


def soft_threshold(c: np.ndarray, gamma: float) -> np.ndarray:
    """The lasso's weights where the columns are orthonormal and c = X^T t."""
    return np.sign(c) * np.maximum(np.abs(c) - gamma / 2, 0)


def by_adam(X: np.ndarray, t: np.ndarray, gamma: float) -> np.ndarray:
    """The lasso's objective minimised by Keras with a shrinking step."""
    inputs = keras.Input((X.shape[1],))
    penalty = keras.regularizers.L1(float(gamma) / len(t))
    model = keras.Model(inputs, keras.layers.Dense(1, use_bias=False, kernel_regularizer=penalty)(inputs))
    rate = keras.optimizers.schedules.CosineDecay(0.05, EPOCHS)
    model.compile(keras.optimizers.Adam(rate), "mse", jit_compile=False)
    # One epoch of equal full batches: an epoch of its own for each step costs ten times as much.
    model.fit(np.tile(X, (EPOCHS, 1)), np.tile(t, EPOCHS), batch_size=len(t), shuffle=False, verbose=0)
    return keras.ops.convert_to_numpy(model.layers[-1].kernel)[:, 0]


def _figure(
    gammas: np.ndarray, lassos: np.ndarray, ridges: np.ndarray, zeros: dict[str, np.ndarray]
) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    first, second, third = figure.subplots(1, 3, width_ratios=(3, 3, 2))
    own = lassos.shape[1] - NOISE
    for axes, path, name in ((first, ridges, "ridge"), (second, lassos, "lasso")):
        axes.plot(gammas, path[:, own:], color="0.6", lw=1)
        axes.plot(gammas, path[:, :own], color="C0", lw=1.2)
        axes.plot([], [], color="C0", label="diabetes")
        axes.plot([], [], color="0.6", label="noise")
        axes.axhline(0, color="black", lw=0.6)
        axes.set(xscale="log", xlabel="gamma", title=name)
    first.set(ylabel="weight (standardised)")
    second.sharey(first)
    first.legend(fontsize=8)
    third.plot(gammas, zeros["lasso"], "C0-", label="lasso")
    third.plot(gammas, zeros["ridge"], "C1--", label="ridge")
    third.set(xscale="log", xlabel="gamma", ylabel="weights that are exactly zero", title="zeros")
    third.set_yticks(range(0, lassos.shape[1] + 1, 5))
    third.legend(fontsize=8)
    return figure
