"""Requests as the bytes that travel: one PredictRequest or one HTTP request, prepared before the clock starts."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.serving.models import HALF, LENET5, digits

PREDICT = "/tensorflow.serving.PredictionService/Predict"


def rows(model: str, count: int, offset: int = 0) -> list[Any]:
    """Returns `count` inputs of a model: PNG files for lenet5, numbers for half_plus_two."""
    if model == LENET5:
        images = _images()
        return [images[(offset + index) % len(images)] for index in range(count)]
    return [float(offset + index) for index in range(count)]


_cache: list[bytes] = []


def _images() -> list[bytes]:
    if not _cache:
        _cache.extend(digits())
    return _cache


def input_name(model: str) -> str:
    """Returns the name of the model's one input."""
    return {LENET5: "image", HALF: "x"}[model]


def array(model: str, values: Sequence[Any]) -> np.ndarray:
    """Returns rows as the tensor that the model takes: object [batch] of PNG files, or float32 [batch]."""
    return np.array(values, dtype=object if model == LENET5 else np.float32)


def grpc_predict(model: str, values: Sequence[Any]) -> bytes:
    """Returns a serialized PredictRequest."""
    from serving import protos, tensors

    request = protos.predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.inputs[input_name(model)].CopyFrom(tensors.to_proto(array(model, values)))
    return bytes(request.SerializeToString())


def jsonable(value: Any) -> Any:
    """Returns an input as TF Serving's JSON wants it."""
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def rest_predict(model: str, values: Sequence[Any]) -> bytes:
    """Returns a whole HTTP request to `/v1/models/MODEL:predict` in the row format."""
    document = {"instances": [{input_name(model): jsonable(value)} for value in values]}
    return http_request(f"/v1/models/{model}:predict", document)


def http_request(path: str, document: Any, method: str = "POST") -> bytes:
    """Returns a whole HTTP/1.1 request with a JSON body, to a server of this machine."""
    body = json.dumps(document).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
