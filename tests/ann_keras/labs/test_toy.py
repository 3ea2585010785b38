"""The toy data has the law that it states."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from ann_keras.labs import toy


def test_the_best_boundary_errs_as_often_as_stated() -> None:
    features, labels = toy.two_clouds(np.random.default_rng(0), 40_000, 2.0, units=3)
    assert features.shape == (40_000, 3)
    assert labels.mean() == pytest.approx(0.5, abs=0.01)
    assert ((features[:, 0] > 0) != labels).mean() == pytest.approx(NormalDist().cdf(-1), abs=0.005)
    for label, mean in ((0, -1), (1, 1)):
        np.testing.assert_allclose(features[labels == label].mean(axis=0), [mean, 0, 0], atol=0.04)
        np.testing.assert_allclose(features[labels == label].std(axis=0), 1, atol=0.03)


def test_a_margin_makes_the_clouds_separable() -> None:
    features, labels = toy.two_clouds(np.random.default_rng(0), 1_000, 2.0, margin=0.5)
    assert ((2 * labels - 1) * features[:, 0]).min() == pytest.approx(0.5)


def test_sine_and_its_noise() -> None:
    x, t = toy.sine(np.random.default_rng(0), 10_000, 0.3)
    assert x.shape == t.shape == (10_000, 1)
    assert (x.min() >= -1) and (x.max() <= 1)
    assert (t - np.sin(np.pi * x)).std() == pytest.approx(0.3, rel=0.03)
    x, t = toy.sine(np.random.default_rng(1), 5, 0.0)
    np.testing.assert_allclose(t, np.sin(np.pi * x))
