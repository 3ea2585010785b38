"""What the page must know of a model to ask for its inputs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ann_keras.datasets.palette import colours_of
from ann_keras.task import Feature
from serving.columns import column_name, features_of, is_cell
from serving.model_config import DESCRIPTION
from serving.playground import examples

_NUMBERS = {"DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16"}
SIGNATURE = "serving_default"


def from_export(base_path: str | os.PathLike[str], version: str) -> dict[str, Any] | None:
    """Returns what the export of a version says of it; None where it says nothing.

    Args:
        base_path: the folder of version directories.
        version: the served one.
    """
    folder = Path(base_path, version)
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        features = features_of(described)
    except (OSError, ValueError, LookupError, TypeError):
        return None
    about = {"task": described.get("task", ""), "dataset": described.get("dataset", ""), "row": True}
    if about["task"] == "semantic_segmentation":
        colours = colours_of(described.get("palette", ()), len(described.get("classes", ())))
        about["palette"] = colours.tolist()
    interval = described.get("settings", {}).get("interval")
    if not all(map(is_cell, features)):
        return {**about, "features": [_field(feature) for feature in features]}
    rows = examples.rows(folder, features)
    # A text alone may be a long one, which is no cell of a table.
    if [feature.kind for feature in features] == ["text"]:
        return {**about, "features": [_field(feature) for feature in features], "examples": rows}
    fields = [
        _field(feature) | ({"values": examples.values(folder, feature, rows)} if feature.kind == "text" else {})
        for feature in features
    ]
    return {**about, "features": fields, "table": True, "examples": rows, "interval": interval}


def _field(feature: Feature) -> dict[str, Any]:
    """What the page is told of a feature; "about" is what its label does not say already."""
    column = column_name(feature)
    return {
        "name": feature.name,
        "kind": feature.kind,
        "shape": list(feature.shape),
        "dtype": feature.dtype,
        "optional": feature.optional,
        "column": column,
        "about": "" if feature.description in (column, f"Column {column!r}.") else feature.description,
    }


def from_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the same, made of TF Serving's answer to /metadata, for any SavedModel.

    Args:
        document: that answer.

    Raises:
        ValueError: where the model has no signature named serving_default.
    """
    signatures = document.get("metadata", {}).get("signature_def", {}).get("signature_def", {})
    if SIGNATURE not in signatures:
        raise ValueError(f"the model has no signature {SIGNATURE!r}; it has {', '.join(sorted(signatures)) or 'none'}")
    inputs = signatures[SIGNATURE].get("inputs", {})
    shapes = {name: _shape(one) for name, one in inputs.items()}
    # A signature without a batch is asked in the column format: its input is one value, not one row of it.
    row = all(shape is None or shape[:1] == [None] for shape in shapes.values())
    features = []
    for name, one in sorted(inputs.items()):
        shape, dtype = shapes[name], str(one.get("dtype", ""))
        inner = shape[1:] if shape and row else shape
        features.append({"name": name, "kind": _kind(dtype, inner), "shape": inner, "dtype": dtype[3:].lower()})
    is_table = len(features) > 1 and all(one["kind"] in ("number", "text") for one in features)
    return {"task": "", "dataset": "", "features": features, "row": row, "table": is_table}


def _shape(tensor: Mapping[str, Any]) -> list[int | None] | None:
    """The dimensions, None for one that varies; None where not even the rank is known."""
    shape = tensor.get("tensor_shape", {})
    if shape.get("unknown_rank"):
        return None
    sizes = [int(dimension.get("size", -1)) for dimension in shape.get("dim", [])]
    return [size if size >= 0 else None for size in sizes]


def _kind(dtype: str, shape: list[int | None] | None) -> str:
    if dtype == "DT_STRING" and not shape:
        return "text"
    return "number" if dtype in _NUMBERS and shape == [] else "json"
