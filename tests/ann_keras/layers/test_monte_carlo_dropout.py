"""Masks in training and at test time, their mean, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from ann_keras.layers.monte_carlo_dropout import MonteCarloDropout, monte_carlo


def array(tensor: object) -> np.ndarray:
    return ops.convert_to_numpy(tensor)


def masked_units(units: int, rate: float, **kwargs: object) -> keras.Model:
    inputs = keras.Input((units,))
    return keras.Model(inputs, MonteCarloDropout(rate, **kwargs)(inputs))


def test_at_test_time_all_units_stay_as_they_are() -> None:
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_array_equal(masked_units(3, 0.5)(x), x)
    np.testing.assert_array_equal(masked_units(3, 0.5).predict(x, verbose=0), x)


def test_in_training_each_unit_of_each_example_has_a_mask_of_its_own() -> None:
    found = array(masked_units(50, 0.2, seed=0)(np.ones((400, 50), "float32"), training=True))
    np.testing.assert_allclose(np.unique(found), [0, 1.25], rtol=1e-6)
    # 20,000 draws: a standard deviation of 0.0028; columns of 400: 0.02; rows of 50: 0.057
    assert (found == 0).mean() == pytest.approx(0.2, abs=0.012)
    assert np.abs((found == 0).mean(axis=0) - 0.2).max() < 0.1
    assert np.abs((found == 0).mean(axis=1) - 0.2).max() < 0.29
    assert len(np.unique(found, axis=0)) == 400


def test_the_mean_over_masks_of_a_linear_layer_is_weight_scaling() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(MonteCarloDropout(0.25)(inputs)))
    model.layers[-1].set_weights([np.array([[1.0], [-2.0], [0.5]], "float32"), np.array([0.3], "float32")])
    x = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]], "float32")
    mean, deviation = monte_carlo(model, x, samples=20_000)
    # products w x: (1, -4, 2) and (0, -2, 0); a masked one has the variance (w x)^2 rate / (1 - rate)
    expected = np.sqrt(np.array([[1 + 16 + 4], [4]]) / 3)
    np.testing.assert_allclose(array(deviation), expected, rtol=0.02)
    np.testing.assert_allclose(array(mean), array(model(x)), atol=5 * expected.max() / np.sqrt(20_000))
    np.testing.assert_allclose(array(model(x)), [[-0.7], [-1.7]], rtol=1e-6)


def test_members_and_layers_have_different_masks() -> None:
    inputs = keras.Input((1000,))
    first, second = MonteCarloDropout(0.5)(inputs), MonteCarloDropout(0.5)(inputs)
    model = keras.Model(inputs, [first, second])
    x = np.ones((1, 1000), "float32")
    one, other = (array(mean)[0] for mean in monte_carlo(model, x, samples=1)[0])
    # equal by chance in half of the units, with a standard deviation of 0.016
    assert (one == other).mean() == pytest.approx(0.5, abs=0.08)
    means, deviations = monte_carlo(model, x, samples=4)
    assert set(np.unique(array(means[0]))) == {0, 0.5, 1, 1.5, 2}
    np.testing.assert_allclose(array(deviations[0]) ** 2, array(means[0]) * (2 - array(means[0])), atol=1e-6)


def test_the_seed_alone_decides() -> None:
    model, x = masked_units(200, 0.5), np.ones((2, 200), "float32")
    first = array(monte_carlo(model, x, samples=3, seed=1)[0])
    model(x, training=True)
    np.testing.assert_array_equal(array(monte_carlo(model, x, samples=3, seed=1)[0]), first)
    assert (array(monte_carlo(model, x, samples=3, seed=2)[0]) != first).any()


def test_the_masks_of_training_are_not_disturbed() -> None:
    x = np.ones((1, 100), "float32")
    alone, beside = masked_units(100, 0.5, seed=3), masked_units(100, 0.5, seed=3)
    monte_carlo(beside, x, samples=2)
    np.testing.assert_array_equal(alone(x, training=True), beside(x, training=True))
    np.testing.assert_array_equal(beside(x), x)


def test_batch_normalisation_stays_at_test_time() -> None:
    inputs = keras.Input((4,))
    normalised = keras.layers.BatchNormalization()(inputs)
    model = keras.Model(inputs, [normalised, MonteCarloDropout(0.5)(normalised)])
    x = np.random.default_rng(0).normal(5, 3, (16, 4)).astype("float32")
    model(x, training=True)  # so that the moving statistics are neither those of the start nor of the batch
    weights, expected = model.get_weights(), array(model(x)[0])
    mean, deviation = monte_carlo(model, x, samples=8)
    np.testing.assert_allclose(array(mean[0]), expected, rtol=1e-5)
    np.testing.assert_allclose(array(deviation[0]), 0, atol=1e-5)
    assert (array(deviation[1]) > 0).any()
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_calls_in_parts_have_masks_of_their_own() -> None:
    means = array(monte_carlo(masked_units(30, 0.5), np.ones((3, 30), "float32"), samples=7, rows=6)[0])
    # 2 + 2 + 2 + 1 members, each 0 or 2: sevenths of 2, odd ones among them
    sevenths = means * 7 / 2
    np.testing.assert_allclose(sevenths, sevenths.round(), atol=1e-5)
    assert (sevenths.round() % 2 == 1).any()


def test_nested_models_and_named_inputs() -> None:
    inner = masked_units(40, 0.5)
    inputs = {"features": keras.Input((40,), name="features")}
    model = keras.Model(inputs, {"answer": inner(inputs["features"])})
    x = {"features": np.ones((2, 40), "float32")}
    mean, deviation = monte_carlo(model, x, samples=10, answer=lambda outputs: {"half": outputs["answer"] / 2})
    assert mean["half"].shape == deviation["half"].shape == (2, 40)
    assert array(mean["half"]).mean() == pytest.approx(0.5, abs=0.1)
    assert (array(deviation["half"]) > 0).any()


def test_saved_and_loaded(tmp_path: Path) -> None:
    model = masked_units(5, 0.5, seed=1, name="dropout1")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    layer = loaded.get_layer("dropout1")
    assert isinstance(layer, MonteCarloDropout) and layer.rate == 0.5 and layer.seed == 1
    x = np.ones((3, 5), "float32")
    np.testing.assert_array_equal(monte_carlo(loaded, x, samples=2)[0], monte_carlo(model, x, samples=2)[0])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel is TensorFlow's")
def test_an_exported_graph_is_deterministic(tmp_path: Path) -> None:
    import tensorflow as tf

    model, x = masked_units(50, 0.5), np.ones((2, 50), "float32")
    monte_carlo(model, x, samples=2)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_array_equal(exported.serve(x), x)
    graph = exported.signatures["serving_default"].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert nodes and not any("Random" in node.op for node in nodes)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_bad_rate_is_named(rate: float) -> None:
    with pytest.raises(ValueError, match=f"rate={rate}: expected 0 <= rate < 1"):
        MonteCarloDropout(rate)


def test_bad_calls_are_named() -> None:
    x = np.ones((1, 2), "float32")
    with pytest.raises(ValueError, match="samples=0: expected at least 1"):
        monte_carlo(masked_units(2, 0.5), x, samples=0)
    inputs = keras.Input((2,))
    plain = keras.Model(inputs, keras.layers.Dropout(0.5)(inputs), name="plain")
    with pytest.raises(ValueError, match="plain has no MonteCarloDropout layer"):
        monte_carlo(plain, x)
