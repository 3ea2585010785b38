"""The multi-layer perceptron by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from ann_keras.models.feed_forward import mlp
from tests.ann_keras.models.building import build


@pytest.mark.parametrize(("depth", "units"), [(1, 3), (2, 5), (4, 7)])
def test_layers_and_parameters(depth: int, units: int) -> None:
    model = build(mlp, (4, 5, 3), 6, depth=depth, units=units)
    hidden = [layer.name for layer in model.layers if layer.name.startswith("hidden")]
    assert hidden == [f"hidden{number}" for number in range(1, depth + 1)]
    assert model.count_params() == (60 + 1) * units + (depth - 1) * (units + 1) * units + (units + 1) * 6


def test_rectified_units_by_hand() -> None:
    model = build(mlp, (1, 2, 1), 2, depth=1, units=3, dropout=0.5)
    weights = [[[1, -1, 2], [1, 1, -3]], [0, 0.5, 1], [[1, 0], [2, 1], [0, 1]], [0.1, 0.2]]
    model.set_weights([np.array(weight, "float32") for weight in weights])
    # x = (1, 2): hidden (3, 1.5, max(0, -3)) -> (3 + 3 + 0.1, 1.5 + 0.2); dropout is off outside training
    np.testing.assert_allclose(model({"image": np.array([[[[1], [2]]]], "float32")}), [[6.1, 1.7]], rtol=1e-6)


def test_dropout_leaves_out_its_share_in_training() -> None:
    keras.utils.set_random_seed(0)
    model = build(mlp, (1, 1, 1), 1, depth=1, units=10_000, dropout=0.3)
    model.get_layer("hidden1").set_weights([np.ones((1, 10_000), "float32"), np.zeros(10_000, "float32")])
    dropped = keras.Model(model.input, model.get_layer("dropout1").output)
    found = np.asarray(dropped({"image": np.ones((1, 1, 1, 1), "float32")}, training=True))
    assert (found == 0).mean() == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(np.unique(found), [0, 1 / 0.7], rtol=1e-6)


def test_initial_weights_have_the_variance_of_he_et_al() -> None:
    keras.utils.set_random_seed(0)
    kernel = build(mlp, (20, 20, 1), 2, depth=1, units=500).get_layer("hidden1").kernel
    assert np.asarray(kernel).var() == pytest.approx(2 / 400, rel=0.05)
