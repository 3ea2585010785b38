"""The gradient of the first layer, by hand and with depth."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.labs import lab, vanishing_gradients


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("vanishing_gradients", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, result.checks
    kept = {name: result.numbers[f"gradient at depth 32 over that at depth 2, {name}"] for name in ("tanh", "ReLU, He")}
    assert result.numbers["gradient at depth 32 over that at depth 2, sigmoid"] < 1e-15
    assert 0.1 < kept["tanh"] < 0.75 * kept["ReLU, He"]


def test_the_variance_of_the_weights_is_the_gain_over_the_inputs() -> None:
    model = vanishing_gradients.build("relu", 2.0, 2)
    kernel = model.get_layer("hidden2").kernel.numpy()
    assert kernel.var() == pytest.approx(2 / vanishing_gradients.UNITS, rel=0.1)


def test_gradient_by_hand() -> None:
    model = vanishing_gradients.build("relu", 1.0, 1)
    hidden, scores = model.get_layer("hidden1"), model.get_layer("scores")
    hidden.kernel.assign(np.zeros(hidden.kernel.shape))
    hidden.bias.assign(np.ones(hidden.bias.shape))
    weights = np.zeros(scores.kernel.shape)
    weights[0, 0] = 2.0
    scores.kernel.assign(weights)
    image = np.zeros((1, 64), "float32")
    image[0, 5] = 3.0
    # The logits are (2, 0, ...); the error of unit 0 is 2 (p_0 - 1), all others' 0; the pixel multiplies it by 3.
    p = np.exp(2) / (np.exp(2) + 9)
    assert vanishing_gradients.first_gradient(model, image, np.array([0])) == pytest.approx(6 * (1 - p), rel=1e-5)
