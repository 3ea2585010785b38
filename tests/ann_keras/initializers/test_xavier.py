"""Xavier: the variance it draws, beside Glorot's and He's, and its way through a config."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.initializers import Xavier

INS, OUTS = 500, 1500


def draw(initializer: keras.initializers.Initializer) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(initializer((INS, OUTS))), "float64")


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (Xavier(seed=0), 1 / INS),
        (keras.initializers.GlorotNormal(seed=0), 2 / (INS + OUTS)),
        (keras.initializers.HeNormal(seed=0), 2 / INS),
    ],
)
def test_the_variance_of_a_large_kernel(initializer: keras.initializers.Initializer, variance: float) -> None:
    kernel = draw(initializer)
    # Of 750,000 weights the variance is known to 0.2 %, the mean to 0.1 % of the deviation.
    assert np.var(kernel) == pytest.approx(variance, rel=0.01)
    assert abs(np.mean(kernel)) < 0.005 * variance**0.5


def test_the_distribution_is_normal_to_its_tails() -> None:
    beyond = np.mean(np.abs(draw(Xavier(seed=1))) > 2 / INS**0.5)
    assert beyond == pytest.approx(0.0455, rel=0.03)


def test_a_convolution_counts_the_whole_receptive_field() -> None:
    kernel = keras.ops.convert_to_numpy(Xavier(seed=2)((5, 5, 20, 400)))
    assert np.var(kernel) == pytest.approx(1 / (5 * 5 * 20), rel=0.02)


def test_a_linear_layer_keeps_the_variance_of_its_inputs() -> None:
    x = np.random.default_rng(0).normal(size=(400, INS))
    assert np.var(x @ draw(Xavier(seed=3))) == pytest.approx(1, rel=0.03)


def test_a_seed_repeats_the_draw_and_the_config_brings_it_back() -> None:
    again = keras.initializers.deserialize(keras.initializers.serialize(Xavier(seed=7)))
    assert isinstance(again, Xavier)
    np.testing.assert_array_equal(draw(again), draw(Xavier(seed=7)))
    assert not np.array_equal(draw(Xavier(seed=8)), draw(Xavier(seed=7)))


def test_a_layer_takes_it_by_its_registered_name() -> None:
    layer = keras.layers.Dense(OUTS, kernel_initializer="ann_keras>Xavier")
    layer.build((None, INS))
    assert np.var(layer.get_weights()[0]) == pytest.approx(1 / INS, rel=0.01)
