"""TF Serving's gRPC API: PredictionService and ModelService.

Messages arrive and leave as bytes, so that the server listens before the protocol buffers are imported and a worker
thread, not the event loop, parses a large tensor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import grpc
import grpc.aio
import numpy as np

from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.server import inference
from serving.server.memory import Trimmer
from serving.server.models import ModelManager, ModelSpec
from serving.server.monitoring import Metrics
from serving.server.requests import Watch, as_serving_error, off_loop, size_of
from serving.server.running import Runner
from serving.server.servable import DEFAULT_SIGNATURE
from serving.server.versions import STATES

OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.max_receive_message_length", (1 << 31) - 1),
    ("grpc.max_send_message_length", (1 << 31) - 1),
    ("grpc.so_reuseport", 0),
]
_STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
_LONGEST = 4096  # characters of an error; it travels in a header, which clients bound to 8 KiB
_Method = Callable[[bytes, Watch], Awaitable[bytes]]


class GrpcApi:
    """Answers gRPC requests.

    Args:
        models: what is served.
        runner: runs their graphs.
        pool: where large messages are parsed and written.
        metrics: where requests are counted.
    """

    def __init__(self, models: ModelManager, runner: Runner, pool: Executor, *, metrics: Metrics | None = None) -> None:
        self._models, self._runner, self._pool, self._metrics = models, runner, pool, metrics
        self._trimmer = Trimmer()

    def server(self, options: Sequence[tuple[str, int | str]] = ()) -> grpc.aio.Server:
        """Returns a server with the services added and no port yet.

        Args:
            options: gRPC's own, which go before ours.
        """
        named = {key for key, _ in options}
        server = grpc.aio.server(options=[*options, *(one for one in OPTIONS if one[0] not in named)])
        services: dict[str, dict[str, _Method]] = {
            "tensorflow.serving.PredictionService": {
                "Predict": self.predict,
                "Classify": self.classify,
                "Regress": self.regress,
                "MultiInference": self.multi_inference,
                "GetModelMetadata": self.model_metadata,
            },
            "tensorflow.serving.ModelService": {
                "GetModelStatus": self.model_status,
                "HandleReloadConfigRequest": self.reload,
            },
        }
        for service, methods in services.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(self._answering(method)) for name, method in methods.items()
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        return server

    def _answering(self, method: _Method) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def answer(request: bytes, context: Any) -> bytes:
            watch = Watch(self._models, self._metrics, "GRPC")
            try:
                response = await method(request, watch)
            except asyncio.CancelledError:  # the client has gone or its deadline has passed
                watch.done(Code.CANCELLED)
                raise
            except Exception as exception:
                error = as_serving_error(exception).with_traceback(None)  # it would hold the request
            else:
                watch.done(Code.OK)
                return response
            finally:
                self._trimmer.note(len(request))
            watch.done(error.code)
            await context.abort(_STATUS_CODES[int(error.code)], error.message[:_LONGEST])
            raise AssertionError("abort raises")

        return answer

    async def _parse(self, message: Any, data: bytes) -> Any:
        return await off_loop(self._pool, len(data), _parsed, message, data)

    async def predict(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized PredictRequest with a serialized PredictResponse."""
        request = await self._parse(protos.predict_pb2.PredictRequest, data)
        spec = _model_spec(request)
        name = request.model_spec.signature_name or DEFAULT_SIGNATURE
        watch.means("Predict", spec.name)
        with self._models.use(spec) as (version, servable):
            servable.signature(name)
            inputs = await off_loop(self._pool, len(data), _arrays, request.inputs)
            outputs = await self._runner.run(servable, name, inputs, list(request.output_filter))
        response = protos.predict_pb2.PredictResponse()
        _write_spec(response, spec, name, version)
        return await off_loop(self._pool, size_of(outputs), _with_outputs, response, outputs)

    async def classify(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized ClassificationRequest with a serialized ClassificationResponse."""
        messages = protos.classification_pb2
        return await self._infer(
            "Classify", messages.ClassificationRequest, messages.ClassificationResponse(), data, watch
        )

    async def regress(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized RegressionRequest with a serialized RegressionResponse."""
        messages = protos.regression_pb2
        return await self._infer("Regress", messages.RegressionRequest, messages.RegressionResponse(), data, watch)

    async def _infer(self, api: str, message: Any, response: Any, data: bytes, watch: Watch) -> bytes:
        request = await self._parse(message, data)
        spec = _model_spec(request)
        watch.means(api, spec.name)
        method = inference.CLASSIFY if api == "Classify" else inference.REGRESS
        with self._models.use(spec) as (version, servable):
            signature = inference.signature_for(servable, request.model_spec.signature_name, method)
            examples = await off_loop(self._pool, len(data), inference.serialized, request.input)
            if method == inference.CLASSIFY:
                classes = await inference.classify(self._runner, servable, signature, examples)
                inference.write_classes(response.result, classes)
            else:
                values = await inference.regress(self._runner, servable, signature, examples)
                inference.write_regressions(response.result, values)
        _write_spec(response, spec, signature.name, version)
        return bytes(response.SerializeToString())

    async def multi_inference(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized MultiInferenceRequest with a serialized MultiInferenceResponse."""
        request = await self._parse(protos.inference_pb2.MultiInferenceRequest, data)
        has_spec = bool(request.tasks) and request.tasks[0].HasField("model_spec")
        spec = _model_spec(request.tasks[0]) if has_spec else ModelSpec("")
        response = protos.inference_pb2.MultiInferenceResponse()
        watch.means("MultiInference", spec.name)
        with self._models.use(spec) as (version, servable):
            signatures = inference.check_tasks(servable, request.tasks)
            examples = await off_loop(self._pool, len(data), inference.serialized, request.input)
            answers = await inference.infer(self._runner, servable, signatures, examples)
        for signature, outputs in zip(signatures, answers, strict=True):
            result = response.results.add()
            _write_spec(result, spec, signature.name, version)
            if signature.method_name == inference.CLASSIFY:
                classes = inference.classes_of(outputs, len(examples))
                inference.write_classes(result.classification_result, classes)
            else:
                values = inference.values_of(outputs, len(examples))
                inference.write_regressions(result.regression_result, values)
        return bytes(response.SerializeToString())

    async def model_metadata(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized GetModelMetadataRequest, of which "signature_def" is the one field there is."""
        request = _parsed(protos.get_model_metadata_pb2.GetModelMetadataRequest, data)
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

    async def model_status(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized GetModelStatusRequest with a serialized GetModelStatusResponse."""
        spec = _model_spec(_parsed(protos.get_model_status_pb2.GetModelStatusRequest, data))
        if spec.label:
            spec = self._models.resolve(spec)
        response = protos.get_model_status_pb2.GetModelStatusResponse()
        for status in self._models.model(spec.name).statuses(spec.version):
            added = response.model_version_status.add(version=status.version, state=STATES[status.state])
            added.status.error_code, added.status.error_message = int(status.code), status.message
        return bytes(response.SerializeToString())

    async def reload(self, data: bytes, watch: Watch) -> bytes:
        """Answers a serialized ReloadConfigRequest, whose models are served from now on in place of those so far."""
        request = _parsed(protos.model_management_pb2.ReloadConfigRequest, data)
        # Loading may take long, and must not take a thread away from the requests.
        await asyncio.to_thread(self._models.reload, request.config)
        response = protos.model_management_pb2.ReloadConfigResponse()
        response.status.error_code = int(Code.OK)
        return bytes(response.SerializeToString())


def _parsed(message: Any, data: bytes) -> Any:
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


def _write_spec(response: Any, spec: ModelSpec, signature_name: str, version: int) -> None:
    response.model_spec.name, response.model_spec.signature_name = spec.name, signature_name
    response.model_spec.version.value = version


def _arrays(inputs: Any) -> dict[str, np.ndarray]:
    arrays = {}
    for name, proto in inputs.items():
        try:
            arrays[name] = tensors.from_proto(proto, name)
        except (ValueError, OverflowError):  # a shape of more dimensions or elements than an array can have
            raise ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {name}") from None
    return arrays


def _with_outputs(response: Any, outputs: dict[str, np.ndarray]) -> bytes:
    for name, array in outputs.items():
        tensors.write_proto(response.outputs[name], array)
    return bytes(response.SerializeToString())
