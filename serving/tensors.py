"""Tensors as numpy arrays and as TensorProtos, with TF Serving's choice of fields and without TensorFlow.

A string tensor is an object array of `bytes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from serving import protos
from serving.errors import Code, ServingError

STRING = 7
BFLOAT16 = 14

# DataType number -> name in messages, numpy type, TensorProto field
_NUMERIC: dict[int, tuple[str, Any, str]] = {
    1: ("float", np.float32, "float_val"),
    2: ("double", np.float64, "double_val"),
    3: ("int32", np.int32, "int_val"),
    4: ("uint8", np.uint8, "int_val"),
    5: ("int16", np.int16, "int_val"),
    6: ("int8", np.int8, "int_val"),
    8: ("complex64", np.complex64, "scomplex_val"),
    9: ("int64", np.int64, "int64_val"),
    10: ("bool", np.bool_, "bool_val"),
    17: ("uint16", np.uint16, "int_val"),
    18: ("complex128", np.complex128, "dcomplex_val"),
    19: ("half", np.float16, "half_val"),
    22: ("uint32", np.uint32, "uint32_val"),
    23: ("uint64", np.uint64, "uint64_val"),
}
_DATA_TYPES: dict[np.dtype[Any], int] = {np.dtype(kind): number for number, (_, kind, _) in _NUMERIC.items()}
_AS_BITS = {19, BFLOAT16}
_MOST_FILLED_BYTES = 1 << 28
"""What a tensor may grow to by repeating its last value."""


def _entry(data_type: int) -> tuple[str, Any, str]:
    if data_type == BFLOAT16:
        import ml_dtypes

        return "bfloat16", ml_dtypes.bfloat16, "half_val"
    entry = _NUMERIC.get(data_type)
    if entry is None:
        raise ServingError(
            Code.UNIMPLEMENTED, f"tensors of data type {data_type_name(data_type)} cannot be sent or received"
        )
    return entry


MOST_STRINGS = 1 << 22
"""Strings that a tensor of a request may have. Each costs Python more than a number does, and holds up the others."""


def check_strings(count: int) -> None:
    """Raises RESOURCE_EXHAUSTED for a tensor of more strings than a server takes."""
    if count > MOST_STRINGS:
        message = f"a tensor of {count} strings is larger than the {MOST_STRINGS} that this server takes"
        raise ServingError(Code.RESOURCE_EXHAUSTED, message)


def data_type_name(data_type: int) -> str:
    """Returns the name that TensorFlow's messages use: "float", "int64", "string"."""
    if data_type == STRING:
        return "string"
    if data_type in _NUMERIC:
        return _NUMERIC[data_type][0]
    try:
        return str(protos.types_pb2.DataType.Name(data_type)).removeprefix("DT_").lower()
    except ValueError:
        return f"unknown dtype enum ({data_type})"


def data_type_number(name: str) -> int:
    """Returns the number of a DataType by its proto name, such as "DT_FLOAT"; 0 where this code has no such type."""
    names = {entry[0]: number for number, entry in _NUMERIC.items()} | {"string": STRING, "bfloat16": BFLOAT16}
    return names.get(name.removeprefix("DT_").lower(), 0)


def numpy_type(data_type: int) -> np.dtype[Any]:
    """Returns the numpy type of a DataType number; `object` for strings."""
    return np.dtype(object) if data_type == STRING else np.dtype(_entry(data_type)[1])


def data_type_of(array: np.ndarray) -> int:
    """Returns the DataType number of an array; text, bytes and object arrays are strings."""
    if array.dtype.kind in "OSU":
        return STRING
    number = _DATA_TYPES.get(array.dtype)
    if number is None and array.dtype.name == "bfloat16":
        return BFLOAT16
    if number is None:
        raise ServingError(Code.INVALID_ARGUMENT, f"arrays of type {array.dtype} are no tensors")
    return number


def to_bytes(value: Any) -> bytes:
    """Returns an element of a string tensor as bytes; text is encoded as UTF-8."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    raise ServingError(Code.INVALID_ARGUMENT, f"an element of a string tensor must be bytes or text, not {value!r:.80}")


def to_proto(array: np.ndarray) -> Any:
    """Returns the TensorProto of an array, in typed fields as TF Serving answers."""
    proto = protos.tensor_pb2.TensorProto()
    write_proto(proto, array)
    return proto


def write_proto(proto: Any, array: np.ndarray) -> None:
    """Writes an array into an empty TensorProto, such as an entry of a map that would have to be copied otherwise."""
    proto.dtype = data_type = data_type_of(array)
    dim = proto.tensor_shape.dim
    for size in array.shape:
        dim.add(size=size)
    flat = np.ascontiguousarray(array).reshape(-1)
    if data_type == STRING:
        proto.string_val.extend([to_bytes(value) for value in flat.tolist()])
        return
    field = getattr(proto, _entry(data_type)[2])
    if data_type in _AS_BITS:
        flat = flat.view(np.uint16)
    elif flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    field.extend(flat.tolist())


def from_proto(proto: Any, name: str) -> np.ndarray:
    """Returns the array that a TensorProto holds, in either of its encodings.

    Args:
        proto: a TensorProto. Fewer values than its shape asks for mean that the last one repeats.
        name: what the error message calls the tensor.

    Raises:
        ServingError: INVALID_ARGUMENT where the values do not fit the shape.
    """
    broken = ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {name}")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise broken
    count = 1
    for size in shape:
        count *= size
    if proto.dtype == STRING:
        check_strings(max(len(proto.string_val), count))
        values = _packed_strings(proto.tensor_content, count) if proto.tensor_content else list(proto.string_val)
        if values is None:
            raise broken
        flat = np.empty(len(values), object)
        flat[:] = values
    elif proto.dtype != BFLOAT16 and proto.dtype not in _NUMERIC:
        raise broken
    elif proto.tensor_content:
        try:
            flat = np.frombuffer(proto.tensor_content, numpy_type(proto.dtype))
        except ValueError:
            raise broken from None
        if len(flat) != count:
            raise broken
    else:
        flat = _from_fields(proto)
    if len(flat) < count:
        flat = _repeat_last(flat, count, proto.dtype)
    try:
        return flat[:count].reshape(shape)
    except ValueError:  # no elements, and dimensions that no array may have
        raise broken from None


def _packed_strings(content: bytes, count: int) -> list[bytes] | None:
    """Returns the strings of a tensor's content: their lengths as varints, then their bytes; None if it is not that."""
    if count > len(content):  # a length takes a byte at least
        return None
    sizes, at = [], 0
    for _ in range(count):
        size = shift = 0
        while True:
            if at >= len(content) or shift > 28:
                return None
            byte = content[at]
            at += 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        sizes.append(size)
    if at + sum(sizes) != len(content):
        return None
    values = []
    for size in sizes:
        values.append(content[at : at + size])
        at += size
    return values


def _from_fields(proto: Any) -> np.ndarray:
    kind = numpy_type(proto.dtype)
    values = list(getattr(proto, _entry(proto.dtype)[2]))
    if proto.dtype in _AS_BITS:
        return np.array(values, np.int64).astype(np.uint16).view(kind)
    if kind.kind == "c":
        part = np.float32 if kind.itemsize == 8 else np.float64
        return np.array(values[: len(values) // 2 * 2], part).view(kind)
    if kind.kind in "iu":
        return np.array(values, np.uint64 if kind == np.uint64 else np.int64).astype(kind)
    return np.array(values, kind)


def _repeat_last(flat: np.ndarray, count: int, data_type: int) -> np.ndarray:
    """Fills up to `count` values; a few bytes may claim any shape, so that the size is bounded first."""
    if count * numpy_type(data_type).itemsize > _MOST_FILLED_BYTES:
        raise ServingError(Code.INVALID_ARGUMENT, f"a tensor of {count} elements is too large")
    if flat.dtype == object:
        filled = np.empty(count, object)
        filled[:] = flat[-1] if len(flat) else b""
    else:
        filled = np.full(count, flat[-1] if len(flat) else 0, flat.dtype)
    filled[: len(flat)] = flat
    return filled
