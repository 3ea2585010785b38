"""Malformed gRPC requests: mutated messages, impossible tensors, raw bytes at the port."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.serving.abuse.attack import Attack
from benchmarks.serving.abuse.rest import mutated
from benchmarks.serving.models import HALF, LENET5
from benchmarks.serving.requests import PREDICT, grpc_predict, input_name, rows
from serving import protos

SERVICE = "/tensorflow.serving.PredictionService/"
MODEL_SERVICE = "/tensorflow.serving.ModelService/"
METHODS = ("Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata")
DIMS = (-1, -2, 0, 1, 2, 1 << 31, (1 << 63) - 1, -(1 << 63), 1 << 40)


def _message(method: str) -> Any:
    messages = {
        "Predict": lambda: protos.predict_pb2.PredictRequest,
        "Classify": lambda: protos.classification_pb2.ClassificationRequest,
        "Regress": lambda: protos.regression_pb2.RegressionRequest,
        "MultiInference": lambda: protos.inference_pb2.MultiInferenceRequest,
        "GetModelMetadata": lambda: protos.get_model_metadata_pb2.GetModelMetadataRequest,
        "GetModelStatus": lambda: protos.get_model_status_pb2.GetModelStatusRequest,
    }
    return messages[method.rpartition("/")[2]]()


def unparsable(method: str, data: bytes) -> bool:
    """Tells whether protobuf itself refuses the bytes as the method's request."""
    try:
        _message(method).FromString(data)
    except Exception:  # DecodeError, whose module differs from one protobuf to the next
        return True
    return False


def call(kind: str, data: bytes, method: str = PREDICT, heavy: bool = False) -> Attack:
    """Returns a call, marked where TF Serving cannot parse it either."""
    return Attack(f"gRPC {kind}", data, "grpc", method=method, internal=unparsable(method, data), heavy=heavy)


def _good(rng: random.Random) -> tuple[str, Any]:
    model = rng.choice((HALF, LENET5))
    data = grpc_predict(model, rows(model, rng.randint(1, 3), rng.randrange(100)))
    return model, protos.predict_pb2.PredictRequest.FromString(data)


def _mutated(rng: random.Random) -> Attack:
    return call("mutated message", mutated(rng, _good(rng)[1].SerializeToString(deterministic=True)))


def _flipped(rng: random.Random) -> Attack:
    """One bit: most of these can still be parsed."""
    data = bytearray(_good(rng)[1].SerializeToString(deterministic=True))
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return call("flipped bit", bytes(data))


def _other_method(rng: random.Random) -> Attack:
    data = _good(rng)[1].SerializeToString(deterministic=True)
    method = rng.choice([SERVICE + name for name in METHODS] + [MODEL_SERVICE + "GetModelStatus"])
    return call("message of another method", data if rng.random() < 0.5 else mutated(rng, data), method)


def _random(rng: random.Random) -> Attack:
    return call("random message", rng.randbytes(rng.randint(0, 300)), SERVICE + rng.choice(METHODS))


def _shape(rng: random.Random) -> Attack:
    model, request = _good(rng)
    shape = request.inputs[input_name(model)].tensor_shape
    if rng.random() < 0.2:
        shape.unknown_rank = True
    else:
        del shape.dim[:]
        for _ in range(rng.randint(0, 5)):
            shape.dim.add().size = rng.choice(DIMS)
        if rng.random() < 0.05:
            shape.dim.extend([shape.dim.add()] * 300)
    return call("impossible shape", request.SerializeToString(deterministic=True))


def _dtype(rng: random.Random) -> Attack:
    model, request = _good(rng)
    request.inputs[input_name(model)].dtype = rng.choice([*range(24), 101, 107, 120, 1 << 20])
    return call("wrong dtype", request.SerializeToString(deterministic=True))


def _content(rng: random.Random) -> Attack:
    model, request = _good(rng)
    tensor = request.inputs[input_name(model)]
    tensor.tensor_content = rng.randbytes(rng.randint(1, 40))
    if rng.random() < 0.3:
        tensor.int_val.extend([1, 2, 3])
    return call("wrong tensor_content", request.SerializeToString(deterministic=True))


def _spec(rng: random.Random) -> Attack:
    model, request = _good(rng)
    changes: list[Callable[[], Any]] = [
        lambda: setattr(request.model_spec, "name", rng.choice(("", "none", "a" * 5000, "../x"))),
        lambda: setattr(request.model_spec.version, "value", rng.choice(DIMS)),
        lambda: setattr(request.model_spec, "version_label", rng.choice(("", "none", "é" * 100))),
        lambda: setattr(
            request.model_spec, "signature_name", rng.choice(("none", "__saved_model_init_op", "x" * 5000))
        ),
        lambda: request.output_filter.extend(rng.choice((["none"], [""], ["y", "y"]))),
        lambda: request.inputs["more"].CopyFrom(request.inputs[input_name(model)]),
        lambda: request.inputs.clear(),
        lambda: request.inputs[input_name(model)].Clear(),
    ]
    rng.choice(changes)()
    return call("wrong model_spec or names", request.SerializeToString(deterministic=True))


def _unknown_method(rng: random.Random) -> Attack:
    path = rng.choice(("/x/y", "/", SERVICE + "Train", SERVICE, "/tensorflow.serving.SessionService/SessionRun"))
    return Attack("gRPC unknown method", rng.randbytes(20), "grpc", method=path)


def _raw(rng: random.Random) -> Attack:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
    data = rng.choice((rng.randbytes(200), b"GET / HTTP/1.1\r\n\r\n", preface + rng.randbytes(100), preface[:20]))
    return Attack("gRPC random bytes at the port", data, "grpc", complete=False)


KINDS: tuple[tuple[Callable[[random.Random], Attack], int], ...] = (
    (_mutated, 5),
    (_flipped, 8),
    (_other_method, 5),
    (_random, 5),
    (_shape, 6),
    (_dtype, 4),
    (_content, 4),
    (_spec, 4),
    (_unknown_method, 1),
    (_raw, 1),
)


def light(rng: random.Random) -> Attack:
    """Returns any one of the small attacks."""
    return rng.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0](rng)


def slow(rng: random.Random) -> Attack:
    """Returns a sender that needs seconds for the first bytes of its connection, and gives up."""
    return Attack("gRPC slow start", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "grpc", complete=False, pause=0.15)


def heavy(megabytes: int) -> Iterator[Attack]:
    """Gives messages of so many megabytes, one at a time."""
    size = megabytes << 20
    request = protos.predict_pb2.PredictRequest()
    request.model_spec.name = LENET5
    tensor = request.inputs["image"]
    tensor.dtype = 7
    tensor.tensor_shape.dim.add().size = 1
    tensor.string_val.append(bytes(size))
    yield call("large: one image of zeros", request.SerializeToString(deterministic=True), heavy=True)
    del tensor.string_val[:]
    tensor.string_val.extend([b""] * (size // 2))
    yield call("large: many empty strings", request.SerializeToString(deterministic=True), heavy=True)
    request.Clear()
    request.model_spec.name = HALF
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add().size = size // 4
    tensor.tensor_content = bytes(size)
    yield call("large: numbers", request.SerializeToString(deterministic=True), heavy=True)
    tensor.tensor_shape.dim[0].size += 1
    yield call("large: numbers, one too few", request.SerializeToString(deterministic=True), heavy=True)
    yield call("large: random", random.Random(0).randbytes(size), heavy=True)
