"""From values as people have them to the inputs of a request: images, numbers, tensors, labels and text."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ann_keras.datasets.tables import shown
from serving import tensors
from serving.columns import Names
from serving.errors import Code, ServingError

if TYPE_CHECKING:
    from ann_keras.task import Feature

_LARGEST = float(np.finfo(np.float32).max)


def encode(features: Iterable[Feature], items: Iterable[Any]) -> dict[str, list[Any]]:
    """Returns the inputs of a predict call for examples as people have them.

    Args:
        features: the task's raw features.
        items: one per example: the value itself where there is one feature, else a mapping of values by the features'
            names or the names of their columns. An image is a file's path, the bytes of one, or an array uint8
            [height, width] or [height, width, channels]. A number or a tensor is an array, a (nested) list, a number,
            text that holds one as JSON does, or the path of a .npy file. A label is a class's name or index. A text is
            a str, bytes (of any kind: where they are no UTF-8 is for the model to say), or the Path of a file; one that
            is empty is missing, unless it is an item by itself. A number or a text that is optional may be None or not
            there.

    Returns:
        A batch per feature: in it a number that is missing is NaN, and a text is empty.

    Raises:
        ValueError: naming the bad value and what would be right.
    """
    named = tuple(features)
    for feature in named:
        if feature.kind not in _ENCODERS:
            legal = ", ".join(_ENCODERS)
            raise ValueError(f"feature {feature.name!r}: kind {feature.kind!r} has no encoder; there is {legal}")
    names = Names(named)
    inputs: dict[str, list[Any]] = {feature.name: [] for feature in named}
    for item in items:
        if not isinstance(item, Mapping) and len(named) != 1:
            known = shown(list(inputs))
            raise ValueError(f"an example is a mapping with a value for each of {known}, not {item!r:.80}")
        if isinstance(item, str | bytes) and not item and named[0].kind == "text":
            inputs[named[0].name].append(item)
            continue
        values = names.values(item) if isinstance(item, Mapping) else {named[0].name: item}
        for feature in named:
            inputs[feature.name].append(encode_value(feature, values.get(feature.name)))
    return inputs


def encode_value(feature: Feature, value: Any) -> Any:
    """Returns one value as `encode` has it in a batch; None is one that is missing.

    Raises:
        ValueError: naming the bad value and what would be right.
    """
    if value is None:
        if not feature.optional:
            raise ValueError(f"{feature.kind} {feature.name!r} is missing, and the model needs it")
        value = "" if feature.kind == "text" else np.full([size or 1 for size in feature.shape], np.nan)
    return _ENCODERS[feature.kind](feature, value)


def _encode_image(feature: Feature, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str | Path):
        return _read_file("image", value)
    if isinstance(value, np.ndarray):
        return _encode_png(value)
    raise ValueError(f"an image is a path, bytes or an array uint8 [height, width(, channels)], not {value!r:.80}")


def _read_file(what: str, path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{what} {str(path)!r} cannot be read: {error.strerror}") from None


def _encode_png(image: np.ndarray) -> bytes:
    from PIL import Image

    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or not image.size:
        what = f"{image.dtype} {list(image.shape)}"
        raise ValueError(f"an image array is uint8 [height, width] or [height, width, 1 to 4 channels], not {what}")
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.ndim == 3 and channels == 1 else image).save(file, "PNG")
    return file.getvalue()


def _encode_numbers(feature: Feature, value: Any) -> np.ndarray | np.float32:
    """Returns float32 of the feature's shape."""
    # Of the cells of large tables: an array for each takes several times as long.
    if type(value) is float and not feature.shape and abs(value) <= _LARGEST:
        return np.float32(value)
    what = f"numbers of shape {_shown(feature.shape)}" if feature.shape else "one number"
    wanted = f"{feature.kind} {feature.name!r} takes {what}"
    try:
        if isinstance(value, Path) or (isinstance(value, str) and value.endswith(".npy")):
            loaded = np.load(io.BytesIO(_read_file(feature.kind, value)), allow_pickle=False)
        else:
            loaded = np.asarray(json.loads(value) if isinstance(value, str) else value)
    except ValueError as error:
        known = str(error) if "cannot be read" in str(error) else f"{wanted}, not {value!r:.80}"
        raise ValueError(known) from None
    if loaded.dtype.kind not in "iufb":
        raise ValueError(f"{wanted}, not {value!r:.80}")
    fits = loaded.ndim == len(feature.shape) and all(
        wanted_size in (None, size) for wanted_size, size in zip(feature.shape, loaded.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{wanted}, not numbers of shape {_shown(loaded.shape)}")
    if feature.kind == "number" and not (np.abs(loaded) <= _LARGEST).all():
        _check_finite(feature, loaded)
    encoded: np.ndarray = loaded.astype(np.float32)
    return encoded


def _check_finite(feature: Feature, given: np.ndarray) -> None:
    """Raises for a number that float32 does not hold, or one that is missing where it may not be."""
    beyond = given[np.abs(given) > _LARGEST]
    if beyond.size:
        what = "infinite" if np.isinf(beyond).any() else f"{beyond.flat[0]}, beyond float32"
        raise ValueError(f"number {feature.name!r} is {what}; give a finite one")
    if not feature.optional:
        raise ValueError(f"number {feature.name!r} is missing (NaN), and the model needs it")


def _shown(shape: Iterable[int | None]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def _encode_label(feature: Feature, value: Any) -> int:
    """Returns the index of a class."""
    if isinstance(value, str) and value in feature.classes:
        return feature.classes.index(value)
    count = len(feature.classes)
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= value < (count or 1 << 63):
        return int(value)
    names = f"one of {', '.join(feature.classes[:20])}{', ...' if count > 20 else ''}, or" if count else "a class's"
    below = f" below {count}" if count else ""
    raise ValueError(f"label {feature.name!r} is {names} index{below}, not {value!r:.80}")


def _encode_text(feature: Feature, value: Any) -> str | bytes:
    if isinstance(value, Path):
        value = _read_file("text", value)
    if not isinstance(value, str | bytes):
        raise ValueError(f"text {feature.name!r} is a str, bytes or the Path of a file, not {value!r:.80}")
    if not value and not feature.optional:
        raise ValueError(f"text {feature.name!r} is missing (empty), and the model needs it")
    return value


_ENCODERS: dict[str, Callable[[Any, Any], Any]] = {
    "image": _encode_image,
    "number": _encode_numbers,
    "tensor": _encode_numbers,
    "label": _encode_label,
    "text": _encode_text,
}


def as_array(name: str, value: Any, data_type: int) -> np.ndarray:
    """Returns a batch as an array that a request can hold.

    Args:
        name: of the input, for messages.
        value: an array, or a (nested) list of numbers, arrays, text or bytes.
        data_type: number of the DataType that the signature asks for; 0 where that is not known.

    Raises:
        ServingError: INVALID_ARGUMENT for what is no batch, or where a whole-number type would change a value.
    """
    if value is None or isinstance(value, bytes | str | int | float):
        message = f"input {name!r} must be a batch (a list or an array), not {value!r:.80}"
        raise ServingError(Code.INVALID_ARGUMENT, message)
    if _holds_strings(value):
        return _string_array(name, value)
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype == object:
        raise ServingError(Code.INVALID_ARGUMENT, f"input {name!r} is ragged or mixed: {value!r:.80}")
    if data_type == tensors.STRING:
        return array if array.size else np.empty(array.shape, object)
    if data_type == 0:
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    kind = tensors.numpy_type(data_type)
    if kind == np.uint64 and array.dtype.kind == "f" and not isinstance(value, np.ndarray):
        exact = np.asarray(value, object)  # numpy rounds whole numbers on both sides of 2**63 to float64
        if all(isinstance(one, int) and 0 <= one < 1 << 64 for one in exact.flat):
            return exact.astype(kind)
    return _converted(name, array, kind)


def _converted(name: str, array: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    if array.dtype == kind:
        return array
    with np.errstate(invalid="ignore"):
        converted = array.astype(kind)
    if kind.kind in "iub":  # a float of fewer digits is near the value, another whole number is another value
        changed = converted != array
        if changed.any():
            message = f"input {name!r} is of type {kind}, which cannot hold {array[changed].flat[0].item()!r}"
            raise ServingError(Code.INVALID_ARGUMENT, message)
    return converted


def _holds_strings(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "OSU"
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, bytes | str)


def _string_array(name: str, value: Any) -> np.ndarray:
    """Returns an object array of bytes; numpy alone would cut trailing zero bytes off."""
    if isinstance(value, np.ndarray):
        shape, flat = list(value.shape), value.reshape(-1).tolist()
    else:
        shape, flat = [], [value]
        while flat and isinstance(flat[0], list | tuple):
            size = len(flat[0])
            if any(not isinstance(part, list | tuple) or len(part) != size for part in flat):
                message = f"input {name!r} is ragged or mixed: {value!r:.80}"
                raise ServingError(Code.INVALID_ARGUMENT, message)
            shape.append(size)
            flat = [element for part in flat for element in part]
    array = np.empty(len(flat), object)
    array[:] = [tensors.to_bytes(element) for element in flat]
    return array.reshape(shape)
