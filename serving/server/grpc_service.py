"""TF Serving's gRPC API: Predict, GetModelMetadata and GetModelStatus; the rest is UNIMPLEMENTED so far.

Messages arrive and leave as bytes and are parsed in the worker thread that answers them, so that the server listens
before the protocol buffers are imported and the event loop never parses a large tensor.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Any

import grpc
import grpc.aio

from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.server.models import ModelManager, ModelSpec
from serving.server.servable import DEFAULT_SIGNATURE
from serving.server.versions import STATES

OPTIONS = [
    ("grpc.max_receive_message_length", (1 << 31) - 1),
    ("grpc.max_send_message_length", (1 << 31) - 1),
    ("grpc.so_reuseport", 0),
]
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_Method = Callable[[bytes], bytes]


class GrpcApi:
    """Answers gRPC requests, each in a worker thread.

    Args:
        models: what is served.
        pool: where requests are parsed, run and answered.
    """

    def __init__(self, models: ModelManager, pool: Executor) -> None:
        self._models, self._pool = models, pool

    def server(self) -> grpc.aio.Server:
        """Returns a server with the services added and no port yet."""
        server = grpc.aio.server(options=OPTIONS)
        services: dict[str, dict[str, _Method]] = {
            "tensorflow.serving.PredictionService": {
                "Predict": self.predict,
                "GetModelMetadata": self.model_metadata,
            },
            "tensorflow.serving.ModelService": {"GetModelStatus": self.model_status},
        }
        for service, methods in services.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(self._in_worker(method)) for name, method in methods.items()
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        return server

    def _in_worker(self, method: _Method) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def answer(request: bytes, context: Any) -> bytes:
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._pool, method, request)
            except ServingError as error:
                code, message = error.code, error.message
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                code, message = Code.INTERNAL, f"{type(error).__name__}: {error}"
            await context.abort(_STATUS_CODES[int(code)], message)
            raise AssertionError("abort raises")

        return answer

    def predict(self, data: bytes) -> bytes:
        """Answers a serialized PredictRequest with a serialized PredictResponse."""
        request = _parse(protos.predict_pb2.PredictRequest, data)
        spec = _model_spec(request)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        with self._models.use(spec) as (version, servable):
            servable.signature(name)
            inputs = {key: tensors.from_proto(proto, key) for key, proto in request.inputs.items()}
            outputs = self._models.predict(servable, name, inputs, list(request.output_filter))
        response = protos.predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.signature_name = spec.name, name
        response.model_spec.version.value = version
        for key, array in outputs.items():
            response.outputs[key].CopyFrom(tensors.to_proto(array))
        return bytes(response.SerializeToString())

    def model_metadata(self, data: bytes) -> bytes:
        """Answers a serialized GetModelMetadataRequest, of which "signature_def" is the one field there is."""
        request = _parse(protos.get_model_metadata_pb2.GetModelMetadataRequest, data)
        spec = _model_spec(request)
        if not request.metadata_field:
            message = "GetModelMetadataRequest must specify at least one metadata_field"
            raise ServingError(Code.INVALID_ARGUMENT, message)
        for field in request.metadata_field:
            if field != "signature_def":
                raise ServingError(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
        response = protos.get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = protos.get_model_metadata_pb2.SignatureDefMap()
        with self._models.use(spec) as (version, servable):
            for name, definition in servable.signature_defs.items():
                signatures.signature_def[name].CopyFrom(definition)
        response.model_spec.name, response.model_spec.version.value = spec.name, version
        response.metadata["signature_def"].Pack(signatures)
        return bytes(response.SerializeToString())

    def model_status(self, data: bytes) -> bytes:
        """Answers a serialized GetModelStatusRequest with a serialized GetModelStatusResponse."""
        spec = _model_spec(_parse(protos.get_model_status_pb2.GetModelStatusRequest, data))
        if spec.label:
            raise ServingError(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {spec.label}")
        response = protos.get_model_status_pb2.GetModelStatusResponse()
        for status in self._models.model(spec.name).statuses(spec.version):
            added = response.model_version_status.add(version=status.version, state=STATES[status.state])
            added.status.error_code, added.status.error_message = int(status.code), status.message
        return bytes(response.SerializeToString())


def _parse(message: Any, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return message.FromString(data)
    except DecodeError:
        raise ServingError(Code.INTERNAL, "Failed to parse the request message") from None


def _model_spec(request: Any) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    return ModelSpec(spec.name, version, spec.version_label)
