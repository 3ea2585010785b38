"""The luck of a split: on data sets of 40 to 320 examples, the error estimated by one hold-out, by ten folds and by the
bootstrap, over many draws of each and beside the true error.

The classifier is a regularised least-squares fit, so that tens of thousands of fits are linear algebra; the true error
is counted on all examples that were not drawn. Kohavi 1995, A study of cross-validation and bootstrap for accuracy
estimation; the bootstrap is Efron's .632 (Efron and Tibshirani 1997, Improvements on cross-validation, section 3).

Run it with `ann lab validation_luck`.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.figure
import numpy as np
from sklearn.datasets import load_breast_cancer

from ann_keras.datasets import splits
from ann_keras.labs import lab

CLAIM = (
    "On small data the answer of a hold-out depends on which examples were held out; k-fold cross-validation and the "
    "bootstrap, which test on all of them, depend far less on luck and are nearer to the true error."
)
EQUATION = (
    r"\sigma_{\mathrm{hold-out}} \approx \sqrt{\frac{\epsilon (1 - \epsilon)}{N_{\mathrm{test}}}}, \qquad "
    r"\hat\epsilon_{.632} = 0.368\,\hat\epsilon_{\mathrm{train}} + 0.632\,\hat\epsilon_{\mathrm{out-of-bag}}"
)

SIZES = (40, 80, 160, 320)
DATA_SETS = 20
DRAWS = 10
FOLDS = 10
ROUNDS = 50
HELD_OUT = 1 / 3
FEATURES = 10
"""The means of the ten measures of a nucleus; the other twenty columns are their errors and extremes."""
GAMMA = 1.0
METHODS = ("hold-out", "10-fold", "bootstrap .632")
SETTING = {
    "data": "breast_cancer (scikit-learn), the ten means",
    "sizes": list(SIZES),
    "data sets of each size": DATA_SETS,
    "draws on each": DRAWS,
    "held out": "a third, stratified",
    "folds": FOLDS,
    "rounds of a bootstrap": ROUNDS,
    "gamma": GAMMA,
}


@dataclass(frozen=True)
class Sample:
    """A data set as somebody might have collected it: rows of the features with a constant, targets of -1 or 1."""

    X: np.ndarray
    t: np.ndarray
    truth: float

    @property
    def keys(self) -> np.ndarray:
        """What the splits are drawn by: str [rows]."""
        return np.array([f"row/{number}" for number in range(len(self.t))])


def run(seed: int = 0) -> lab.Result:
    """Draws data sets of each size, and of each data set many splits."""
    estimates, truths = {}, {}
    for size in SIZES:
        samples = [_draw(size, seed * DATA_SETS + number) for number in range(DATA_SETS)]
        truths[size] = np.array([sample.truth for sample in samples])
        estimates[size] = np.array([[_estimates(sample, draw) for draw in range(DRAWS)] for sample in samples])
    spread = {size: np.sqrt(found.var(axis=1).mean(axis=0)) for size, found in estimates.items()}
    rmse = {
        size: np.sqrt(((found - truths[size][:, None, None]) ** 2).mean(axis=(0, 1)))
        for size, found in estimates.items()
    }
    small, large = SIZES[0], SIZES[-1]
    numbers = {}
    for index, method in enumerate(METHODS):
        for size in SIZES:
            numbers[f"spread of the {method} over splits of the same {size} examples"] = float(spread[size][index])
            numbers[f"distance of the {method} from the true error at {size} examples (rms)"] = float(rmse[size][index])
    held, folds, bootstrap = spread[small]
    checks = {
        f"at N = {small} the hold-out spreads at least 2.5 times as far as ten folds": held >= 2.5 * folds,
        f"at N = {small} the hold-out spreads at least 4 times as far as the bootstrap": held >= 4 * bootstrap,
        f"at N = {small} ten folds and the bootstrap are at least 1.2 times nearer to the true error": rmse[small][0]
        >= 1.2 * max(rmse[small][1:]),
        f"the hold-out spreads at least twice as far at N = {small} as at N = {large}": held >= 2 * spread[large][0],
    }
    ranges = np.ptp(estimates[small][..., 0], axis=1)
    return lab.Result(
        checks={name: bool(met) for name, met in checks.items()},
        numbers=numbers,
        setting=SETTING,
        seen=(
            f"At N = {small} the error by hold-out has a standard deviation of {held:.1%} over splits of the very same "
            f"examples, ten folds {folds:.1%}, the bootstrap {bootstrap:.1%}; the lowest and the highest of {DRAWS} "
            f"hold-outs of one data set differ by {ranges.min():.0%} to {ranges.max():.0%}. From the true error the "
            f"three are {rmse[small][0]:.1%}, {rmse[small][1]:.1%} and {rmse[small][2]:.1%} away. At N = {large} the "
            f"hold-out's standard deviation is {spread[large][0]:.1%}."
        ),
        figure=_figure(estimates[small], truths[small], spread, rmse),
    )


def fit(X: np.ndarray, t: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Least squares with weights, one fit a row of `counts`.

    Args:
        X: float64 [rows, features], the last feature constant.
        t: float64 [rows].
        counts: float64 [fits, rows], how often each row is in the training set.

    Returns:
        float64 [fits, features]: argmin of sum_n c_n (t_n - w x_n)^2 + GAMMA |w|^2, the constant's weight unpenalised.
    """
    rows, features = X.shape
    products = (X[:, :, None] * X[:, None, :]).reshape(rows, -1)
    penalty = GAMMA * np.diag([1.0] * (features - 1) + [0.0])
    gram = (counts @ products).reshape(-1, features, features) + penalty
    solved: np.ndarray = np.linalg.solve(gram, ((counts * t) @ X)[..., None])[..., 0]
    return solved


def wrong(X: np.ndarray, t: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Whether each fit errs on each row: bool [fits, rows]."""
    return (weights @ X.T > 0) != (t > 0)


def _draw(size: int, seed: int) -> Sample:
    raw, labels = load_breast_cancer(return_X_y=True)
    raw = raw[:, :FEATURES]
    split = splits.hold_out(
        np.arange(len(labels)).astype(str), labels, {"drawn": size / len(labels), "rest": 1 - size / len(labels)}, seed
    )
    drawn = split == "drawn"
    # Scaled by the rest, so that no estimate sees its test examples in the scale.
    scaled = (raw - raw[~drawn].mean(axis=0)) / raw[~drawn].std(axis=0)
    X, t = np.column_stack([scaled, np.ones(len(labels))]), 2.0 * labels - 1
    weights = fit(X[drawn], t[drawn], np.ones((1, drawn.sum())))
    return Sample(X[drawn], t[drawn], float(wrong(X[~drawn], t[~drawn], weights).mean()))


def _estimates(sample: Sample, seed: int) -> tuple[float, float, float]:
    """The error by each of METHODS, for one draw of the split."""
    labels, keys = (sample.t > 0).astype(int), sample.keys
    shares = {"train": 1 - HELD_OUT, "test": HELD_OUT}
    held = (splits.hold_out(keys, labels, shares, seed) == "train").astype(float)[None]
    fold = splits.k_fold(keys, labels, FOLDS, seed)
    folds = (fold != np.arange(FOLDS)[:, None]).astype(float)
    bags = np.array([
        np.bincount(drawn, minlength=len(keys)) for drawn, _ in splits.bootstrap(keys, labels, ROUNDS, seed)
    ])  # fmt: skip
    counts = np.concatenate([held, folds, bags, np.ones((1, len(keys)))])
    errors = wrong(sample.X, sample.t, fit(sample.X, sample.t, counts))
    unseen = errors & (counts == 0)
    parts = np.split(np.arange(len(counts)), [1, 1 + FOLDS, 1 + FOLDS + ROUNDS])
    by_hold_out, by_folds, out_of_bag = (unseen[part].sum() / (counts[part] == 0).sum() for part in parts[:3])
    return by_hold_out, by_folds, 0.368 * errors[-1].mean() + 0.632 * out_of_bag


def _figure(
    estimates: np.ndarray, truths: np.ndarray, spread: dict[int, np.ndarray], rmse: dict[int, np.ndarray]
) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    strips, course = figure.subplots(1, 2, width_ratios=(3, 2))
    shown = np.argsort(truths)[:: DATA_SETS // 5][:5]
    for index, method in enumerate(METHODS):
        for place, number in enumerate(shown):
            where = place + (index - 1) * 0.25 + np.linspace(-0.08, 0.08, DRAWS)
            label = method if place == 0 else None
            strips.plot(
                where,
                100 * estimates[number, :, index],
                "o^s"[index],
                color=f"C{index}",
                ms=3.5,
                alpha=0.6,
                label=label,
            )
    for place, number in enumerate(shown):
        label = "true error" if place == 0 else None
        strips.plot([place - 0.42, place + 0.42], [100 * truths[number]] * 2, color="black", lw=2, label=label)
    strips.set(
        xlabel=f"data set of {SIZES[0]} examples", ylabel="estimated error in %", xticks=range(len(shown)),
        xticklabels=[str(number + 1) for number in range(len(shown))], title=f"{DRAWS} draws of each estimate",
    )  # fmt: skip
    strips.legend(fontsize=8, ncols=2)
    for index in range(len(METHODS)):
        for measured, style, face in ((spread, "-", None), (rmse, "--", "white")):
            values = [100 * measured[size][index] for size in SIZES]
            course.plot(SIZES, values, f"{'o^s'[index]}{style}", color=f"C{index}", mfc=face)
    course.plot([], [], "-", color="0.3", label="over splits of the same examples")
    course.plot([], [], "--", color="0.3", label="from the true error (rms)")
    course.set(xscale="log", yscale="log", xlabel="examples N", title="Deviation of the estimate", ylim=(0.1, 30))
    course.set(ylabel="percentage points")
    course.set_xticks(SIZES, [str(size) for size in SIZES])
    course.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    course.minorticks_off()
    course.legend(fontsize=8, loc="upper right")
    return figure
