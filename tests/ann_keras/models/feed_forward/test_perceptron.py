"""The perceptron by hand: its rule, its criterion, the bound on its mistakes, and what it does not learn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ann_keras.labs import toy
from ann_keras.models.feed_forward import perceptron
from ann_keras.task import Feature

XOR = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]], "float32"), np.array([0, 1, 1, 0])
OR = XOR[0], np.array([0, 1, 1, 1])


def build(outputs: int, weights: Any = None, units: int = 2, rate: float = 1.0) -> keras.Model:
    """A perceptron for rows of features, compiled with plain gradient descent; without weights it starts from zeros."""
    inputs = {"features": keras.Input((units,), name="features")}
    model = perceptron.build(perceptron.Config(), inputs, Feature("logits", "tensor", (outputs,)))
    kernel, bias = (np.zeros((units, outputs)), np.zeros(outputs)) if weights is None else weights
    model.get_layer("scores").set_weights([np.array(kernel, "float32"), np.array(bias, "float32")])
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    if outputs > 1:
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    # The loss is the one a task would give; the perceptron has its own.
    loss = keras.losses.BinaryCrossentropy() if outputs == 1 else keras.losses.SparseCategoricalCrossentropy()
    model.compile(keras.optimizers.SGD(rate), loss, metrics=[accuracy])
    return model


def fit(model: keras.Model, data: tuple[np.ndarray, np.ndarray], **arguments: Any) -> dict[str, list[float]]:
    features, labels = data
    history: dict[str, list[float]] = model.fit(
        {"features": features}, labels, **{"batch_size": 1, "shuffle": False, "verbose": 0, **arguments}
    ).history
    return history


def weights(model: keras.Model) -> np.ndarray:
    """Kernel and bias below each other."""
    return np.vstack(model.get_layer("scores").get_weights())


def test_criterion_by_hand() -> None:
    # Two classes, t s: -1 * 2 (wrong), 1 * 0.5 (right), 1 * -3 (wrong), 0 (on the boundary)
    logits = np.array([[2.0], [0.5], [-3.0], [0.0]], "float32")
    np.testing.assert_allclose(perceptron.criterion([0, 1, 1, 1], logits), [2, 0, 3, 0])
    # Three: the highest wrong score less the right one, where it is not below.
    logits = np.array([[1, 4, 2], [1, 4, 2], [5, 0, 5]], "float32")
    np.testing.assert_allclose(perceptron.margins([2, 1, 0], logits), [-2, 2, 0])
    np.testing.assert_allclose(perceptron.criterion([2, 1, 0], logits), [2, 0, 0])


def test_a_score_that_is_no_number_is_no_success() -> None:
    assert np.isnan(perceptron.criterion([1], np.array([[np.nan]], "float32"))).all()


def test_one_update_by_hand() -> None:
    """w = (1, -1), w0 = 0.5: s = 1*1 - 1*2 + 0.5 = -0.5 is wrong for t = +1: w + 0.1 (1, 2), w0 + 0.1."""
    model = build(1, ([[1], [-1]], [0.5]), rate=0.1)
    example = np.array([[1.0, 2.0]], "float32"), np.array([1])
    assert fit(model, example)["loss"] == [pytest.approx(0.5)]
    np.testing.assert_allclose(weights(model)[:, 0], [1.1, -0.8, 0.6], rtol=1e-6)
    fit(model, example)  # s = 1.1 - 1.6 + 0.6 = 0.1 is right: nothing changes
    np.testing.assert_allclose(weights(model)[:, 0], [1.1, -0.8, 0.6], rtol=1e-6)


def test_a_batch_adds_the_mean_of_the_updates_of_its_mistakes() -> None:
    """w = (1, 0), w0 = 0, t = (+1, -1, -1, +1): mistakes are (-2, 1), t = +1, and (3, 1), t = -1; twice as heavy."""
    features = np.array([[-2, 1], [-1, 5], [3, 1], [4, 4]], "float32")
    labels, heavy = np.array([1, 0, 0, 1]), np.array([1.0, 1.0, 2.0, 1.0])
    model = build(1, ([[1], [0]], [0]))
    fit(model, (features, labels), batch_size=4)
    np.testing.assert_allclose(weights(model)[:, 0], np.array([1, 0, 0]) + np.array([-2 - 3, 1 - 1, 1 - 1]) / 4)
    model = build(1, ([[1], [0]], [0]))
    fit(model, (features, labels), batch_size=4, sample_weight=heavy)
    np.testing.assert_allclose(weights(model)[:, 0], np.array([1, 0, 0]) + np.array([-2 - 6, 1 - 2, 1 - 2]) / 4)


def test_of_many_classes_the_right_rises_and_the_winner_falls() -> None:
    """Scores (2, 3, 1) for x = (1, 2) of class 0: class 0 gains (1, 2) and 1, class 1 loses them, class 2 keeps its."""
    kernel = np.array([[0, 1, 1], [1, 1, 0]], "float32")
    model = build(3, (kernel, np.zeros(3)))
    fit(model, (np.array([[1.0, 2.0]], "float32"), np.array([0])))
    np.testing.assert_allclose(weights(model) - np.vstack([kernel, np.zeros(3)]), [[1, -1, 0], [2, -2, 0], [1, -1, 0]])
    before = weights(model)
    fit(model, (np.array([[1.0, 2.0]], "float32"), np.array([0])))  # (7, -2, 1): right
    np.testing.assert_array_equal(weights(model), before)


def test_from_zero_weights_the_rule_begins_at_once() -> None:
    """On the boundary a point is misclassified, so that the first of each class moves the weights; equal scores too."""
    for outputs in (1, 2):
        model = build(outputs)
        fit(model, (np.array([[1.0, 2.0]], "float32"), np.array([1])))
        np.testing.assert_array_equal(weights(model)[:, -1], [1, 2, 1])


class Mistakes(keras.callbacks.Callback):
    """Counts the steps that changed the weights."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.count, self.latest = 0, weights(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now = weights(self.model)
        self.count += bool((now != self.latest).any())
        self.latest = now


def test_mistakes_on_separable_data_stay_within_novikoffs_bound() -> None:
    features, labels = toy.two_clouds(np.random.default_rng(0), 60, 2.0, margin=0.3)
    data = features.astype("float32"), labels
    model, mistakes = build(1), Mistakes()
    history = fit(model, data, epochs=8, callbacks=[mistakes])
    # x1 = 0 separates with margin 0.3; R is the longest (x, 1).
    bound = (np.square(features).sum(axis=1) + 1).max() / 0.3**2
    assert 1 <= mistakes.count <= bound
    assert history["loss"][-1] == 0
    assert history["accuracy"][-1] == 1
    (remark,) = perceptron.remarks(history)
    epoch = history["loss"].index(0.0) + 1
    assert remark == f"converged: epoch {epoch} classified every training example without a mistake"


def test_same_course_as_the_rule_written_out() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.integers(-4, 5, (30, 3)), rng.integers(0, 2, 30)
    expected = np.zeros(4)
    for _ in range(3):
        for x, t in zip(features, 2 * labels - 1, strict=True):
            extended = np.append(x, 1)
            if t * (expected @ extended) <= 0:
                expected = expected + t * extended
    model = build(1, units=3)
    fit(model, (features.astype("float32"), labels), epochs=3)
    np.testing.assert_array_equal(weights(model)[:, 0], expected)


def test_or_converges_and_exclusive_or_does_not() -> None:
    assert perceptron.remarks(fit(build(1), OR, epochs=10))[0].startswith("converged: epoch ")
    history = fit(build(1), XOR, epochs=10)
    assert min(history["loss"]) > 0
    (remark,) = perceptron.remarks(history)
    fewest = 1 - max(history["accuracy"])
    assert fewest >= 0.25  # a line errs on one corner of the four at least
    epoch = history["accuracy"].index(max(history["accuracy"])) + 1
    assert remark.startswith(
        f"did not converge: each of 10 epochs made mistakes; the fewest mistakes were {fewest:.1%}"
    )
    assert f"in epoch {epoch}. Where no hyperplane separates the classes" in remark


def test_remarks_without_an_accuracy() -> None:
    assert "fewest" not in perceptron.remarks({"loss": [2.0, 0.5]})[0]
    assert perceptron.remarks({"loss": [2.0, 0.0, 0.0]})[0].startswith("converged: epoch 2 ")


def test_all_inputs_are_flattened_side_by_side() -> None:
    inputs = {"image": keras.Input((2, 1, 1), name="image"), "age": keras.Input((1,), name="age")}
    model = perceptron.build(perceptron.Config(), inputs, Feature("logits", "tensor", (1,)))
    model.get_layer("scores").set_weights([np.array([[1], [10], [100]], "float32"), np.array([0.5], "float32")])
    found = model({"image": np.array([[[[1.0]], [[2.0]]]], "float32"), "age": np.array([[3.0]], "float32")})
    np.testing.assert_allclose(found, [[321.5]])
