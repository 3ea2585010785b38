"""TF Serving's REST API as requests to send and responses to read, without input or output."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from serving import examples as tf_examples
from serving import tensors
from serving.errors import Code, ServingError, code_of_http
from serving.examples import Example
from serving.messages import (
    Answer,
    Arrays,
    Class,
    Exchange,
    HttpRequest,
    HttpResponse,
    Metadata,
    Signature,
    TensorInfo,
    Which,
)

_BOXED = np.frompyfunc(lambda value: {"b64": base64.b64encode(tensors.to_bytes(value)).decode()}, 1, 1)


class RestMessages:
    """Requests about one model.

    Args:
        prefix: the path before "/v1", "" for none.
        model: the model's name.
    """

    def __init__(self, prefix: str, model: str) -> None:
        self._base = f"{prefix}/v1/models/{quote(model, safe='')}"

    def _path(self, which: Which) -> str:
        if which.label is not None:
            return f"{self._base}/labels/{quote(which.label, safe='')}"
        return self._base if which.version is None else f"{self._base}/versions/{which.version}"

    def predict(
        self, which: Which, name: str, signature: Signature | None, arrays: Arrays
    ) -> Exchange[dict[str, np.ndarray]]:
        """Asks for an array per output, in column format."""
        body = {"signature_name": name, "inputs": {key: _to_json(array) for key, array in arrays.items()}}
        infos = signature.outputs if signature else {}

        def read(response: HttpResponse) -> dict[str, np.ndarray]:
            outputs = _document(response)["outputs"]
            if len(infos) == 1:  # a single output loses its name
                outputs = {next(iter(infos)): outputs}
            return {key: _from_json(key, value, infos.get(key)) for key, value in outputs.items()}

        return _post(f"{self._path(which)}:predict", body, read)

    def classify(
        self, which: Which, name: str, examples: Sequence[Example], context: Example | None
    ) -> Exchange[list[list[Class]]]:
        """Asks for the classes of each example."""

        def read(response: HttpResponse) -> list[list[Class]]:
            results = _document(response)["results"]
            return [[Class(label, float(np.float32(score))) for label, score in one] for one in results]

        return _post(f"{self._path(which)}:classify", _examples_body(name, examples, context), read)

    def regress(
        self, which: Which, name: str, examples: Sequence[Example], context: Example | None
    ) -> Exchange[np.ndarray]:
        """Asks for a number for each example."""

        def read(response: HttpResponse) -> np.ndarray:
            return np.array(_document(response)["results"], np.float32)

        return _post(f"{self._path(which)}:regress", _examples_body(name, examples, context), read)

    def metadata(self, which: Which) -> Exchange[Metadata]:
        """Asks for the signatures."""

        def read(response: HttpResponse) -> Metadata:
            answer = _document(response)
            definitions = answer["metadata"]["signature_def"]["signature_def"]
            signatures = {
                name: Signature(one.get("method_name", ""), _infos(one.get("inputs")), _infos(one.get("outputs")))
                for name, one in definitions.items()
            }
            return Metadata(int(answer["model_spec"]["version"]), signatures)

        return _get(f"{self._path(which)}/metadata", read)

    def status(self, which: Which) -> Exchange[list[dict[str, Any]]]:
        """Asks for the version, state, error_code and error_message of each version."""

        def read(response: HttpResponse) -> list[dict[str, Any]]:
            return [
                {
                    "version": int(one["version"]),
                    "state": one["state"],
                    "error_code": one["status"]["error_code"],
                    "error_message": one["status"]["error_message"],
                }
                for one in _document(response)["model_version_status"]
            ]

        return _get(self._path(which), read)


def _get(path: str, read: Callable[[HttpResponse], Answer]) -> Exchange[Answer]:
    return Exchange(HttpRequest("GET", path), _guarded(read))


def _post(path: str, body: Mapping[str, Any], read: Callable[[HttpResponse], Answer]) -> Exchange[Answer]:
    return Exchange(HttpRequest("POST", path, json.dumps(body).encode()), _guarded(read))


def _guarded(read: Callable[[HttpResponse], Answer]) -> Callable[[HttpResponse], Answer]:
    """Makes one error of everything that a document of another form than expected can bring about."""

    def guarded(response: HttpResponse) -> Answer:
        try:
            return read(response)
        except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            message = f"the answer is not what TF Serving answers ({reason}): {response.body[:200]!r}"
            raise ServingError(Code.DATA_LOSS, message) from error

    return guarded


def _document(response: HttpResponse) -> Any:
    """Returns the JSON of a response; text that is not UTF-8 comes through as it does from the real server."""
    try:
        document = json.loads(response.body.decode("utf-8", "surrogateescape"))
    except ValueError:
        document = None
    if response.status == 200:
        if document is None:
            raise ValueError("not JSON")
        return document
    message = document.get("error") if isinstance(document, dict) else None
    said = str(message) if message else f"HTTP status {response.status}: {response.body[:200]!r}"
    raise ServingError(code_of_http(response.status), said)


def _examples_body(name: str, examples: Sequence[Example], context: Example | None) -> dict[str, Any]:
    body: dict[str, Any] = {"signature_name": name, "examples": [tf_examples.to_json(one) for one in examples]}
    return {**body, "context": tf_examples.to_json(context)} if context is not None else body


def _infos(infos: Mapping[str, Any] | None) -> dict[str, TensorInfo]:
    return {name: _info(one) for name, one in (infos or {}).items()}


def _info(info: Mapping[str, Any]) -> TensorInfo:
    shape = info.get("tensor_shape", {})
    sizes = [int(dim["size"]) for dim in shape.get("dim", [])]
    known = None if shape.get("unknown_rank") else tuple(None if size < 0 else size for size in sizes)
    return TensorInfo(tensors.data_type_number(info["dtype"]), known)


def _to_json(array: np.ndarray) -> Any:
    if tensors.data_type_of(array) != tensors.STRING:
        return array.tolist()
    # A call on an array without dimensions answers the element itself.
    boxed = _BOXED(array.astype(object))
    return boxed.tolist() if isinstance(boxed, np.ndarray) else boxed


def _from_json(name: str, value: Any, info: TensorInfo | None) -> np.ndarray:
    data_type = info.data_type if info else 0
    if data_type == tensors.STRING:
        array = _strings(value)
    else:
        kind = tensors.numpy_type(data_type) if data_type else None
        array = np.array(value, kind)
        # numpy would cut fractions off without a word.
        if kind is not None and kind.kind in "iub" and np.array(value).dtype.kind == "f":
            fractions = [one for one in np.array(value, object).flat if isinstance(one, float)]
            if fractions:
                raise ValueError(f"output {name!r} of type {kind} holds {fractions[0]}")
    if not array.size and info and info.shape is not None and array.ndim < len(info.shape):
        return array.reshape(0, *(size or 0 for size in info.shape[1:]))  # JSON has no shape for an empty batch
    return array


def _strings(value: Any) -> np.ndarray:
    shape, flat = [], [value]
    while flat and isinstance(flat[0], list):
        shape.append(len(flat[0]))
        flat = [element for part in flat for element in part]
    array = np.empty(len(flat), object)
    array[:] = [base64.b64decode(one["b64"]) if isinstance(one, dict) else tensors.to_bytes(one) for one in flat]
    return array.reshape(shape)
