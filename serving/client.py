"""A client for TF Serving's protocol over REST or gRPC, with the same answers by both.

Example: `Client("http://127.0.0.1:8501", "lenet5").predict({"image": [png_bytes]})`.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from serving import tensors
from serving.errors import Code, ServingError
from serving.transports import Grpc, Rest, Transport, Types

if TYPE_CHECKING:
    from ann_keras.task import Feature

__all__ = ["Client", "Code", "ServingError", "encode"]

DEFAULT_SIGNATURE = "serving_default"
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
_Answer = TypeVar("_Answer")


class Client:
    """Asks one model of a server. Threads may share it. Close it, or use it as a context manager.

    Args:
        address: "http://host:port" for REST, "host:port" for gRPC.
        model: the model's name.
        grpc: speak gRPC instead of REST.
        timeout: seconds that a call may take, its retries included. A server that refuses connections or answers
            UNAVAILABLE is asked again until then.
    """

    def __init__(self, address: str, model: str, grpc: bool = False, timeout: float = 30.0) -> None:
        self.model, self.timeout = model, timeout
        self._transport: Transport = Grpc(address, model) if grpc else Rest(address, model)
        self._types: dict[tuple[str, int | None], Types] = {}

    def predict(
        self, inputs: Mapping[str, Any], signature_name: str = DEFAULT_SIGNATURE, version: int | None = None
    ) -> dict[str, np.ndarray | list[Any]]:
        """Runs a signature on a batch.

        Args:
            inputs: a batch per input: an array, or a (nested) list of numbers, text or bytes. Numbers are converted
                to the type that the signature asks for.
            signature_name: which signature.
            version: which version; the newest where None.

        Returns:
            A batch per output: numbers as arrays of the signature's type, strings as (nested) lists of str. Strings
            that are not UTF-8, and outputs named *_bytes, stay bytes.

        Raises:
            ServingError: with the server's code and message.
        """

        def call(seconds: float) -> dict[str, np.ndarray]:
            start = time.monotonic()
            types = self._types_of(signature_name, version, seconds)
            arrays = {name: _as_array(name, value, types.inputs.get(name, 0)) for name, value in inputs.items()}
            left = max(seconds - (time.monotonic() - start), 0.001)
            return self._transport.predict(arrays, signature_name, types, version, left)

        return {name: _as_column(name, array) for name, array in self._until_answered(call).items()}

    def status(self, version: int | None = None) -> list[dict[str, Any]]:
        """Returns "version", "state", "error_code" and "error_message" of each version, newest first."""
        return self._until_answered(lambda seconds: self._transport.status(version, seconds))

    def _types_of(self, signature_name: str, version: int | None, timeout: float) -> Types:
        key = (signature_name, version)
        if key not in self._types:
            known = self._transport.types(version, timeout).get(signature_name)
            if known is None:
                return Types({}, {})  # the server says what is wrong
            self._types[key] = known
        return self._types[key]

    def _until_answered(self, call: Callable[[float], _Answer]) -> _Answer:
        deadline, wait = time.monotonic() + self.timeout, _FIRST_WAIT
        while True:
            try:
                return call(max(deadline - time.monotonic(), 0.001))
            except ServingError as error:
                pause = wait * random.uniform(0.75, 1.25)
                if error.code != Code.UNAVAILABLE or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            wait = min(wait * 2, _LONGEST_WAIT)

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()


def _as_array(name: str, value: Any, data_type: int) -> np.ndarray:
    """Returns a batch as an array of the type asked for, or of its own where that is not known or does not fit."""
    if value is None or isinstance(value, bytes | str | int | float):
        message = f"input {name!r} must be a batch (a list or an array), not {value!r:.80}"
        raise ServingError(Code.INVALID_ARGUMENT, message)
    if _holds_strings(value):
        return _string_array(value)
    array = np.asarray(value)
    if array.dtype == object:
        raise ServingError(Code.INVALID_ARGUMENT, f"input {name!r} is ragged or mixed: {value!r:.80}")
    if data_type == tensors.STRING:
        return array if array.size else np.empty(array.shape, object)
    if data_type == 0:
        return array
    return array.astype(tensors.numpy_type(data_type), casting="unsafe")


def _holds_strings(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "OSU"
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, bytes | str)


def _string_array(value: Any) -> np.ndarray:
    """Returns an object array of bytes; numpy alone would cut trailing zero bytes off."""
    if isinstance(value, np.ndarray):
        shape, flat = list(value.shape), value.reshape(-1).tolist()
    else:
        shape, flat = [], [value]
        while flat and isinstance(flat[0], list | tuple):
            shape.append(len(flat[0]))
            flat = [element for part in flat for element in part]
    array = np.empty(len(flat), object)
    for index, element in enumerate(flat):
        array[index] = tensors.to_bytes(element)
    try:
        return array.reshape(shape)
    except ValueError:
        message = f"a batch of strings is ragged: {len(flat)} strings for shape {shape}"
        raise ServingError(Code.INVALID_ARGUMENT, message) from None


def _as_column(name: str, array: np.ndarray) -> np.ndarray | list[Any]:
    if array.dtype != object:
        return array
    read: Callable[[bytes], bytes | str] = bytes if name.endswith("_bytes") else _as_text
    answers = np.empty(array.size, object)
    for index, value in enumerate(array.reshape(-1)):
        answers[index] = read(value)
    column: list[Any] = answers.reshape(array.shape).tolist()
    return column


def _as_text(value: bytes) -> bytes | str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def encode(features: Iterable[Feature], items: Iterable[Any]) -> dict[str, list[Any]]:
    """Returns the inputs of a predict call for examples as people have them.

    Args:
        features: the task's raw features.
        items: one per example: the value itself where there is one feature, else a mapping of values by feature name.
            An image is a file's path, the bytes of one, or an array uint8 [height, width] or [height, width, channels].

    Returns:
        A batch per feature.

    Raises:
        ValueError: naming the bad value and what would be right.
    """
    named = tuple(features)
    inputs: dict[str, list[Any]] = {feature.name: [] for feature in named}
    for item in items:
        values = item if isinstance(item, Mapping) else {named[0].name: item}
        for feature in named:
            if feature.name not in values:
                raise ValueError(f"{item!r:.80} has no value for the feature {feature.name!r}")
            if feature.kind not in _ENCODERS:
                legal = ", ".join(_ENCODERS)
                raise ValueError(f"feature {feature.name!r}: kind {feature.kind!r} has no encoder; there is {legal}")
            inputs[feature.name].append(_ENCODERS[feature.kind](values[feature.name]))
    return inputs


def _encode_image(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str | Path):
        try:
            return Path(value).read_bytes()
        except OSError as error:
            raise ValueError(f"image {str(value)!r} cannot be read: {error.strerror}") from None
    if isinstance(value, np.ndarray):
        return _encode_png(value)
    raise ValueError(f"an image is a path, bytes or an array uint8 [height, width(, channels)], not {value!r:.80}")


def _encode_png(image: np.ndarray) -> bytes:
    from PIL import Image

    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or not image.size:
        what = f"{image.dtype} {list(image.shape)}"
        raise ValueError(f"an image array is uint8 [height, width] or [height, width, 1 to 4 channels], not {what}")
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.ndim == 3 and channels == 1 else image).save(file, "PNG")
    return file.getvalue()


_ENCODERS: dict[str, Callable[[Any], Any]] = {"image": _encode_image}
