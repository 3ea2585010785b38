"""Plain and stratified hold-outs of data with a rare class: how many rare examples reach the test split, and how far
the share of them that a classifier misses is a matter of luck.

Breast cancer with few of its malignant cells, divided hundreds of times; the classifier is a logistic regression fitted
to every training split. Stratification is Neyman's (1934, On the two different aspects of the representative method);
Kohavi 1995, A study of cross-validation and bootstrap for accuracy estimation, recommends it for validation.

Run it with `ann lab stratified_split`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import matplotlib.figure
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ann_keras.datasets import splits
from ann_keras.labs import lab

CLAIM = (
    "A plain split may leave a rare class out of the test set altogether, as often as the hypergeometric distribution "
    "says; a stratified split never does, and what is measured on the rare class then varies less."
)
EQUATION = (
    r"P(\mathrm{no\ rare\ example\ in\ the\ test\ set}) = \binom{N - R}{n_\mathrm{test}} / \binom{N}{n_\mathrm{test}}"
)

COMMON = 190
RARE = (6, 10, 16, 24)
TRAINED_ON = 10
"""The number of rare examples with which a classifier is trained as well."""
DRAWS = 400
DATA_SETS = 10
"""The draws of rows among which the classifier's splits are shared."""
FRACTIONS = splits.HOLD_OUT
FEATURES = 10
SETTING = {
    "data": "breast_cancer (scikit-learn), the ten means; malignant is the rare class",
    "common examples": COMMON,
    "rare examples": list(RARE),
    "splits of each kind": DRAWS,
    "fractions": dict(FRACTIONS),
    "classifier": f"logistic regression, with {TRAINED_ON} rare examples; {DATA_SETS} draws of the rows",
}


def run(seed: int = 0) -> lab.Result:
    """Divides the same rows many times in both ways, for several numbers of rare examples."""
    counts = {rare: {kind: _rare_tested(rare, kind, seed) for kind in (False, True)} for rare in RARE}
    lacking = {kind: [float((counts[rare][kind] == 0).mean()) for rare in RARE] for kind in (False, True)}
    expected = [absent(COMMON + rare, rare, _tested(rare)) for rare in RARE]
    errors = [math.sqrt(share * (1 - share) / DRAWS) for share in expected]
    plain, stratified = (_missed(seed, stratify) for stratify in (False, True))
    spread = {
        kind: float(np.sqrt(np.nanvar(missed, axis=1).mean()))
        for kind, missed in (("plain", plain), ("stratified", stratified))
    }
    at = RARE.index(TRAINED_ON)
    inside = [
        abs(found - share) <= 4 * error for found, share, error in zip(lacking[False], expected, errors, strict=True)
    ]
    checks = {
        "every number of rare examples is absent from plain test sets as often as the equation says, within four "
        "standard errors": all(inside),
        f"at least 10 % of plain test sets have none of {TRAINED_ON} rare examples": lacking[False][at] >= 0.1,
        "no stratified test set lacks the rare class": not any(lacking[True]),
        "stratified test sets have the same number of rare examples, to one": all(
            np.ptp(found[True]) <= 1 for found in counts.values()
        ),
        "the share of rare examples that the classifier misses varies at least 1.05 times as far over plain splits": (
            spread["plain"] >= 1.05 * spread["stratified"]
        ),
    }
    numbers = {f"plain test sets without any of {rare} rare examples": lacking[False][i] for i, rare in enumerate(RARE)}
    numbers |= {f"the same by the equation, {rare} rare examples": expected[i] for i, rare in enumerate(RARE)}
    numbers["stratified test sets without a rare example"] = float(np.mean(lacking[True]))
    for kind in spread:
        numbers[f"standard deviation of the missed share over {kind} splits"] = spread[kind]
    few = counts[TRAINED_ON]
    return lab.Result(
        checks=checks,
        numbers=numbers,
        setting=SETTING,
        seen=(
            f"Of {TRAINED_ON} rare examples {few[False].min()} to {few[False].max()} are in a plain test set and "
            f"{_range(few[True])} in a stratified one; {lacking[False][at]:.1%} of the plain ones have none (the "
            f"equation says {expected[at]:.1%}) and cannot judge the class. Where there are any, the missed share has "
            f"a standard deviation of {spread['plain']:.2f} over plain and {spread['stratified']:.2f} over stratified "
            "splits."
        ),
        figure=_figure(few, lacking, errors),
    )


def absent(rows: int, rare: int, tested: int) -> float:
    """The probability that none of `rare` of `rows` examples is among `tested` drawn without repetition."""
    return math.comb(rows - rare, tested) / math.comb(rows, tested)


def _keys_and_labels(rare: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([0, 1], [COMMON, rare])
    return np.array([f"row/{number}" for number in range(len(labels))]), labels


def _split(rare: int, stratify: bool, seed: int) -> Callable[[int], np.ndarray]:
    keys, labels = _keys_and_labels(rare)
    return lambda draw: splits.hold_out(keys, labels, FRACTIONS, seed * DRAWS + draw, stratify)


def _tested(rare: int) -> int:
    """The examples of a plain test set, the same in every draw."""
    return int((_split(rare, False, 0)(0) == "test").sum())


def _rare_tested(rare: int, stratify: bool, seed: int) -> np.ndarray:
    """How many rare examples each test set has: int64 [DRAWS]."""
    split = _split(rare, stratify, seed)
    return np.array([(split(draw)[COMMON:] == "test").sum() for draw in range(DRAWS)])


def _missed(seed: int, stratify: bool) -> np.ndarray:
    """The share of the rare test examples that a fit misses, float64 [data sets, splits]; NaN where there are none."""
    X, t = load_breast_cancer(return_X_y=True)
    labels = _keys_and_labels(TRAINED_ON)[1]
    split, missed = _split(TRAINED_ON, stratify, seed), np.full((DATA_SETS, DRAWS // DATA_SETS), np.nan)
    for place in np.ndindex(missed.shape):
        found = split(int(np.ravel_multi_index(place, missed.shape)))
        train, rare = found == "train", (found == "test") & (labels == 1)
        if rare.any():
            rows = _rows(t, np.random.default_rng((seed, place[0])))
            model = make_pipeline(StandardScaler(), LogisticRegression())
            model.fit(X[rows[train], :FEATURES], labels[train])
            missed[place] = (model.predict(X[rows[rare], :FEATURES]) == 0).mean()
    return missed


def _rows(t: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A data set: the indices of COMMON benign cells (1) and then of TRAINED_ON malignant ones (0)."""
    sizes = ((1, COMMON), (0, TRAINED_ON))
    return np.concatenate([generator.choice(np.flatnonzero(t == kind), size, replace=False) for kind, size in sizes])


def _range(found: np.ndarray) -> str:
    lowest, highest = found.min(), found.max()
    return f"{lowest}" if lowest == highest else f"{lowest} or {highest}"


def _figure(
    few: dict[bool, np.ndarray], lacking: dict[bool, list[float]], errors: list[float]
) -> matplotlib.figure.Figure:
    figure = lab.figure(9, 4)
    histogram, course = figure.subplots(1, 2)
    most = max(found.max() for found in few.values())
    places = np.arange(most + 1)
    tested, rows = _tested(TRAINED_ON), COMMON + TRAINED_ON
    law = [
        math.comb(TRAINED_ON, k) * math.comb(COMMON, tested - k) / math.comb(rows, tested) for k in places.tolist()
    ]  # fmt: skip
    for kind, name, shift in ((False, "plain", -0.2), (True, "stratified", 0.2)):
        shares = np.bincount(few[kind], minlength=most + 1) / DRAWS
        histogram.bar(
            places + shift, 100 * shares, 0.4, color=f"C{int(kind)}", label=name, hatch="//" if kind else None
        )
    histogram.plot(places - 0.2, 100 * np.array(law), "k_", ms=14, label="hypergeometric")
    histogram.set(xlabel=f"rare examples in the test set, of {TRAINED_ON}", ylabel="splits in %", xticks=places)
    histogram.legend()
    counts = np.arange(RARE[0], RARE[-1] + 1)
    by_law = [100 * absent(COMMON + rare, rare, _tested(rare)) for rare in counts.tolist()]
    course.plot(counts, by_law, "k-", lw=1, label="equation")
    bars = 100 * np.array(errors)
    course.errorbar(
        RARE, 100 * np.array(lacking[False]), bars, fmt="oC0", capsize=3, label="plain, with standard error"
    )
    course.plot(RARE, 100 * np.array(lacking[True]), "sC1--", label="stratified")
    course.set(
        xlabel=f"rare examples beside {COMMON} common ones", ylabel="test sets without a rare example in %", xticks=RARE
    )
    course.legend()
    return figure
