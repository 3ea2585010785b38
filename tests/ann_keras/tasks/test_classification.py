"""Classification by hand: one logit for two classes, weights against imbalance, recall of every class."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.analysis import Constants, masked_powers
from ann_keras.settings import apply
from ann_keras.task import Feature
from ann_keras.tasks import classification

X = Feature("x", "number")
POWERS = tf.reduce_mean(masked_powers(tf.constant([[0.0], [2.0]])), axis=0).numpy()


def task(*classes: str, **settings: Any) -> Any:
    features = {"x": X, "label": Feature("label", "label", (), "int64", classes)}
    return classification.bind(features, apply([classification.Config()], settings)[0])


def metrics(given: dict[str, Any], labels: Any, logits: Any) -> dict[str, float]:
    for metric in given["metrics"]:
        metric.update_state(labels, logits)
    return {metric.name: float(metric.result()) for metric in given["metrics"]}


def test_two_classes_are_bernoulli() -> None:
    bound = task("no", "yes")
    assert bound.outputs.shape == (1,)
    given = bound.compile_args()
    labels, logits = tf.constant([[1], [0], [0]], tf.int64), tf.constant([[math.log(3)], [0.5], [-1.0]])
    # p(yes) = 3/4, then sigma(0.5) and sigma(-1) of the wrong class
    entropy = -(math.log(3 / 4) + math.log(1 / (1 + math.exp(0.5))) + math.log(1 / (1 + math.exp(-1)))) / 3
    assert float(given["loss"](labels, logits)) == pytest.approx(entropy, rel=1e-5)
    found = metrics(given, labels, logits)
    assert found["cross_entropy"] == pytest.approx(entropy, rel=1e-5)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)
    answer = bound.postprocess(tf.constant([[math.log(3)], [-5.0]]), {})
    np.testing.assert_allclose(answer["probabilities"][0], [0.25, 0.75], rtol=1e-6)
    assert [name.decode() for name in answer["label"].numpy()] == ["yes", "no"]


def test_more_classes_are_categorical() -> None:
    bound = task("a", "b", "c")
    assert bound.outputs.shape == (3,)
    labels, logits = tf.constant([2, 2, 0], tf.int64), tf.math.log([[1.0, 2, 5], [6, 1, 1], [2, 1, 1]])
    found = metrics(bound.compile_args(), labels, logits)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)  # class b has no example
    assert found["cross_entropy"] == pytest.approx(-(math.log(5 / 8) + math.log(1 / 8) + math.log(1 / 2)) / 3, rel=1e-5)


def test_labels_and_weights_of_a_batch() -> None:
    bound = task("no", "yes", class_weights="balanced")
    given = Constants({"numbers": POWERS, "class_shares": np.array([0.75, 0.25], "float32")})
    raw = {"x": tf.constant([0.0, 2.0]), "label": tf.constant([1, 0], tf.int64)}
    found = bound.preprocess(raw, given)
    assert found["label"].numpy().tolist() == [[1], [0]]
    np.testing.assert_allclose(found["weight"], [1 / (2 * 0.25), 1 / (2 * 0.75)])
    assert set(bound.preprocess({"x": raw["x"]}, given)) == {"features"}
    assert "weight" not in task("no", "yes").preprocess(raw, given)


def test_what_is_blessed() -> None:
    lowest = {metric.name: metric.lower for metric in task("a", "b", "c", "d").evaluation.metrics}
    assert lowest == {"accuracy": None, "cross_entropy": None, "balanced_accuracy": pytest.approx(0.25 + 0.075)}
    chosen = task("a", "b", min_balanced_accuracy=0.9).evaluation.metrics[2]
    assert chosen.lower == 0.9


def test_one_class_is_none() -> None:
    with pytest.raises(ValueError, match="two classes or more, the data has 1"):
        task("only")
