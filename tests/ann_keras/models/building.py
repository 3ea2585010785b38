"""Models of any shape, without a dataset."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras

from ann_keras import settings
from ann_keras.task import Feature


def build(module: ModuleType, shape: tuple[int, int, int], classes: int, **overrides: Any) -> keras.Model:
    """A model for float32 images of `shape`."""
    (config,) = settings.apply([module.Config()], overrides)
    inputs = {"image": keras.Input(shape, name="image")}
    return module.build(config, inputs, Feature("logits", "tensor", (classes,)))
