"""tf.Examples as a client's user writes them: a mapping of names to numbers, text, bytes, or lists of those."""

from __future__ import annotations

import base64
import numbers
from collections.abc import Mapping
from typing import Any

from serving import protos, tensors
from serving.errors import Code, ServingError

Example = Mapping[str, tuple[str, list[Any]]]
"""A feature's list ("int64_list", "float_list" or "bytes_list") and its values, by name."""


def read(example: Mapping[str, Any]) -> Example:
    """Chooses the list of each feature: whole numbers, else numbers, or text (as UTF-8) and bytes.

    Raises:
        ServingError: naming the feature whose value fits none of them.
    """
    if not isinstance(example, Mapping):
        message = f"an example is a mapping of feature names to values, not {example!r:.80}"
        raise ServingError(Code.INVALID_ARGUMENT, message)
    return {name: _read_feature(name, value) for name, value in example.items()}


def _read_feature(name: str, value: Any) -> tuple[str, list[Any]]:
    value = value.tolist() if hasattr(value, "tolist") else value
    values = list(value) if isinstance(value, list | tuple) else [value]
    if values and all(isinstance(one, str | bytes) for one in values):
        return "bytes_list", [tensors.to_bytes(one) for one in values]
    if all(isinstance(one, numbers.Integral) for one in values):
        if any(not -(1 << 63) <= int(one) < 1 << 63 for one in values):
            raise ServingError(Code.INVALID_ARGUMENT, f"feature {name!r} does not fit 64 bits: {value!r:.80}")
        return "int64_list", [int(one) for one in values]
    if all(isinstance(one, numbers.Real) for one in values):
        return "float_list", [float(one) for one in values]
    wanted = "a number, text, bytes, or a flat list of one of them"
    raise ServingError(Code.INVALID_ARGUMENT, f"feature {name!r} must be {wanted}, not {value!r:.80}")


def to_proto(example: Example) -> Any:
    """Returns the tf.Example."""
    proto = protos.example_pb2.Example()
    for name, (kind, values) in example.items():
        getattr(proto.features.feature[name], kind).value.extend(values)
    return proto


def to_json(example: Example) -> dict[str, list[Any]]:
    """Returns what stands for the tf.Example in a REST request."""
    return {
        name: [{"b64": base64.b64encode(one).decode()} for one in values] if kind == "bytes_list" else values
        for name, (kind, values) in example.items()
    }
