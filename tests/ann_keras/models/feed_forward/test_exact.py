"""The exact linear models: scikit-learn's coefficients, and the optimality conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn import datasets, linear_model
from sklearn.preprocessing import StandardScaler

from ann_keras import data, registry, training
from ann_keras.models.feed_forward.exact import Objective, solve


def batches(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> Any:
    weight = np.ones(len(x)) if weight is None else weight

    def passing() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for start in range(0, len(x), 100):
            part = slice(start, start + 100)
            yield x[part], y[part], weight[part]

    return passing


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    bunch = datasets.load_diabetes(scaled=False)
    return StandardScaler().fit_transform(bunch.data), (bunch.target - bunch.target.mean()) / bunch.target.std()


def classes(load: Any) -> tuple[np.ndarray, np.ndarray]:
    bunch = load()
    return StandardScaler().fit_transform(bunch.data), bunch.target


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("gamma", [0.0, 1.0, 100.0])
def test_ridge_is_scikit_learns(gamma: float) -> None:
    x, y = diabetes()
    kernel, bias = solve(batches(x, y), x.shape[1], Objective("squares", 1, gamma, 0.0))
    peer = linear_model.Ridge(alpha=gamma, solver="cholesky").fit(x, y)
    assert_same(kernel[:, 0], peer.coef_)
    assert bias[0] == pytest.approx(peer.intercept_, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.005, 0.05, 0.5])
def test_lasso_is_scikit_learns_with_its_zeros(alpha: float) -> None:
    x, y = diabetes()
    kernel, _ = solve(batches(x, y), x.shape[1], Objective("squares", 1, 0.0, 2 * len(x) * alpha))
    peer = linear_model.Lasso(alpha=alpha, tol=1e-12, max_iter=1_000_000).fit(x, y)
    assert_same(kernel[:, 0], peer.coef_)
    np.testing.assert_array_equal(kernel[:, 0] == 0, peer.coef_ == 0)
    assert alpha < 0.05 or (kernel == 0).any()


@pytest.mark.parametrize("gamma", [0.01, 1.0, 30.0])
def test_logistic_regression_is_scikit_learns(gamma: float) -> None:
    x, y = classes(datasets.load_breast_cancer)
    kernel, bias = solve(batches(x, y), x.shape[1], Objective("bernoulli", 1, gamma, 0.0))
    peer = linear_model.LogisticRegression(C=1 / gamma, tol=1e-12, max_iter=100_000, solver="newton-cholesky").fit(x, y)
    assert_same(kernel[:, 0], peer.coef_[0])
    assert bias[0] == pytest.approx(peer.intercept_[0], rel=1e-3)


def test_softmax_regression_gives_scikit_learns_probabilities() -> None:
    x, y = classes(datasets.load_wine)
    kernel, bias = solve(batches(x, y), x.shape[1], Objective("softmax", 3, 1.0, 0.0))
    peer = linear_model.LogisticRegression(C=1.0, tol=1e-12, max_iter=100_000).fit(x, y)
    assert_same(kernel.T, peer.coef_)
    scores = x @ kernel + bias
    share = np.exp(scores - scores.max(1, keepdims=True))
    np.testing.assert_allclose(share / share.sum(1, keepdims=True), peer.predict_proba(x), rtol=1e-3, atol=1e-6)


def test_lasso_of_a_logistic_regression_meets_its_conditions() -> None:
    """|gradient| is the penalty where a weight is not zero, and no more where it is."""
    x, y = classes(datasets.load_breast_cancer)
    lasso = 10.0
    kernel, bias = solve(batches(x, y), x.shape[1], Objective("bernoulli", 1, 0.0, lasso))
    share = 1 / (1 + np.exp(-(x @ kernel[:, 0] + bias[0])))
    slope = x.T @ (share - y)
    active = kernel[:, 0] != 0
    assert 0 < active.sum() < len(active)
    np.testing.assert_allclose(slope[active], -lasso * np.sign(kernel[active, 0]), rtol=1e-3)
    assert np.abs(slope[~active]).max() <= lasso * 1.001


def test_weights_count_as_repetitions() -> None:
    x, y = diabetes()
    weight = np.random.default_rng(0).integers(0, 3, len(x)).astype(float)
    objective = Objective("squares", 1, 1.0, 0.0)
    weighted = solve(batches(x, y, weight), x.shape[1], objective)
    repeated = np.repeat(np.arange(len(x)), weight.astype(int))
    plain = solve(batches(x[repeated], y[repeated]), x.shape[1], objective)
    np.testing.assert_allclose(weighted[0], plain[0], rtol=1e-9)


def test_separable_classes_without_a_prior_end() -> None:
    x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    kernel, _ = solve(batches(x, np.array([0, 0, 1, 1])), 1, Objective("bernoulli", 1, 0.0, 0.0))
    assert np.isfinite(kernel).all() and kernel[0, 0] > 5


@pytest.mark.parametrize(
    ("dataset", "settings", "peer"),
    [
        ("diabetes", {"gamma": 3}, linear_model.Ridge(alpha=3)),
        ("diabetes", {"gamma": 0, "lasso": 20}, linear_model.Lasso(alpha=20 / (2 * 310), tol=1e-12)),
        (
            "breast_cancer",
            {"gamma": 2},
            linear_model.LogisticRegression(C=1 / 2, tol=1e-12, solver="newton-cholesky", max_iter=1000),
        ),
    ],
    ids=["ridge", "lasso", "logistic"],
)
def test_a_fitted_triple_has_scikit_learns_coefficients(dataset: str, settings: dict[str, float], peer: Any) -> None:
    triple = registry.resolve("linear", dataset, overrides=settings)
    loaded = data.load(triple)
    model = training.fit(triple, loaded.train, loaded.eval).model
    known = loaded.train.arrays
    assert known is not None
    target = known["label"]
    target = (target[:, 0] - target[:, 1]) / target[:, 2] if dataset == "diabetes" else target[:, 0]
    peer.fit(known["features"].astype(np.float64), target)
    assert_same(model.get_layer("scores").get_weights()[0][:, 0], np.ravel(peer.coef_))


def test_what_cannot_be_solved_exactly_is_said() -> None:
    triple = registry.resolve("linear", "diabetes", overrides={"noise": "learned", "solver": "exact"})
    with pytest.raises(ValueError, match="solver='exact': a learned sigma cannot be solved exactly"):
        training.build(triple)
