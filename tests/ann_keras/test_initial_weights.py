"""Weights carried over by name and shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ann_keras import initial_weights, registry, training
from tests.ann_keras.examples import Case, small


def dense(units: int, name: str = "scores") -> keras.Model:
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden")], name="inner")
    x = keras.Input((4,))
    y = keras.layers.BatchNormalization(name="norm")(inner(x))
    return keras.Model(x, keras.layers.Dense(units, name=name)(y))


def test_layers_of_the_same_name_and_shapes_are_taken_also_inside_others(tmp_path: Path) -> None:
    source, target = dense(2), dense(5)
    source.get_layer("norm").set_weights([np.full(3, value) for value in (2.0, 3.0, 4.0, 5.0)])
    source.save(tmp_path / "model.keras")
    kept = target.get_layer("scores").get_weights()
    told = initial_weights.transfer(target, tmp_path)
    assert told == f"initialised 2 of 3 layers from {tmp_path / 'model.keras'}; anew: scores"
    for name in ("inner", "norm"):
        for found, given in zip(
            target.get_layer(name).get_weights(), source.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, given)
    np.testing.assert_array_equal(target.get_layer("scores").get_weights()[0], kept[0])
    again = initial_weights.transfer(dense(2), tmp_path / "model.keras")
    assert again == f"initialised 3 of 3 layers from {tmp_path / 'model.keras'}"


def test_what_cannot_be_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"init_from='.*': expected a \.keras file or a folder with model\.keras"):
        initial_weights.transfer(dense(2), tmp_path)
    (tmp_path / "broken.keras").write_text("no archive")
    with pytest.raises(ValueError, match=r"init_from='.*broken\.keras': [^\n]+$"):
        initial_weights.transfer(dense(2), tmp_path / "broken.keras")
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Dense(7, name="elsewhere")(x)).save(tmp_path / "other.keras")
    with pytest.raises(
        ValueError, match="no layer fits; its layers are elsewhere, the model's inner/hidden, norm, scores"
    ):
        initial_weights.transfer(dense(2), tmp_path / "other.keras")


@pytest.mark.slow
def test_a_fit_starts_from_them_and_a_resumed_one_does_not(tmp_path: Path) -> None:
    case = Case("linear", "image_classification")
    train, evaluation = small(case.data.train, 64), small(case.data.eval, 64)
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 64}
    first = training.fit(registry.resolve("linear", overrides=settings), train, evaluation)
    assert first.initialised == ""
    first.model.save(tmp_path / "model.keras")
    staged = registry.resolve(
        "linear", overrides=settings | {"epochs": 2, "learning_rate": 1e-8, "init_from": str(tmp_path)}
    )
    second = training.fit(staged, train, evaluation, checkpoint_dir=tmp_path / "kept")
    assert second.initialised.startswith("initialised 1 of 1 layers")
    for found, given in zip(second.model.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_allclose(found, given, atol=1e-5)
    # The checkpoint is loaded after the transfer: another source changes nothing.
    first.model.set_weights([np.full_like(array, 9.0) for array in first.model.get_weights()])
    first.model.save(tmp_path / "model.keras")
    resumed = training.fit(staged, train, evaluation, checkpoint_dir=tmp_path / "kept")
    for found, given in zip(resumed.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_allclose(found, given, atol=1e-5)
