"""Softmax regression by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import registry, training
from ann_keras.models.feed_forward import linear
from ann_keras.tasks import image_classification
from tests.ann_keras.models.building import build

IMAGE = np.array([[[[1.0], [2.0]], [[3.0], [-1.0]]]], "float32")
WEIGHTS = np.array([[1, 0], [0, 1], [2, -1], [1, 1]], "float32")
BIAS = np.array([0.5, -0.5], "float32")


@pytest.fixture
def model() -> keras.Model:
    found = build(linear, (2, 2, 1), 2, gamma=0.2)
    found.get_layer("scores").set_weights([WEIGHTS, BIAS])
    return found


def test_scores_by_hand(model: keras.Model) -> None:
    # class 0: 1*1 + 2*0 + 3*2 - 1*1 + 0.5 = 6.5; class 1: 0 + 2 - 3 - 1 - 0.5 = -2.5
    np.testing.assert_allclose(model({"image": IMAGE}), [[6.5, -2.5]])
    probabilities = image_classification.postprocess(model({"image": IMAGE}), classes=("a", "b"))["probabilities"]
    np.testing.assert_allclose(probabilities[0, 1], 1 / (1 + np.exp(9)), rtol=1e-5)


def test_loss_by_hand(model: keras.Model) -> None:
    """Cross-entropy log(1 + e^9) for class 1, and the squared weights 1 + 1 + 4 + 1 + 1 + 1 times 0.2 / 2; no bias."""
    model.compile(**image_classification.compile_args())
    found = model.evaluate({"image": IMAGE}, np.array([1]), verbose=0, return_dict=True)
    assert found["cross_entropy"] == pytest.approx(np.log1p(np.exp(9)), rel=1e-6)
    assert found["loss"] == pytest.approx(np.log1p(np.exp(9)) + 0.9, rel=1e-6)


def test_gradient_step_by_hand(model: keras.Model) -> None:
    """One step of gradient descent: W - rate ((softmax - target) x^T + 2 decay W)."""
    model.compile(optimizer=keras.optimizers.SGD(0.1), **image_classification.compile_args())
    model.fit({"image": IMAGE}, np.array([1]), verbose=0)
    p = 1 / (1 + np.exp(-9.0))
    gradient = np.outer(IMAGE.ravel(), [p, (1 - p) - 1]) + 0.2 * WEIGHTS
    kernel, bias = model.get_layer("scores").get_weights()
    np.testing.assert_allclose(kernel, WEIGHTS - 0.1 * gradient, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(bias, BIAS - 0.1 * np.array([p, -p]), rtol=1e-5)


def test_templates_are_the_weights_of_each_class() -> None:
    triple = registry.resolve("linear")
    model = training.build(triple)
    kernel = np.arange(640, dtype="float32").reshape(64, 10)
    model.get_layer("scores").set_weights([kernel, np.zeros(10, "float32")])
    found = linear.pictures(model, triple.task)
    assert list(found) == list(triple.task.label.classes)
    np.testing.assert_array_equal(found["3"], kernel[:, 3].reshape(8, 8, 1))
    # A score is the image's correlation with the template.
    image = np.random.default_rng(0).normal(size=(8, 8, 1)).astype("float32")
    scores = model({"image": tf.constant(image[None])})[0]
    np.testing.assert_allclose(scores, [(image * template).sum() for template in found.values()], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("dataset", "settings", "names"),
    [
        ("breast_cancer", {}, ["benign"]),
        ("iris", {}, ["setosa", "versicolor", "virginica"]),
        ("diabetes", {}, ["mean"]),
        ("diabetes", {"noise": "learned"}, ["mean", "log-variance"]),
    ],
)
def test_coefficients_are_the_weights_of_each_output(dataset, settings, names) -> None:
    triple = registry.resolve("linear", dataset, overrides=settings)
    model = training.build(triple)
    layer = model.get_layer("scores")
    kernel = np.arange(layer.kernel.shape[0] * layer.kernel.shape[1], dtype="float32").reshape(layer.kernel.shape)
    layer.set_weights([kernel, layer.bias])
    found = linear.coefficients(model, triple.task)
    assert list(found) == names
    assert len(found[names[0]]) == len(triple.task.inputs[0].classes)
    np.testing.assert_array_equal(np.stack(list(found.values()), axis=1), kernel)
    assert linear.pictures(model, triple.task) == {}


def test_images_have_templates_and_no_coefficients() -> None:
    triple = registry.resolve("linear")
    assert linear.coefficients(training.build(triple), triple.task) == {}
