"""The two ways in which the client reaches a server: REST over the standard library's http.client, and gRPC."""

from __future__ import annotations

import base64
import functools
import http.client
import json
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import numpy as np

from serving import protos, tensors
from serving.errors import Code, ServingError, code_of_http

Arrays = Mapping[str, np.ndarray]


class Types(NamedTuple):
    """The DataType numbers of a signature's inputs and outputs, by name."""

    inputs: dict[str, int]
    outputs: dict[str, int]


class Transport(Protocol):
    """One request each; `timeout` in seconds, errors as ServingError, strings as object arrays of bytes."""

    def predict(
        self, arrays: Arrays, signature_name: str, types: Types, version: int | None, timeout: float
    ) -> dict[str, np.ndarray]:
        """Returns an array per output."""

    def types(self, version: int | None, timeout: float) -> dict[str, Types]:
        """Returns the types of every signature."""

    def status(self, version: int | None, timeout: float) -> list[dict[str, Any]]:
        """Returns version, state, error_code and error_message of each version."""

    def close(self) -> None:
        """Closes the connection."""


class Rest:
    """TF Serving's REST API, with one kept connection per thread.

    Args:
        address: "http://host:port", a path before /v1 allowed.
        model: the model's name.
    """

    def __init__(self, address: str, model: str) -> None:
        parts = urlsplit(address if "//" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ServingError(Code.INVALID_ARGUMENT, f"{address!r} is no address such as http://127.0.0.1:8501")
        self._parts = parts
        self._base = f"{parts.path.rstrip('/')}/v1/models/{quote(model, safe='')}"
        self._local = threading.local()

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        kept: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if kept is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            kept = self._local.connection = kind(self._parts.hostname or "", self._parts.port)
        kept.timeout = timeout
        if kept.sock is not None:
            kept.sock.settimeout(timeout)
        return kept

    def _ask(self, method: str, path: str, body: str | None, timeout: float) -> Any:
        connection = self._connection(timeout)
        try:
            connection.request(method, self._base + path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            status, text = response.status, response.read()
        except TimeoutError:
            connection.close()
            raise ServingError(Code.DEADLINE_EXCEEDED, f"no answer from {self._parts.netloc} in time") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise ServingError(Code.UNAVAILABLE, f"no answer from {self._parts.netloc}: {error}") from None
        try:
            answer = json.loads(text.decode("utf-8", "surrogateescape"))
        except ValueError:
            answer, status = {"error": f"not JSON: {text[:200]!r}"}, status if status != 200 else 500
        if status != 200:
            message = answer.get("error") if isinstance(answer, dict) else answer
            raise ServingError(code_of_http(status), str(message))
        return answer

    def predict(
        self, arrays: Arrays, signature_name: str, types: Types, version: int | None, timeout: float
    ) -> dict[str, np.ndarray]:
        """Returns an array per output, from a request in column format."""
        body = {"signature_name": signature_name, "inputs": {name: _to_json(array) for name, array in arrays.items()}}
        outputs = self._ask("POST", f"{_version(version)}:predict", json.dumps(body), timeout)["outputs"]
        if len(types.outputs) == 1:  # a single output loses its name
            outputs = {next(iter(types.outputs)): outputs}
        return {name: _from_json(value, types.outputs.get(name, 0)) for name, value in outputs.items()}

    def types(self, version: int | None, timeout: float) -> dict[str, Types]:
        """Returns the types of every signature, from the metadata."""
        answer = self._ask("GET", f"{_version(version)}/metadata", None, timeout)
        definitions = answer["metadata"]["signature_def"]["signature_def"]
        sides = ("inputs", "outputs")
        number = tensors.data_type_number
        return {
            name: Types(*({key: number(info["dtype"]) for key, info in one.get(side, {}).items()} for side in sides))
            for name, one in definitions.items()
        }

    def status(self, version: int | None, timeout: float) -> list[dict[str, Any]]:
        """Returns version, state, error_code and error_message of each version."""
        answer = self._ask("GET", _version(version), None, timeout)
        return [
            {
                "version": int(one["version"]),
                "state": one["state"],
                "error_code": one["status"]["error_code"],
                "error_message": one["status"]["error_message"],
            }
            for one in answer["model_version_status"]
        ]

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()


def _version(version: int | None) -> str:
    return "" if version is None else f"/versions/{version}"


def _to_json(array: np.ndarray) -> Any:
    if tensors.data_type_of(array) != tensors.STRING:
        return array.tolist()
    boxed = np.empty(array.size, object)
    for index, value in enumerate(array.reshape(-1).tolist()):
        boxed[index] = {"b64": base64.b64encode(tensors.to_bytes(value)).decode()}
    return boxed.reshape(array.shape).tolist()


def _from_json(value: Any, data_type: int) -> np.ndarray:
    if data_type != tensors.STRING:
        return np.array(value, tensors.numpy_type(data_type) if data_type else None)
    shape, flat = [], [value]
    while flat and isinstance(flat[0], list):
        shape.append(len(flat[0]))
        flat = [element for part in flat for element in part]
    array = np.empty(len(flat), object)
    for index, one in enumerate(flat):
        array[index] = base64.b64decode(one["b64"]) if isinstance(one, dict) else tensors.to_bytes(one)
    return array.reshape(shape)


class Grpc:
    """TF Serving's gRPC API over one channel.

    Args:
        address: "host:port".
        model: the model's name.
    """

    def __init__(self, address: str, model: str) -> None:
        import grpc

        if not address or "//" in address:
            raise ServingError(Code.INVALID_ARGUMENT, f"{address!r} is no gRPC address such as 127.0.0.1:8500")
        limits = [(f"grpc.max_{way}_message_length", (1 << 31) - 1) for way in ("receive", "send")]
        self._model, self._grpc = model, grpc
        self._channel = grpc.insecure_channel(address, options=[*limits, ("grpc.enable_http_proxy", 0)])

    @functools.cached_property
    def _methods(self) -> dict[str, Any]:
        pairs = {
            "PredictionService/Predict": protos.predict_pb2.PredictResponse,
            "PredictionService/GetModelMetadata": protos.get_model_metadata_pb2.GetModelMetadataResponse,
            "ModelService/GetModelStatus": protos.get_model_status_pb2.GetModelStatusResponse,
        }
        return {
            path.partition("/")[2]: self._channel.unary_unary(
                f"/tensorflow.serving.{path}",
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=response.FromString,
            )
            for path, response in pairs.items()
        }

    def _ask(self, method: str, request: Any, version: int | None, timeout: float) -> Any:
        request.model_spec.name = self._model
        if version is not None:
            request.model_spec.version.value = version
        try:
            return self._methods[method](request, timeout=timeout)
        except self._grpc.RpcError as error:
            raise ServingError(Code(error.code().value[0]), str(error.details())) from None

    def predict(
        self, arrays: Arrays, signature_name: str, types: Types, version: int | None, timeout: float
    ) -> dict[str, np.ndarray]:
        """Returns an array per output."""
        request = protos.predict_pb2.PredictRequest()
        request.model_spec.signature_name = signature_name
        for name, array in arrays.items():
            request.inputs[name].CopyFrom(tensors.to_proto(array))
        outputs = self._ask("Predict", request, version, timeout).outputs
        return {name: tensors.from_proto(outputs[name], name) for name in sorted(outputs)}

    def types(self, version: int | None, timeout: float) -> dict[str, Types]:
        """Returns the types of every signature, from the metadata."""
        request = protos.get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        answer = self._ask("GetModelMetadata", request, version, timeout)
        found = protos.get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return {
            name: Types(
                {key: info.dtype for key, info in one.inputs.items()},
                {key: info.dtype for key, info in one.outputs.items()},
            )
            for name, one in found.signature_def.items()
        }

    def status(self, version: int | None, timeout: float) -> list[dict[str, Any]]:
        """Returns version, state, error_code and error_message of each version."""
        messages = protos.get_model_status_pb2
        answer = self._ask("GetModelStatus", messages.GetModelStatusRequest(), version, timeout)
        return [
            {
                "version": one.version,
                "state": messages.ModelVersionStatus.State.Name(one.state),
                "error_code": Code(one.status.error_code).name,
                "error_message": one.status.error_message,
            }
            for one in answer.model_version_status
        ]

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()
