"""The lab on batch normalisation: its claim, and how its networks are built."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.labs import batch_normalisation, lab
from ann_keras.labs.batch_normalisation import Setup


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("batch_normalisation", seed=0)


@pytest.mark.slow
def test_the_claim_holds(result: lab.Result) -> None:
    assert result.held, [check for check, held in result.checks.items() if not held]


@pytest.mark.slow
def test_the_accuracies_are_far_apart_where_only_one_learns(result: lab.Result) -> None:
    small = batch_normalisation.SCALES[0]
    for rate, scale in ((1.0, 1.0), (batch_normalisation.RATE, small)):
        found = {
            normalised: result.numbers[f"test accuracy {batch_normalisation.described(Setup(normalised, rate, scale))}"]
            for normalised in (False, True)
        }
        assert found[True] > 0.85 > 0.3 > found[False]


def layers_of(setup: Setup) -> list[keras.layers.Layer]:
    pixels = keras.Input((64,))
    model = keras.Model(pixels, batch_normalisation.scores(pixels, setup, "scores"))
    layers: list[keras.layers.Layer] = model.layers[1:]
    return layers


def test_the_normalisation_stands_before_the_nonlinearity_and_takes_the_bias_away() -> None:
    first, second, third, *_ = layers_of(Setup(True))
    assert [type(layer).__name__ for layer in (first, second, third)] == ["Dense", "BatchNormalization", "ReLU"]
    assert not first.use_bias
    dense, relu, *_ = layers_of(Setup(False))
    assert [type(layer).__name__ for layer in (dense, relu)] == ["Dense", "ReLU"]
    assert dense.use_bias


def test_the_scale_multiplies_hes_deviation() -> None:
    kernel = layers_of(Setup(False, scale=10.0))[0].get_weights()[0]
    # 64 x 40 weights of deviation 10 sqrt(2 / 64): known to 1.4 %.
    assert np.std(kernel) == pytest.approx(10 * (2 / 64) ** 0.5, rel=0.06)


def test_a_normalised_network_does_not_feel_the_scale_of_its_weights() -> None:
    pixels = keras.Input((64,))
    model = keras.Model(pixels, batch_normalisation.scores(pixels, Setup(True), "scores"))
    images = np.random.default_rng(0).normal(size=(32, 64)).astype("float32")
    before = keras.ops.convert_to_numpy(model(images, training=True))
    for layer in model.layers[1:-1]:
        if isinstance(layer, keras.layers.Dense):
            layer.kernel.assign(7 * layer.kernel)
    after = keras.ops.convert_to_numpy(model(images, training=True))
    np.testing.assert_allclose(after, before, atol=0.02)


def test_learning_lists_the_values_that_reach_the_threshold() -> None:
    accuracy = {
        Setup(True, 0.1, 1.0): 0.95,
        Setup(True, 1.0, 1.0): 0.85,
        Setup(True, 3.0, 1.0): 0.1,
        Setup(True, 0.1, 10.0): 0.9,
        Setup(False, 0.1, 1.0): 0.9,
    }
    assert batch_normalisation.learning(accuracy, True, "rate") == [0.1, 1.0]
    assert batch_normalisation.learning(accuracy, True, "scale") == [1.0, 10.0]
    assert batch_normalisation.learning(accuracy, False, "rate") == [0.1]
