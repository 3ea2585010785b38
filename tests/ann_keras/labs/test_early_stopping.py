"""Early stopping: chosen on validation, judged on test; the networks side by side are independent."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.labs import early_stopping, lab


@pytest.fixture(scope="module")
def result() -> lab.Result:
    return lab.run("early_stopping", seed=0)


@pytest.mark.slow
def test_the_claim_held(result: lab.Result) -> None:
    assert result.held
    numbers = result.numbers
    assert numbers["test error at the end (rms)"] > 1.15 * numbers["test error at the chosen epoch (rms)"]
    assert numbers["training error at the end (rms)"] < 0.5 * numbers["training error at the chosen epoch (rms)"]
    assert 0 < numbers["chosen epoch, median"] < early_stopping.EPOCHS / 2
    # the test set had no say: choosing by it would have done better
    assert numbers["least test error of all epochs (rms)"] < numbers["test error at the chosen epoch (rms)"]


def test_networks_side_by_side_do_not_mix() -> None:
    model = early_stopping.network(units=4, networks=3)
    x = np.random.default_rng(0).normal(size=(2, 3, 10)).astype("float32")
    before = keras.ops.convert_to_numpy(model(x))
    x[:, 1] += 1
    changed = (keras.ops.convert_to_numpy(model(x)) != before).all(axis=(0, 2))
    np.testing.assert_array_equal(changed, [False, True, False])


def test_initial_weights_have_the_variance_of_one_network() -> None:
    keras.utils.set_random_seed(0)
    kernels = [layer.kernel for layer in early_stopping.network(units=400, networks=5).layers[1:]]
    found = [keras.ops.convert_to_numpy(kernel).var() for kernel in kernels[:2]]
    assert found == pytest.approx([1 / 10, 1 / 400], rel=0.05)


def test_errors_by_hand() -> None:
    inputs = keras.Input((2, 1))
    model = keras.Model(inputs, inputs * 2)
    x = np.array([[[1.0], [2]], [[3], [4]]], "float32")
    looks = early_stopping.Looks({"training": (x, np.zeros_like(x)), "test": (x, 2 * x + 1)})
    looks.set_model(model)
    looks.on_train_begin()
    # (4 + 36) / 2 and (16 + 64) / 2; one off everywhere
    np.testing.assert_allclose(looks.errors, [[[20, 40], [1, 1]]])
