"""TF Serving's REST API: predict, classify, regress, model status, metadata, and the metrics for Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any
from urllib.parse import unquote

import numpy as np
from aiohttp import web

from serving.errors import Code, ServingError
from serving.server import inference, json_examples, json_models, json_response, json_tensors, large_bodies
from serving.server.models import ModelManager, ModelSpec
from serving.server.monitoring import Metrics
from serving.server.requests import Watch, as_serving_error, off_loop, size_of
from serving.server.running import Runner

MAX_BODY_BYTES = 1 << 30
_WHICH = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICTION = re.compile(rf"/v1/models/([^/:]+){_WHICH}:(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_STATUS = re.compile(rf"/v1/models(?:/([^/:]+))?{_WHICH}(?:/(metadata))?", re.IGNORECASE | re.ASCII)
_NOT_FOUND = b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"


class RestApi:
    """Answers REST requests.

    Args:
        models: what is served.
        runner: runs their graphs.
        pool: where large bodies are parsed and written.
        metrics: where requests are counted; its `path` shows the counts.
        timeout_seconds: how long a model may take; 0 for ever.
        max_body_bytes: what a body may have, uncompressed too.
    """

    def __init__(
        self,
        models: ModelManager,
        runner: Runner,
        pool: Executor,
        *,
        metrics: Metrics | None = None,
        timeout_seconds: float = 30.0,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._models, self._runner, self._pool, self._metrics = models, runner, pool, metrics
        self._reader = large_bodies.Reader()
        self._timeout, self._max_body_bytes = timeout_seconds or None, max_body_bytes
        self._verbs: Mapping[str, Callable[[ModelSpec, bytes], Awaitable[bytes]]] = {
            "predict": self._predict,
            "classify": self._classify,
            "regress": self._regress,
        }

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answers one request; the handler of an aiohttp low-level server."""
        path = request.raw_path
        if self._metrics is not None and self._metrics.path and path.partition("?")[0] == self._metrics.path:
            return web.Response(body=self._metrics.exposition(), content_type="text/plain")
        if not path.lower().startswith("/v1/"):
            return web.Response(status=404, body=_NOT_FOUND, content_type="text/html")
        try:
            body = await self._body(request) if request.body_exists else b""
        except ConnectionError:
            return web.Response(status=499)  # nobody is there to read it
        except (web.RequestPayloadError, zlib.error) as error:
            return _response(400, _error(f"the request body cannot be read: {error}"))
        if body is None:
            return _response(413, _error(f"request body is larger than {self._max_body_bytes} bytes"))
        return _response(*await self.answer(request.method, path, body))

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """Returns the body, uncompressed where it says that it is gzip; None where it is too large."""
        if (request.content_length or 0) > self._max_body_bytes:
            return None
        is_gzip = "gzip" in request.headers.get("Content-Encoding", "")
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS) if is_gzip else None
        body = bytearray()
        async for chunk in request.content.iter_any():
            room = self._max_body_bytes - len(body) + 1
            body += unpacker.decompress(chunk, room) if unpacker else chunk
            if len(body) > self._max_body_bytes:
                return None
        if unpacker and not unpacker.eof:
            raise zlib.error("it ends before its gzip data does")
        return bytes(body)

    def close(self) -> None:
        """Ends the process that reads large bodies."""
        self._reader.close()

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Returns the HTTP status and the JSON body for a request."""
        watch = Watch(self._models, self._metrics, "REST")
        try:
            answer = await self._route(method, path, body, watch)
        except asyncio.CancelledError:  # the client has gone
            watch.done(Code.CANCELLED)
            raise
        except Exception as exception:
            # Without its traceback, which holds this frame and with it the request until the garbage is collected.
            error = as_serving_error(exception).with_traceback(None)
            watch.done(error.code)
            return error.http_status, _error(error.message)
        watch.done(Code.OK)
        return 200, answer

    async def _route(self, method: str, path: str, body: bytes, watch: Watch) -> bytes:
        prediction = _PREDICTION.fullmatch(path) if method == "POST" else None
        if prediction and prediction[4] in self._verbs:
            spec = _model_spec(*prediction.group(1, 2, 3))
            watch.means(prediction[4].capitalize(), spec.name)
            return await self._verbs[prediction[4]](spec, body)
        status = _STATUS.fullmatch(path) if method == "GET" else None
        if status is None:
            raise ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {method} {path}")
        if not status[1]:
            raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")
        spec = _model_spec(*status.group(1, 2, 3))
        if status[4] == "metadata":
            with self._models.use(spec) as (version, servable):
                return json_models.metadata(spec.name, version, servable.signature_defs)
        found = self._models.resolve(spec)
        return json_models.statuses(self._models.model(found.name).statuses(found.version))

    async def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        is_large = large_bodies.is_large(body)
        document = {} if is_large else await off_loop(self._pool, len(body), json_tensors.parse, body)
        with self._models.use(spec) as (_, servable):
            known = servable.inputs
            name, inputs, by_row = (
                await self._reader.run(json_tensors.predict_body, body, known)
                if is_large
                else await off_loop(self._pool, len(body), json_tensors.predict_request, document, known)
            )
            outputs = await self._in_time(self._runner.run(servable, name, inputs))
        return await off_loop(self._pool, size_of(outputs), json_response.response, outputs, by_row)

    async def _classify(self, spec: ModelSpec, body: bytes) -> bytes:
        name, examples = await self._examples(body)
        with self._models.use(spec) as (_, servable):
            signature = inference.signature_for(servable, name, inference.CLASSIFY)
            classes = await self._in_time(inference.classify(self._runner, servable, signature, examples))
        return json_examples.classes_response(classes)

    async def _regress(self, spec: ModelSpec, body: bytes) -> bytes:
        name, examples = await self._examples(body)
        with self._models.use(spec) as (_, servable):
            signature = inference.signature_for(servable, name, inference.REGRESS)
            values = await self._in_time(inference.regress(self._runner, servable, signature, examples))
        return json_examples.values_response(values)

    async def _examples(self, body: bytes) -> tuple[str, np.ndarray]:
        """Returns the signature's name and the serialized tf.Examples of a classify or regress request."""
        if large_bodies.is_large(body):
            return await self._reader.run(_examples, body)
        return await off_loop(self._pool, len(body), _examples, body)

    async def _in_time(self, running: Awaitable[Any]) -> Any:
        """Waits for an answer as long as a request may take; `asyncio.wait_for` costs a task of its own."""
        task, expired = asyncio.current_task(), []
        if self._timeout is None or task is None:
            return await running

        def expire() -> None:
            expired.append(True)
            task.cancel()

        timer = asyncio.get_running_loop().call_later(self._timeout, expire)
        try:
            return await running
        except asyncio.CancelledError:
            if not expired:
                raise
            message = f"Timed out after {self._timeout:g} s (--rest_api_timeout_in_ms)"
            raise ServingError(Code.DEADLINE_EXCEEDED, message) from None
        finally:
            timer.cancel()


def _examples(body: bytes) -> tuple[str, np.ndarray]:
    document = json_tensors.parse(body)
    name = json_tensors.signature_name(document)
    return name, inference.serialized(json_examples.request_input(document))


def _model_spec(name: str, version: str | None, label: str | None) -> ModelSpec:
    if version is not None and (len(version.lstrip("0")) > 19 or int(version) >= 1 << 63):
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to convert version: {version} to numeric.")
    return ModelSpec(unquote(name), None if version is None else int(version), unquote(label or ""))


def _error(message: str) -> bytes:
    return json.dumps({"error": message}, indent=4).encode()


def _response(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
