"""TF Serving's REST API: predict, model status and metadata. Classify and regress answer 501, labels 400 so far."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import traceback
from concurrent.futures import Executor

from aiohttp import web

from serving import tensors
from serving.errors import HTTP_STATUS, Code, ServingError
from serving.server import json_response, json_tensors
from serving.server.models import ModelManager, ModelSpec
from serving.server.servable import DEFAULT_SIGNATURE, Signature, TensorInfo

MAX_BODY_BYTES = 1 << 30
_WHICH = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICTION = re.compile(rf"/v1/models/([^/:]+){_WHICH}:(classify|regress|predict)", re.IGNORECASE)
_STATUS = re.compile(rf"/v1/models(?:/([^/:]+))?{_WHICH}(/metadata)?", re.IGNORECASE)


class RestApi:
    """Answers REST requests, each in a worker thread so that a slow one holds up no other.

    Args:
        models: what is served.
        pool: where requests are parsed, run and answered.
    """

    def __init__(self, models: ModelManager, pool: Executor) -> None:
        self._models, self._pool = models, pool

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answers one request; the handler of an aiohttp low-level server."""
        body = bytearray()
        path = request.raw_path.partition("?")[0]
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                text = json.dumps({"error": f"request body is larger than {MAX_BODY_BYTES} bytes"})
                return web.Response(status=413, text=text, content_type="application/json")
        loop = asyncio.get_running_loop()
        status, answer = await loop.run_in_executor(self._pool, self.answer, request.method, path, bytes(body))
        return web.Response(status=status, body=answer, content_type="application/json")

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Returns the HTTP status and the body for a request."""
        try:
            return 200, self._route(method, path, body)
        except ServingError as error:
            status = error.http_status
            message = error.message
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            status, message = HTTP_STATUS[Code.INTERNAL], f"{type(error).__name__}: {error}"
        return status, json.dumps({"error": message}).encode()

    def _route(self, method: str, path: str, body: bytes) -> bytes:
        prediction = _PREDICTION.fullmatch(path) if method == "POST" else None
        if prediction:
            spec = _model_spec(prediction[1], prediction[2], prediction[3])
            verb = prediction[4].lower()
            if verb == "predict":
                return self._predict(spec, body)
            raise ServingError(Code.UNIMPLEMENTED, f"{verb} is not served yet")
        status = _STATUS.fullmatch(path) if method == "GET" else None
        if status:
            if not status[1]:
                raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")
            spec = _model_spec(status[1], status[2], status[3])
            return self._metadata(spec) if status[4] else self._status(spec)
        code = Code.INVALID_ARGUMENT if path.lower().startswith("/v1/") else Code.NOT_FOUND
        raise ServingError(code, f"Malformed request: {method} {path}")

    def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        document = json_tensors.parse(body)
        name = json_tensors.signature_name(document) or DEFAULT_SIGNATURE
        with self._models.use(spec) as (_, servable):
            signature = servable.signatures.get(name)
            if signature is None:
                message = f'Serving signature name: "{name}" not found in signature def'
                raise ServingError(Code.INVALID_ARGUMENT, message)
            if not signature.inputs:
                raise ServingError(Code.INVALID_ARGUMENT, f"Failed to get input map for signature: {name}")
            inputs, by_row = json_tensors.request_inputs(document, signature.inputs)
            outputs = self._models.predict(servable, name, inputs)
        return json_response.response(outputs, by_row)

    def _metadata(self, spec: ModelSpec) -> bytes:
        with self._models.use(spec) as (version, servable):
            signatures = {name: _signature_json(found) for name, found in servable.signatures.items()}
        answer = {
            "model_spec": {"name": spec.name, "signature_name": "", "version": str(version)},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
        return (json.dumps(answer, indent=1) + "\n").encode()

    def _status(self, spec: ModelSpec) -> bytes:
        if spec.label:
            raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.label}")
        statuses = [
            {
                "version": str(status.version),
                "state": status.state,
                "status": {"error_code": status.code.name, "error_message": status.message},
            }
            for status in self._models.model(spec.name).statuses(spec.version)
        ]
        return (json.dumps({"model_version_status": statuses}, indent=1) + "\n").encode()


def _signature_json(signature: Signature) -> dict[str, object]:
    return {
        "inputs": {name: _tensor_json(info) for name, info in signature.inputs.items()},
        "outputs": {name: _tensor_json(info) for name, info in signature.outputs.items()},
        "method_name": signature.method_name,
    }


def _tensor_json(info: TensorInfo) -> dict[str, object]:
    dims = [{"size": "-1" if size is None else str(size), "name": ""} for size in info.shape or ()]
    return {
        "dtype": "DT_" + tensors.data_type_name(info.data_type).upper(),
        "tensor_shape": {"dim": dims, "unknown_rank": info.shape is None},
        "name": info.tensor,
    }


def _model_spec(name: str, version: str | None, label: str | None) -> ModelSpec:
    if version is not None and int(version) >= 1 << 63:
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to convert version: {version} to numeric.")
    return ModelSpec(name, None if version is None else int(version), label or "")
