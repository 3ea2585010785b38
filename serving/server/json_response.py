"""TF Serving's JSON answers: arrays to "predictions" (row format) or "outputs" (column format)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import numpy as np

from serving import tensors
from serving.errors import Code, ServingError


def response(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """Returns the JSON body that answers a predict request.

    Args:
        outputs: an array per output. One output alone loses its name.
        by_row: row format, where every output must have the same first dimension, or column format.
    """
    if not outputs:
        raise ServingError(Code.INVALID_ARGUMENT, "Cannot convert empty tensor map to JSON")
    if not by_row:
        columns = {name: _written(name, array) for name, array in outputs.items()}
        whole = next(iter(columns.values())) if len(columns) == 1 else _object(columns)
        return b'{\n    "outputs": ' + whole.encode("utf-8", "surrogateescape") + b"\n}"
    batch: int | None = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise ServingError(Code.INVALID_ARGUMENT, f"Tensor name: {name} has no shape information ")
        if batch not in (None, len(array)):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {batch}",
            )
        batch = len(array)
    if len(outputs) == 1:
        ((name, array),) = outputs.items()
        rows = _written(name, array)
    else:
        parts = {name: _row_texts(name, array) for name, array in outputs.items()}
        texts = [_object({name: part[row] for name, part in parts.items()}) for row in range(batch or 0)]
        rows = "[" + ",\n".join(texts) + "]"
    return b'{\n    "predictions": ' + rows.encode("utf-8", "surrogateescape") + b"\n}"


def _object(members: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in members.items()) + "}"


def _row_texts(name: str, array: np.ndarray) -> list[str]:
    texts = scalar_texts(name, array)
    size = int(np.prod(array.shape[1:], dtype=np.int64))
    return [_nested(texts[row * size : (row + 1) * size], array.shape[1:]) for row in range(len(array))]


def _written(name: str, array: np.ndarray) -> str:
    return _nested(scalar_texts(name, array), array.shape)


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    if not texts and shape:
        return json.dumps(np.empty(shape, np.int8).tolist())
    for size in reversed(shape):
        texts = ["[" + ", ".join(texts[at : at + size]) + "]" for at in range(0, len(texts), size)]
    return texts[0]


def scalar_texts(name: str, array: np.ndarray) -> list[str]:
    """Returns the JSON token of each element."""
    flat = array.reshape(-1)
    if flat.dtype == object:
        if name.endswith("_bytes"):
            return [f'{{"b64": "{base64.b64encode(value).decode()}"}}' for value in flat]
        return [json.dumps(value.decode("utf-8", "surrogateescape"), ensure_ascii=False) for value in flat]
    if flat.dtype.kind == "f":
        return decimals(flat)
    if flat.dtype.kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if flat.dtype.kind in "iu":
        return list(map(str, flat.tolist()))
    data_type = tensors.data_type_name(tensors.data_type_of(array))
    raise ServingError(Code.INVALID_ARGUMENT, f"Failed to write JSON value for tensor type: {data_type}")


def decimals(flat: np.ndarray) -> list[str]:
    """Returns TF Serving's decimals: six digits where they are exact, else all of them; never a bare integer."""
    values = flat.tolist()
    texts = ("%g " * len(values) % tuple(values)).split()
    exact = np.array(list(map(float, texts)), np.float64).astype(flat.dtype) == flat
    finite = np.isfinite(flat)
    inexact = np.flatnonzero(finite & ~exact).tolist()
    digits = "%.17g " if flat.dtype == np.float64 else "%.9g "
    for index, text in zip(inexact, (digits * len(inexact) % tuple(values[i] for i in inexact)).split(), strict=True):
        texts[index] = text
    for index in np.flatnonzero(~finite).tolist():
        value = values[index]
        texts[index] = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return [text if "." in text or "e" in text or text[-1] in "yN" else text + ".0" for text in texts]
