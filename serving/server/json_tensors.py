"""TF Serving's JSON requests: row format ("instances") and column format ("inputs") to arrays.

The quick way in converts a dense nested list level by level. Whatever is not dense, or not of the input's type, goes to
`json_faults`, which walks it as TF Serving does and finds the message that TF Serving would give.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving import tensors
from serving.errors import Code, ServingError
from serving.server import json_faults
from serving.server.servable import DEFAULT_SIGNATURE, TensorInfo

_INTEGER_RANGES = {
    3: (-(1 << 31), (1 << 31) - 1),
    9: (-(1 << 63), (1 << 63) - 1),
    22: (0, (1 << 32) - 1),
    23: (0, (1 << 64) - 1),
} | dict.fromkeys((4, 5, 6, 17), (-(1 << 31), (1 << 31) - 1))
_DIGITS = {1: 24, 2: 53, 19: 24}  # bits of an integer that a float, double or half request value may have

_MAX_RANK = 32  # numpy's


def parse(body: bytes) -> dict[str, Any]:
    """Returns the JSON object in a request's body.

    Raises:
        ServingError: INVALID_ARGUMENT where it is not one.
    """
    if not body:
        raise ServingError(Code.INVALID_ARGUMENT, "JSON Parse error: The document is empty")
    try:
        document = json.loads(body.decode("utf-8", "surrogateescape"))
    except json.JSONDecodeError as error:
        raise ServingError(Code.INVALID_ARGUMENT, json_faults.parse_error(error)) from None
    except (RecursionError, ValueError) as error:
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise json_faults.format_error(document, "Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """Returns the signature that a request asks for, "" where it names none."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise json_faults.format_error(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


Signatures = Mapping[str, Mapping[str, TensorInfo]]
"""The inputs of each signature."""


def predict_request(document: Mapping[str, Any], signatures: Signatures) -> tuple[str, dict[str, np.ndarray], bool]:
    """Returns the signature that a predict request asks for, its inputs, and whether it is in row format.

    Args:
        document: the parsed body.
        signatures: those that the model has.

    Raises:
        ServingError: INVALID_ARGUMENT with TF Serving's message.
    """
    name = signature_name(document) or DEFAULT_SIGNATURE
    infos = signatures.get(name)
    if infos is None:
        raise ServingError(Code.INVALID_ARGUMENT, f'Serving signature name: "{name}" not found in signature def')
    if not infos:
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to get input map for signature: {name}")
    return name, *request_inputs(document, infos)


def predict_body(body: bytes, signatures: Signatures) -> tuple[str, dict[str, np.ndarray], bool]:
    """Returns what `predict_request` does, from the body."""
    return predict_request(parse(body), signatures)


def request_inputs(document: Mapping[str, Any], infos: Mapping[str, TensorInfo]) -> tuple[dict[str, np.ndarray], bool]:
    """Returns the arrays of a predict request and whether it is in row format.

    Args:
        document: the parsed body.
        infos: the signature's inputs.

    Raises:
        ServingError: INVALID_ARGUMENT with TF Serving's message.
    """
    if "instances" in document and "inputs" in document:
        raise json_faults.format_error(
            document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        instances = document["instances"]
        if not isinstance(instances, list):
            raise json_faults.format_error(document, "Excepting 'instances' to be an list/array")
        if not instances:
            raise json_faults.format_error(document, "No values in 'instances' array")
        return _rows(instances, infos), True
    if "inputs" in document:
        return _columns(document["inputs"], infos), False
    raise ServingError(Code.INVALID_ARGUMENT, "Missing 'inputs' or 'instances' key")


def _rows(instances: list[Any], infos: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    columns: dict[str, list[Any]] = {}
    named = json_faults.is_named(instances[0])
    if named:
        keys = infos.keys()
        if not all(isinstance(row, dict) and row.keys() == keys for row in instances):
            raise json_faults.explain_rows(instances, infos)
        columns = {name: [row[name] for row in instances] for name in infos}
    elif len(infos) > 1:
        raise json_faults.explain_rows(instances, infos)
    else:
        columns = dict.fromkeys(infos, instances)
    arrays = {}
    for name, values in columns.items():
        array = _dense(values, infos[name].data_type)
        if array is None:
            raise json_faults.explain_rows(instances, infos)
        arrays[name] = array
    return arrays


def _columns(inputs: Any, infos: Mapping[str, TensorInfo]) -> dict[str, np.ndarray]:
    if not json_faults.is_named(inputs):
        if len(infos) > 1:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map",
            )
        inputs = dict.fromkeys(infos, inputs)
    arrays = {}
    for name, info in infos.items():
        if name not in inputs:
            raise ServingError(Code.INVALID_ARGUMENT, f"Missing named input: {name} in 'inputs' object.")
        array = _dense(inputs[name], info.data_type)
        if array is None:
            raise json_faults.explain_tensor(inputs[name], info.data_type, name)
        arrays[name] = array
    return arrays


def _dense(value: Any, data_type: int) -> np.ndarray | None:
    """Returns the array of a nested list, or None where it is ragged or an element is of another type."""
    shape: list[int] = []
    level = [value]
    kinds: set[type] = {type(value)}
    while kinds == {list}:
        sizes = set(map(len, level))
        if len(sizes) != 1:
            return None
        shape.append(sizes.pop())
        if len(shape) > _MAX_RANK:
            raise ServingError(Code.INVALID_ARGUMENT, f"a tensor of more than {_MAX_RANK} dimensions cannot be sent")
        level = list(itertools.chain.from_iterable(level))
        kinds = set(map(type, level))
    if data_type == tensors.STRING:
        return _strings(level, kinds, shape)
    flat = _numbers(level, kinds, data_type)
    return None if flat is None else flat.reshape(shape)


def _strings(level: list[Any], kinds: set[type], shape: list[int]) -> np.ndarray | None:
    if not kinds <= {str, dict}:
        return None
    tensors.check_strings(len(level))
    flat = np.empty(len(level), object)
    for index, value in enumerate(level):
        if isinstance(value, str):
            flat[index] = encode_text(value)
        elif json_faults.is_named(value):
            return None
        else:
            flat[index] = decode_base64(value["b64"])
    return flat.reshape(shape)


def _numbers(level: list[Any], kinds: set[type], data_type: int) -> np.ndarray | None:
    kind = tensors.numpy_type(data_type)
    if kind.kind == "b":
        return np.array(level, kind) if kinds <= {bool} else None
    if data_type in _INTEGER_RANGES:
        if not kinds <= {int}:
            return None
        low, high = _INTEGER_RANGES[data_type]
        if level and not (low <= min(level) and max(level) <= high):
            return None
        return np.array(level, np.uint64 if data_type == 23 else np.int64).astype(kind)
    if data_type not in _DIGITS:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {json_faults.shown(level[:1])} to type: {tensors.data_type_name(data_type)}",
        )
    if not kinds <= {int, float}:
        return None
    if int in kinds and not all(json_faults.is_lossless(v, data_type) for v in level if type(v) is int):
        return None
    wide = np.array(level, np.float64)
    limit = float(np.finfo(np.float32 if data_type == 1 else kind).max)
    if data_type != 2 and bool((np.abs(wide[np.isfinite(wide)]) > limit).any()):
        return None
    return wide.astype(kind)


def encode_text(text: str) -> bytes:
    """Returns a JSON string's bytes, the original ones where the body was not UTF-8."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        message = "JSON Parse error: The surrogate pair in string is invalid."
        raise ServingError(Code.INVALID_ARGUMENT, message) from None


def decode_base64(text: str) -> bytes:
    """Returns what base64 stands for; white space and missing padding are allowed, as in TF Serving."""
    packed = re.sub(r"\s+", "", text).rstrip("=")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ServingError(Code.INVALID_ARGUMENT, "Unable to base64 decode") from None
