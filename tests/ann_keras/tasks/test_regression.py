"""Regression by hand: the target's scale, the likelihood, the answer in its own unit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.analysis import Constants, masked_powers
from ann_keras.settings import apply
from ann_keras.task import Feature
from ann_keras.tasks import regression

FEATURES = {"x": Feature("x", "number"), "label": Feature("label", "number")}
# Targets 10, 20, 30: mean 20, deviation sqrt(200 / 3).
DEVIATION = math.sqrt(200 / 3)
SCALE = [20.0, DEVIATION]


def task(**settings: Any) -> Any:
    return regression.bind(FEATURES, apply([regression.Config()], settings)[0])


def constants() -> Constants:
    powers = tf.reduce_mean(masked_powers(tf.constant([[10.0], [20.0], [30.0]])), axis=0).numpy()
    return Constants({"label": powers, "numbers": powers})


def test_the_target_stands_beside_its_scale() -> None:
    found = task().preprocess({"x": tf.constant([10.0, 30.0]), "label": tf.constant([10.0, 40.0])}, constants())
    np.testing.assert_allclose(found["label"], [[10, *SCALE], [40, *SCALE]], rtol=1e-6)
    np.testing.assert_allclose(found["features"], [[-10 / DEVIATION], [10 / DEVIATION]], rtol=1e-6)
    served = task().preprocess({"x": tf.constant([10.0])}, constants())
    assert set(served) == {"features", "scale"}
    np.testing.assert_allclose(served["scale"], [SCALE], rtol=1e-6)


def test_squares_and_their_metrics_by_hand() -> None:
    given = task().compile_args()
    target = tf.constant([[10.0, 20, 10], [30, 20, 10]])
    outputs = tf.constant([[0.0], [0.5]])  # answers 20 and 25: errors -10 and 5
    assert float(given["loss"](target, outputs)) == pytest.approx((1 + 0.25) / 2)
    found = {}
    for metric in given["metrics"]:
        metric.update_state(target, outputs)
        found[metric.name] = float(metric.result())
    assert found == {
        "rmse": pytest.approx(math.sqrt((100 + 25) / 2)),
        "mae": pytest.approx(7.5),
        "r2": pytest.approx(1 - 125 / 200),
    }


def test_learned_sigma_by_hand() -> None:
    given = task(noise="learned").compile_args()
    target, outputs = tf.constant([[40.0, 20, 10]]), tf.constant([[1.0, math.log(4)]])
    # t = 2, g = 1, sigma = 2: -log N = log 2 + 1/8 + log(2 pi) / 2
    loss = math.log(2) + 1 / 8 + math.log(2 * math.pi) / 2
    assert float(given["loss"](target, outputs)) == pytest.approx(loss, rel=1e-6)
    found = {}
    for metric in given["metrics"]:
        metric.update_state(target, outputs)
        found[metric.name] = float(metric.result())
    assert found["coverage"] == 1  # |40 - 30| <= 1.645 * 20
    assert found["interval_width"] == pytest.approx(2 * 1.6448536 * 20, rel=1e-6)


def test_the_answer_is_in_the_targets_own_unit() -> None:
    prepared = {"scale": tf.constant([[20.0, 10.0], [20.0, 10.0]])}
    found = task().postprocess(tf.constant([[0.0], [-1.5]]), prepared)
    assert set(found) == {"value"}
    assert found["value"].numpy().tolist() == [20, 5]
    found = task(noise="learned", interval=0.5).postprocess(
        tf.constant([[1.0, 0.0]]), {"scale": tf.constant([[20.0, 10]])}
    )
    np.testing.assert_allclose(found["low"], [30 - 0.6744898 * 10], rtol=1e-6)
    np.testing.assert_allclose(found["high"], [30 + 0.6744898 * 10], rtol=1e-6)


def test_coverage_of_a_right_sigma_is_the_nominal_one() -> None:
    generator = np.random.default_rng(0)
    sigma = np.exp(generator.normal(0, 1, 20_000))
    noise = generator.normal(0, sigma)
    target = np.stack([5 + 2 * noise, np.full(20_000, 5), np.full(20_000, 2)], axis=1).astype("float32")
    outputs = np.stack([np.zeros(20_000), 2 * np.log(sigma)], axis=1).astype("float32")
    coverage = task(noise="learned").compile_args()["metrics"][3]
    coverage.update_state(target, outputs)
    assert float(coverage.result()) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_r2_over_batches_far_from_zero_is_that_of_the_whole(offset: float) -> None:
    generator = np.random.default_rng(0)
    target = offset + generator.normal(0, 100, 1000)
    answer = target + generator.normal(0, 50, 1000)
    mean, deviation = target.mean(), target.std()
    rows = np.stack([target, np.full(1000, mean), np.full(1000, deviation)], 1).astype("float32")
    outputs = ((answer - mean) / deviation)[:, None].astype("float32")
    metric = task().compile_args()["metrics"][2]
    for start in range(0, 1000, 130):
        metric.update_state(rows[start : start + 130], outputs[start : start + 130])
    expected = 1 - ((target - answer) ** 2).sum() / ((target - mean) ** 2).sum()
    assert float(metric.result()) == pytest.approx(expected, abs=2e-3)


def test_targets_that_do_not_vary() -> None:
    metric = task().compile_args()["metrics"][2]
    metric.update_state(tf.constant([[3.0, 3, 1], [3, 3, 1]]), tf.constant([[0.0], [1.0]]))
    assert float(metric.result()) == 0
