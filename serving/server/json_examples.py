"""TF Serving's JSON bodies of classify and regress: "examples" and "context" to an Input message, and the answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import protos
from serving.errors import Code, ServingError
from serving.server import json_faults, json_response, json_tensors
from serving.server.inference import Classes

_FIELDS: dict[str, str] = {"bytes": "bytes_list", "float": "float_list", "int64": "int64_list"}


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def request_input(document: Mapping[str, Any]) -> Any:
    """Returns the Input message of a classify or regress request.

    Args:
        document: the parsed body.

    Raises:
        ServingError: INVALID_ARGUMENT with TF Serving's message.
    """
    given = protos.input_pb2.Input()
    has_context = "context" in document
    if has_context:
        _write_example(document["context"], given.example_list_with_context.context)
    if "examples" not in document:
        raise json_faults.format_error(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    examples = document["examples"]
    if not isinstance(examples, list):
        raise json_faults.format_error(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise json_faults.format_error(document, "'examples' value is an empty array")
    target = (given.example_list_with_context if has_context else given.example_list).examples
    for example in examples:
        _write_example(example, target.add())
    return given


def _write_example(value: Any, example: Any) -> None:
    if not isinstance(value, dict):
        raise _invalid(f"Example must be JSON object but got JSON {json_faults.kind(value)}")
    for name, content in value.items():
        json_tensors.encode_text(name)  # says what is wrong with half a surrogate pair
        try:
            feature = example.features.feature[name]
        except (ValueError, UnicodeError):
            raise _invalid(f"Feature name {name!r} is not UTF-8") from None
        kinds = set()
        for element in content if isinstance(content, list) else [content]:
            kind, plain = _feature_value(element, name)
            kinds.add(kind)
            if len(kinds) > 1:
                known = next(one for one in _FIELDS if feature.WhichOneof("kind") == _FIELDS[one])
                raise _invalid(f"Unexpected element type in feature: {name} expecting type: {known}")
            getattr(feature, _FIELDS[kind]).value.append(plain)


def _feature_value(value: Any, name: str) -> tuple[str, Any]:
    """Returns the kind of feature that a JSON value makes, and the value in it."""
    if isinstance(value, bool):
        return "int64", int(value)
    if isinstance(value, str):
        return "bytes", json_tensors.encode_text(value)
    if json_faults.is_base64(value):
        return "bytes", json_tensors.decode_base64(value["b64"])
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 64:
        if value >= 1 << 63:
            raise _invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64", value
    if isinstance(value, int | float):
        if not json_faults.is_lossless(value, 1):
            raise _invalid(f"Cannot convert JSON value: {json_faults.shown(value)} to float without loss of precision.")
        return "float", float(value)
    raise _invalid(f"Feature: {name} has element with unexpected JSON type: {json_faults.kind(value)}")


def classes_response(found: Classes) -> bytes:
    """Returns the JSON body that answers a classify request: a list of [label, score] for each example."""
    one = found.labels if found.labels is not None else found.scores
    assert one is not None
    scores = np.zeros(one.shape, np.float32) if found.scores is None else found.scores
    texts = iter(json_response.scalar_texts("scores", scores))
    rows = []
    for row in range(len(one)):
        names = [b""] * one.shape[1] if found.labels is None else found.labels[row]
        shown = (json.dumps(name.decode("utf-8", "surrogateescape"), ensure_ascii=False) for name in names)
        rows.append("[" + ", ".join(f"[{label}, {next(texts)}]" for label in shown) + "]")
    return _results(",\n        ".join(rows))


def values_response(found: np.ndarray) -> bytes:
    """Returns the JSON body that answers a regress request: a number for each example."""
    return _results(", ".join(json_response.scalar_texts("outputs", found)))


def _results(inner: str) -> bytes:
    return b'{\n    "results": [' + inner.encode("utf-8", "surrogateescape") + b"]\n}"
