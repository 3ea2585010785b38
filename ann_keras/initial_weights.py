"""Starts a network from the weights of a trained one: every layer of the same name and shapes takes them over.

So Long, Shelhamer and Darrell 2015 (Fully convolutional networks for semantic segmentation, section 4.2) train FCN-16s
from FCN-32s, and FCN-8s from FCN-16s.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras

MODEL_FILE = "model.keras"


def find(path: str | Path) -> Path:
    """The .keras file that a path means: itself, or the model.keras of a folder.

    Raises:
        ValueError: where there is none.
    """
    path = Path(path)
    if path.is_file() and path.suffix == ".keras":
        return path
    if (path / MODEL_FILE).is_file():
        return path / MODEL_FILE
    raise ValueError(f"init_from={str(path)!r}: expected a .keras file or a folder with {MODEL_FILE}")


def transfer(model: keras.Model, path: str | Path) -> str:
    """Copies weights by name from a saved model into `model`.

    A layer, also of a model inside the model, takes over all its weights or none: those of the layer of the same name
    where all shapes are the same.

    Args:
        model: built; it is changed.
        path: a .keras file or a folder that holds model.keras.

    Returns:
        One line that says how many of the layers with weights were initialised, and which were not.

    Raises:
        ValueError: where the file cannot be read, or no layer fits.
    """
    file = find(path)
    try:
        source = _layers(keras.saving.load_model(file, compile=False))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"init_from={str(file)!r}: {str(error).strip().splitlines()[0]}") from error
    targets = _layers(model)
    left = []
    for name, weights in targets.items():
        found = source.get(name, [])
        if [tuple(weight.shape) for weight in found] != [tuple(weight.shape) for weight in weights]:
            left.append(name)
            continue
        for weight, value in zip(weights, found, strict=True):
            weight.assign(value)
    if len(left) == len(targets):
        raise ValueError(
            f"init_from={str(file)!r}: no layer fits; its layers are {_named(source)}, the model's {_named(targets)}"
        )
    told = f"initialised {len(targets) - len(left)} of {len(targets)} layers from {file}"
    return f"{told}; anew: {_named(left)}" if left else told


def _layers(model: keras.Model, within: str = "") -> dict[str, list[Any]]:
    """The weights of each layer that is no model itself, by its name after those of the models that it lies in."""
    found: dict[str, list[Any]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= _layers(layer, f"{within}{layer.name}/")
        elif layer.weights:
            found[within + layer.name] = layer.weights
    return found


def _named(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
