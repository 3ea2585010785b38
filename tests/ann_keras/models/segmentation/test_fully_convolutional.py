"""Classifiers made fully convolutional against the classifiers themselves."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from ann_keras.layers.receptive_field import receptive_field
from ann_keras.models.convolutional import lenet5
from ann_keras.models.feed_forward import linear, mlp
from ann_keras.models.segmentation.fully_convolutional import convert_to_fully_convolutional
from tests.ann_keras.models.building import build


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def heat_map(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(convert_to_fully_convolutional(model)({"image": images}))


@pytest.mark.parametrize(
    ("module", "side", "stride", "settings"),
    [
        (lenet5, 32, 4, {}),
        (mlp, 6, 1, {"depth": 2, "units": 7, "normalisation": "batch"}),
        (linear, 6, 1, {"solver": "gradient"}),
    ],
)
def test_a_cell_is_the_answer_for_its_crop(
    module: ModuleType, side: int, stride: int, settings: dict[str, Any]
) -> None:
    model = build(module, (side, side, 2), 5, **settings)
    images = noise(2, side + 2 * stride, side + stride, 2)
    model({"image": images[:, :side, :side] + 1}, training=True)  # moves the averages of batch normalisation
    found = heat_map(model, images)
    assert found.shape == (2, 3, 2, 5)
    for row in range(3):
        for column in range(2):
            crop = images[:, row * stride :, column * stride :][:, :side, :side]
            np.testing.assert_allclose(found[:, row, column], model({"image": crop}), atol=1e-5)
    assert np.abs(found[:, 0, 0] - found[:, 1, 1]).max() > 1e-2
    assert heat_map(model, images[:, :side, :side]).shape == (2, 1, 1, 5)


def test_lenet5_is_converted_from_its_field_on() -> None:
    model, images = build(lenet5, (28, 28, 1), 10), noise(2, 28, 28, 1)
    np.testing.assert_allclose(heat_map(model, lenet5.place(images))[:, 0, 0], model({"image": images}), atol=1e-5)


@pytest.mark.parametrize("pooling", [layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D])
def test_global_pooling_and_a_residual(pooling: type) -> None:
    image = keras.Input((8, 6, 1), name="image")
    x = layers.Conv2D(4, 3, activation="relu")(image)
    x = layers.Add()([x, layers.Conv2D(4, 1)(x)])
    model = keras.Model({"image": image}, layers.Dense(3, activation="softmax")(pooling()(x)))
    images = noise(2, 10, 9, 1)
    found = heat_map(model, images)
    assert found.shape == (2, 3, 4, 3)
    np.testing.assert_allclose(found[:, 2, 3], model({"image": images[:, 2:10, 3:9]}), atol=1e-5)


def test_a_dense_layer_by_hand() -> None:
    """Weights 1, 2, 3, 4 over a window of 2 x 2, and a bias of 10."""
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, layers.Dense(1)(layers.Flatten()(image)))
    model.layers[-1].set_weights([np.array([[1.0], [2], [3], [4]]), np.array([10.0])])
    converted = convert_to_fully_convolutional(model)
    found = converted(np.array([[0, 1, 0], [0, 0, 2]], "float32")[None, :, :, None])
    assert np.asarray(found)[0, :, :, 0].tolist() == [[10 + 2, 10 + 1 + 4 * 2]]


def test_the_weights_are_copies_and_the_field_is_the_classifiers(tmp_path: Path) -> None:
    model = build(lenet5, (32, 32, 1), 10)
    converted, images = convert_to_fully_convolutional(model), noise(1, 36, 40, 1)
    field = receptive_field(keras.Model(converted.inputs, converted.get_layer("c1").output))
    assert (field.size, field.stride) == (5, 1)
    expected = np.asarray(converted({"image": images}))
    converted.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")({"image": images}), expected)
    model.set_weights([weights + 1 for weights in model.get_weights()])
    np.testing.assert_array_equal(converted({"image": images}), expected)


def test_what_cannot_be_converted_is_named() -> None:
    image = keras.Input((4, 4, 2))
    with pytest.raises(ValueError, match="its output is no vector"):
        convert_to_fully_convolutional(keras.Model(image, layers.Conv2D(1, 3)(image)))
    x = layers.BatchNormalization(name="it")(layers.Flatten()(image))
    with pytest.raises(ValueError, match=r"it \(BatchNormalization\): no convolutional form"):
        convert_to_fully_convolutional(keras.Model(image, layers.Dense(2)(x)))
    table = keras.Input((4,), name="table")
    with pytest.raises(ValueError, match="expected one image in and one answer out"):
        convert_to_fully_convolutional(keras.Model(table, layers.Dense(2)(table)))
