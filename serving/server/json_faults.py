"""What is wrong with a JSON request, found and worded as TF Serving finds and words it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from serving import tensors
from serving.errors import Code, ServingError
from serving.server.servable import TensorInfo

_LONGEST = 20_000  # characters of a request that an error repeats
_PARSE_ERRORS = {
    "Expecting value": "Invalid value.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma or } after an object member.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Extra data": "The document root must not be followed by other values.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid encoding in string.",
}
_INT, _INT64, _UINT32, _UINT64 = (1 << 31, 1 << 31), (1 << 63, 1 << 63), (0, 1 << 32), (0, 1 << 64)
_INTEGERS = {3: _INT, 4: _INT, 5: _INT, 6: _INT, 17: _INT, 9: _INT64, 22: _UINT32, 23: _UINT64}
_FLOAT_LIMITS = {1: (24, 3.4028234663852886e38), 2: (53, 1.7976931348623157e308), 19: (24, 65504.0)}


def parse_error(error: json.JSONDecodeError) -> str:
    """Returns the message for a body that is not JSON."""
    reason = _PARSE_ERRORS.get(error.msg, error.msg)
    if error.msg == "Expecting ',' delimiter" and _in_array(error.doc[: error.pos]):
        reason = "Missing a comma or ] after an array element."
    return f"JSON Parse error: {reason} at offset: {error.pos}"


def _in_array(text: str) -> bool:
    return text.rfind("[") > text.rfind("{")


def shown(value: Any) -> str:
    """Returns a JSON value as errors show it, cut where it is very long."""
    text = ""
    for part in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
        text += part
        if len(text) > _LONGEST:  # the rest of a large value is not even written
            return text[:_LONGEST] + " ..."
    return text


def format_error(value: Any, reason: str) -> ServingError:
    """Returns the error about a value that is not of the shape a request needs."""
    return ServingError(Code.INVALID_ARGUMENT, f"JSON Value: {shown(value)} {reason}")


def is_base64(value: Any) -> bool:
    """Whether a value is {"b64": "..."} and nothing else."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def is_named(value: Any) -> bool:
    """Whether a value maps input names to values, rather than being one."""
    return isinstance(value, dict) and not is_base64(value)


def is_lossless(value: float, data_type: int) -> bool:
    """Whether a JSON number may be read as a value of a floating-point type."""
    digits, limit = _FLOAT_LIMITS[data_type]
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 64:
        return abs(value) <= (1 << digits) - 1
    return value != value or value in (float("inf"), float("-inf")) or -limit <= value <= limit


def kind(value: Any) -> str:
    """Returns what TF Serving's messages call the type of a JSON value."""
    if value is None or isinstance(value, bool):
        return {None: "Null", True: "True", False: "False"}[value]
    if isinstance(value, dict):
        return "Object"
    return "Array" if isinstance(value, list) else "String" if isinstance(value, str) else "Number"


def _value_fault(value: Any, data_type: int) -> str | None:
    name = tensors.data_type_name(data_type)
    wrong = f"JSON Value: {shown(value)} Type: {kind(value)} is not of expected type: {name}"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if data_type == tensors.STRING:
        if isinstance(value, dict):
            broken = f"JSON Value: {shown(value)} not formatted correctly for base64 data"
            return None if is_base64(value) else broken
        return None if isinstance(value, str) else wrong
    if isinstance(value, dict):
        return wrong
    if data_type in _FLOAT_LIMITS:
        if not is_number:
            return wrong
        lossy = f"Cannot convert JSON value: {shown(value)} to {name} without loss of precision."
        return None if is_lossless(value, data_type) else lossy
    if data_type in _INTEGERS:
        low, high = _INTEGERS[data_type]
        fits = is_number and isinstance(value, int) and -low <= value < high
        return None if fits else wrong
    return None if isinstance(value, bool) else wrong


def _shape_of(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return shape


def _tensor_fault(value: Any, data_type: int, shape: list[int], level: int = 0) -> str | None:
    if not isinstance(value, list):
        if level != len(shape):
            return (
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        return _value_fault(value, data_type)
    if level >= len(shape):
        return f"Encountered list at unexpected level: {level} expected < {len(shape)}"
    if len(value) != shape[level]:
        return f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
    for element in value:
        fault = _tensor_fault(element, data_type, shape, level + 1)
        if fault:
            return fault
    return None


def explain_tensor(value: Any, data_type: int, name: str) -> ServingError:
    """Returns the error about a value that is no dense tensor of a type."""
    fault = _tensor_fault(value, data_type, _shape_of(value))
    return ServingError(Code.INVALID_ARGUMENT, fault or f"tensor parsing error: {name}")


def explain_rows(instances: list[Any], infos: Mapping[str, TensorInfo]) -> ServingError:
    """Returns the error about "instances" that do not make one tensor for each input."""
    return ServingError(Code.INVALID_ARGUMENT, _rows_fault(instances, infos))


def _rows_fault(instances: list[Any], infos: Mapping[str, TensorInfo]) -> str:
    if not isinstance(instances[0], dict) and len(infos) > 1:
        return (
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    named = is_named(instances[0])
    shapes: dict[str, list[int]] = {}
    for index, row in enumerate(instances):
        where = f"Failed to process element: {index}"
        if is_named(row) != named:
            got = "Expecting object but got list" if named else "Expecting value/list but got object"
            return f"{got} at item {index} of input list"
        members = row if named else {next(iter(infos)): row}
        for name, value in members.items():
            fault = _row_fault(value, name, infos, shapes)
            if fault:
                key = f" key: {name}" if named else ""
                return f"{where}{key} of 'instances' list. Error: INVALID_ARGUMENT: {fault}"
        if named and row.keys() != infos.keys():
            keys = ",".join(sorted(infos))
            return f"{where} of 'instances' list. JSON object: {shown(row)} keys must be equal to: {keys}"
    return "tensor parsing error: instances"


def _row_fault(value: Any, name: str, infos: Mapping[str, TensorInfo], shapes: dict[str, list[int]]) -> str | None:
    if name not in infos:
        return f"JSON object: does not have named input: {name}"
    shape = _shape_of(value)
    fault = _tensor_fault(value, infos[name].data_type, shape)
    if fault:
        return fault
    first = shapes.setdefault(name, shape)
    sizes = [_size(first), _size(shape)]
    if sizes[0] != sizes[1]:
        return f"Expecting tensor size: {sizes[0]} but got: {sizes[1]}"
    if first != shape:
        shown_shapes = ["[" + ",".join(map(str, one)) + "]" for one in (first, shape)]
        return f"Expecting shape {shown_shapes[0]} but got: {shown_shapes[1]}"
    return None


def _size(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
