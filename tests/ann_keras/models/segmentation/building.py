"""Segmenters of any settings, without a dataset, and what all of them must do."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import settings
from ann_keras.task import Feature

SIZES = [(1, 1), (2, 3), (33, 47), (64, 64)]


def build(module: ModuleType, channels: int = 3, classes: int = 4, tiny: bool = True, **overrides: Any) -> keras.Model:
    """A model for float32 images of any size, of the module's TINY settings or its defaults."""
    (config,) = settings.apply([module.TINY if tiny else module.Config()], overrides)
    inputs = {"image": keras.Input((None, None, channels), name="image")}
    return module.build(config, inputs, Feature("logits", "tensor", (None, None, classes)))


def answers(model: keras.Model, image: np.ndarray) -> np.ndarray:
    """The logits, float32 [batch, height, width, classes]."""
    return np.asarray(model({"image": image}, training=False))


def noise(*shape: int) -> np.ndarray:
    """float32 of `shape`, standard normal, the same each time."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A disc and a box on noise: float32 [1, 26, 30, 3] and uint8 [1, 26, 30] of the classes 0, 1, 2."""
    rows, columns = np.mgrid[:26, :30]
    mask = np.zeros((26, 30), "uint8")
    mask[14:23, 3:15] = 1
    mask[(rows - 9) ** 2 + (columns - 20) ** 2 <= 36] = 2
    image = np.eye(3, dtype="float32")[mask] + 0.1 * noise(26, 30, 3)
    return image[None], mask[None]


def learns_a_scene(module: ModuleType, steps: int = 50, **overrides: Any) -> None:
    """Asserts that the model learns every pixel of one scene by heart, also as it is outside training."""
    keras.utils.set_random_seed(0)
    model = build(module, classes=3, **overrides)
    image, mask = scene()
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    batches = tf.data.Dataset.from_tensors(({"image": image}, mask)).repeat()
    model.fit(batches, steps_per_epoch=steps, verbose=0)
    found = answers(model, image).argmax(-1)
    assert (found == mask).mean() > 0.99
    assert (mask == 0).mean() < 0.8


def comes_back(model: keras.Model, path: Any) -> None:
    """Asserts that a saved model is the same again."""
    model.save(path)
    again = keras.saving.load_model(path)
    image = noise(1, 13, 10, 3)
    np.testing.assert_allclose(answers(again, image), answers(model, image), rtol=1e-6, atol=1e-6)
