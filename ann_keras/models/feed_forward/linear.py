"""Softmax regression: one score per class, linear in the pixels, whose weights are a template for each class.

The scores are W x + b; a row of W, reshaped to the image, is the template that the classifier correlates the image with
(Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4).

Run it with `ann run linear`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ann_keras.settings import Range, Training, setting
from ann_keras.task import Feature, Task

TASKS = ("image_classification",)


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    weight_decay: float = setting(
        1e-4, "factor of the squared weights in the loss", low=0, search=Range(1e-6, 1e-2, log=True)
    )


TINY = Config()
TRAINING = Training(epochs=40, batch_size=32, learning_rate=2e-3, decay="cosine")
PICTURES_TITLE = "Templates of the classes"


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels].
        outputs: logits, float32 [batch, classes].
    """
    x = keras.layers.Flatten(name="flatten")(inputs["image"])
    penalty = keras.regularizers.L2(config.weight_decay)
    logits = keras.layers.Dense(outputs.shape[0], kernel_regularizer=penalty, name="scores")(x)
    return keras.Model(inputs, logits, name="linear")


def pictures(model: keras.Model, task: Task) -> dict[str, np.ndarray]:
    """The template of every class, float32 [height, width, channels], positive where a bright pixel speaks for it."""
    kernel = np.asarray(model.get_layer("scores").kernel)
    shape = tuple(size or 1 for size in task.inputs[0].shape)
    return {name: kernel[:, index].reshape(shape) for index, name in enumerate(task.label.classes)}
