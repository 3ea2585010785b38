"""TF Serving's gRPC API as requests to send and responses to read, without input or output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving import examples as tf_examples
from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.examples import Example
from serving.messages import Arrays, Class, Exchange, Metadata, RpcRequest, Signature, TensorInfo, Which

_PREDICTION, _MODEL = "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/"


class GrpcMessages:
    """Requests about one model.

    Args:
        model: the model's name.
    """

    def __init__(self, model: str) -> None:
        self._model = model

    def _request(self, method: str, request: Any, which: Which, signature_name: str = "") -> RpcRequest:
        spec = request.model_spec
        spec.name, spec.signature_name = self._model, signature_name
        if which.version is not None:
            spec.version.value = which.version
        if which.label is not None:
            spec.version_label = which.label
        return RpcRequest(method, request.SerializeToString())

    def predict(
        self, which: Which, name: str, signature: Signature | None, arrays: Arrays
    ) -> Exchange[dict[str, np.ndarray]]:
        """Asks for an array per output."""
        request = protos.predict_pb2.PredictRequest()
        for key, array in arrays.items():
            _pack(array, request.inputs[key])

        def read(response: bytes) -> dict[str, np.ndarray]:
            outputs = _parse(protos.predict_pb2.PredictResponse, response).outputs
            return {key: tensors.from_proto(outputs[key], key) for key in sorted(outputs)}

        return Exchange(self._request(f"{_PREDICTION}Predict", request, which, name), read)

    def classify(
        self, which: Which, name: str, examples: Sequence[Example], context: Example | None
    ) -> Exchange[list[list[Class]]]:
        """Asks for the classes of each example."""
        messages = protos.classification_pb2
        request = messages.ClassificationRequest()
        _fill(request.input, examples, context)

        def read(response: bytes) -> list[list[Class]]:
            found = _parse(messages.ClassificationResponse, response).result.classifications
            return [[Class(name.label, name.score) for name in one.classes] for one in found]

        return Exchange(self._request(f"{_PREDICTION}Classify", request, which, name), read)

    def regress(
        self, which: Which, name: str, examples: Sequence[Example], context: Example | None
    ) -> Exchange[np.ndarray]:
        """Asks for a number for each example."""
        messages = protos.regression_pb2
        request = messages.RegressionRequest()
        _fill(request.input, examples, context)

        def read(response: bytes) -> np.ndarray:
            found = _parse(messages.RegressionResponse, response).result.regressions
            return np.array([one.value for one in found], np.float32)

        return Exchange(self._request(f"{_PREDICTION}Regress", request, which, name), read)

    def metadata(self, which: Which) -> Exchange[Metadata]:
        """Asks for the signatures."""
        messages = protos.get_model_metadata_pb2
        request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])

        def read(response: bytes) -> Metadata:
            answer = _parse(messages.GetModelMetadataResponse, response)
            found = messages.SignatureDefMap()
            answer.metadata["signature_def"].Unpack(found)
            signatures = {
                name: Signature(one.method_name, _infos(one.inputs), _infos(one.outputs))
                for name, one in found.signature_def.items()
            }
            return Metadata(answer.model_spec.version.value, signatures)

        return Exchange(self._request(f"{_PREDICTION}GetModelMetadata", request, which), read)

    def status(self, which: Which) -> Exchange[list[dict[str, Any]]]:
        """Asks for the version, state, error_code and error_message of each version."""
        messages = protos.get_model_status_pb2

        def read(response: bytes) -> list[dict[str, Any]]:
            return [
                {
                    "version": one.version,
                    "state": messages.ModelVersionStatus.State.Name(one.state),
                    "error_code": Code(one.status.error_code).name,
                    "error_message": one.status.error_message,
                }
                for one in _parse(messages.GetModelStatusResponse, response).model_version_status
            ]

        return Exchange(self._request(f"{_MODEL}GetModelStatus", messages.GetModelStatusRequest(), which), read)


def _parse(message: Any, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    try:
        return message.FromString(data)
    except DecodeError:
        wanted = message.DESCRIPTOR.full_name
        raise ServingError(Code.DATA_LOSS, f"the answer is no {wanted}: {data[:200]!r}") from None


def _pack(array: np.ndarray, proto: Any) -> None:
    """Fills a TensorProto; numbers go in one piece, which is many times as fast as one by one."""
    data_type = tensors.data_type_of(array)
    if data_type == tensors.STRING:
        proto.CopyFrom(tensors.to_proto(array))
        return
    proto.dtype = data_type
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_content = array.tobytes()


def _fill(target: Any, examples: Sequence[Example], context: Example | None) -> None:
    """Fills an Input with the examples, and with the features that they share where there are any."""
    protos_of_examples = [tf_examples.to_proto(one) for one in examples]
    if context is None:
        target.example_list.examples.extend(protos_of_examples)
    else:
        target.example_list_with_context.examples.extend(protos_of_examples)
        target.example_list_with_context.context.CopyFrom(tf_examples.to_proto(context))


def _infos(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {name: _info(one) for name, one in infos.items()}


def _info(info: Any) -> TensorInfo:
    shape = info.tensor_shape
    sizes = tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return TensorInfo(info.dtype, None if shape.unknown_rank else sizes)
