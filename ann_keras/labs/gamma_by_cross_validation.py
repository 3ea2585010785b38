"""Gamma of ridge regression chosen by ten-fold cross-validation on the training set, judged on a test set that had no
say, over many divisions of diabetes.

The features are the ten of diabetes, their squares and their products: 65 for 150 examples, so that the weights need a
prior. Stone 1974, Cross-validatory choice and assessment of statistical predictions; Hastie, Tibshirani and Friedman
2009, The elements of statistical learning, section 7.10.

Run it with `ann lab gamma_by_cross_validation`.
"""

from __future__ import annotations

import matplotlib.figure
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

from ann_keras.datasets import splits
from ann_keras.labs import lab

CLAIM = (
    "The gamma with the least error in cross-validation is near the best that could have been chosen with the test set "
    "in hand, and far better than none; the training error would always choose the smallest."
)
EQUATION = (
    r"\hat{\gamma} = \mathrm{argmin}_\gamma \frac{1}{N} \sum_{k=1}^{K} \sum_{n \in F_k} "
    r"(t_n - g(x_n \mid \hat{w}_\gamma^{(-k)}))^2"
)

DIVISIONS = 30
TRAINED = 150
FOLDS = 10
GAMMAS = np.geomspace(1e-2, 1e4, 31)
CURVES = ("training", "cross-validation", "test")


def run(seed: int = 0) -> lab.Result:
    """Chooses gamma on each training set and looks at the test set afterwards."""
    raw, t = load_diabetes(return_X_y=True)
    X = PolynomialFeatures(2, include_bias=False).fit_transform(raw)
    found = np.array([curves(X, t, seed * DIVISIONS + number) for number in range(DIVISIONS)])
    training, validation, test = found.swapaxes(0, 1)
    every = np.arange(DIVISIONS)
    chosen = validation.argmin(axis=1)
    errors = {
        "gamma by cross-validation": test[every, chosen],
        "the best gamma on the test set": test.min(axis=1),
        "the smallest gamma, which the training error chooses": test[every, training.argmin(axis=1)],
        "the largest gamma": test[:, -1],
    }
    at_chosen, at_best, at_smallest, at_largest = errors.values()
    ratio = at_chosen / at_best
    checks = {
        "on average the chosen gamma's test error is at most 5 % above the least": ratio.mean() <= 1.05,
        "in at least 80 % of the divisions it is at most 10 % above the least": (ratio <= 1.1).mean() >= 0.8,
        "almost no prior has at least 1.3 times the chosen gamma's test error": at_smallest.mean()
        >= 1.3 * at_chosen.mean(),
        "the strongest prior has at least 1.3 times the chosen gamma's test error": at_largest.mean()
        >= 1.3 * at_chosen.mean(),
        "the training error chooses the smallest gamma in every division": not training.argmin(axis=1).any(),
    }
    numbers = {f"mean squared test error with {name}": float(values.mean()) for name, values in errors.items()}
    numbers |= {
        "test error of the chosen gamma, of the least, mean": float(ratio.mean()),
        "test error of the chosen gamma, of the least, worst division": float(ratio.max()),
        "chosen gamma, median": float(np.median(GAMMAS[chosen])),
        "best gamma on the test set, median": float(np.median(GAMMAS[test.argmin(axis=1)])),
        "error in cross-validation at the chosen gamma": float(validation.min(axis=1).mean()),
    }
    return lab.Result(
        checks={name: bool(held) for name, held in checks.items()},
        numbers=numbers,
        setting={
            "data": f"diabetes (scikit-learn), {X.shape[1]} features: its ten, their squares and products",
            "divisions": DIVISIONS,
            "trained on": TRAINED,
            "tested on": len(t) - TRAINED,
            "folds": FOLDS,
            "gamma": f"{GAMMAS[0]:g} to {GAMMAS[-1]:g}, {len(GAMMAS)} values",
        },
        seen=(
            f"Over {DIVISIONS} divisions cross-validation chose gamma = {np.median(GAMMAS[chosen]):.3g} in the median, "
            f"with a test error {ratio.mean() - 1:.1%} above the least on average and {ratio.max() - 1:.1%} at worst. "
            "The smallest gamma, which the training error always chooses, has "
            f"{at_smallest.mean() / at_chosen.mean():.2f} times its test error, the largest "
            f"{at_largest.mean() / at_chosen.mean():.2f} times."
        ),
        figure=_figure(found, chosen),
    )


def curves(X: np.ndarray, t: np.ndarray, seed: int) -> np.ndarray:
    """Mean squared errors of one division: float64 [CURVES, GAMMAS], in the target's unit squared."""
    keys = np.arange(len(t)).astype(str)
    one_class = np.zeros(len(t), np.int64)
    share = TRAINED / len(t)
    split = splits.hold_out(keys, one_class, {"train": share, "test": 1 - share}, seed)
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    fold = splits.k_fold(keys[train], one_class[train], FOLDS, seed)
    parts = [(train[fold != number], train[fold == number]) for number in range(FOLDS)]
    validation = np.concatenate([squared_errors(X[fitted], t[fitted], X[left], t[left]) for fitted, left in parts])
    ends = [squared_errors(X[train], t[train], X[judged], t[judged]).mean(axis=0) for judged in (train, test)]
    return np.array([ends[0], validation.mean(axis=0), ends[1]])


def squared_errors(X: np.ndarray, t: np.ndarray, judged: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Ridge fitted to X and t, standardised by themselves, with every gamma: float64 [judged rows, GAMMAS]."""
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    standardised = (X - mean) / deviation
    # (X'X + gamma I)^-1 for all gammas by one decomposition
    values, vectors = np.linalg.eigh(standardised.T @ standardised)
    coordinates = vectors.T @ (standardised.T @ (t - t.mean()))
    weights = vectors @ (coordinates[:, None] / (values[:, None] + GAMMAS))
    errors: np.ndarray = (targets[:, None] - t.mean() - (judged - mean) / deviation @ weights) ** 2
    return errors


def _figure(found: np.ndarray, chosen: np.ndarray) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    course, scatter = figure.subplots(1, 2, width_ratios=(3, 2))
    for index, (name, style) in enumerate(zip(CURVES, (":", "--", "-"), strict=True)):
        values = np.sqrt(found[:, index])
        course.plot(GAMMAS, values.mean(axis=0), f"C{index}{style}", label=name)
        low, high = np.quantile(values, [0.1, 0.9], axis=0)
        course.fill_between(GAMMAS, low, high, color=f"C{index}", alpha=0.15, lw=0)
    course.plot(GAMMAS[chosen], np.full(len(chosen), 42.0), "k|", ms=10, alpha=0.5, label="chosen gammas")
    course.set(xscale="log", xlabel="gamma", ylabel="root mean squared error (disease progression)", ylim=(40, 100))
    course.set_title(f"{DIVISIONS} divisions: mean, and 10 to 90 %", fontsize=10)
    course.legend(fontsize=8, loc="upper center")
    test = np.sqrt(found[:, 2])
    best, at_chosen = test.min(axis=1), test[np.arange(len(chosen)), chosen]
    ends = [best.min() - 0.5, at_chosen.max() + 0.5]
    scatter.plot(best, at_chosen, "oC2", alpha=0.6, label="a division")
    scatter.plot(ends, ends, "k-", lw=1, label="as good as the best")
    scatter.set(xlabel="least test error of any gamma (rms)", ylabel="test error of the chosen gamma (rms)")
    scatter.legend(fontsize=8)
    return figure
