from __future__ import annotations

import numpy as np
import pytest

from pipelines.report.regression import coverage, half_width, learned_sigma, probability_transform, root_mean_square


def test_half_widths_of_a_normal_distribution():
    assert half_width(0.9) == pytest.approx(1.6448536)
    assert half_width(0.95) == pytest.approx(1.9599640)


def test_sigma_is_derived_from_the_interval():
    sigma = np.array([0.5, 2.0])
    wide = 1.6448536 * sigma
    np.testing.assert_allclose(learned_sigma(3 - wide, 3 + wide, 0.9), sigma, rtol=1e-6)


def test_coverage_by_hand():
    # 50 % lie within 0.6745 sigma, 90 % within 1.6449, 95 % within 1.96.
    errors, sigma = np.array([0.0, -1.0, 3.6, 10.0]), np.array([1.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(coverage(errors, sigma, [50, 90, 95]), [0.25, 0.5, 0.75])


def test_a_right_sigma_is_calibrated_and_half_of_it_is_not():
    random = np.random.default_rng(0)
    sigma = random.uniform(0.5, 2, 50_000)
    errors = random.normal(0, sigma)
    levels = [50, 75, 90, 99]
    np.testing.assert_allclose(coverage(errors, sigma, levels), np.array(levels) / 100, atol=0.01)
    assert (coverage(errors, sigma / 2, levels) < np.array(levels) / 100 - 0.1).all()


def test_the_probability_transform_by_hand_and_at_its_ends():
    # Phi(0) = 0.5, Phi(1) = 0.8413447; a deviation of 0 is a point.
    found = probability_transform(np.array([0.0, 2.0, 1.0, -1.0, 0.0]), np.array([1.0, 2.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(found, [0.5, 0.8413447, 1.0, 0.0, 0.5], atol=1e-7)


def test_the_probability_transform_of_a_right_distribution_is_uniform():
    random = np.random.default_rng(0)
    found = probability_transform(random.normal(0, 3, 20_000), np.full(20_000, 3.0))
    np.testing.assert_allclose(np.histogram(found, 10, (0, 1))[0] / 20_000, 0.1, atol=0.01)


def test_root_mean_square():
    assert root_mean_square(np.array([3.0, 4.0])) == pytest.approx(np.sqrt(12.5))
    assert np.isnan(root_mean_square(np.zeros(0)))
