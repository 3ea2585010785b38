"""Warming a version up: the requests that it brings along are answered before it serves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.server import inference, tfrecord
from serving.server.running import Runner
from serving.server.servable import Servable, Signature

REQUESTS_FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000


def warm_up(servable: Servable, folder: str) -> int:
    """Answers every request of a version's warm-up file, if it has one.

    Args:
        servable: loaded, and not serving yet.
        folder: its version directory.

    Returns:
        How many requests there were.

    Raises:
        ServingError: where the file cannot be read or a request fails; the version must not serve then.
    """
    path = os.path.join(folder, REQUESTS_FILE)
    if not os.path.isfile(path):
        return 0
    with ThreadPoolExecutor(1, thread_name_prefix="warm-up") as pool:
        runner = Runner(pool)
        count = asyncio.run(_replay(servable, runner, path))
        runner.close()
    return count


async def _replay(servable: Servable, runner: Runner, path: str) -> int:
    count = 0
    for log in _logs(path):
        await _answer(servable, runner, log)
        count += 1
        if count > MAX_RECORDS:
            message = f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}"
            raise ServingError(Code.INVALID_ARGUMENT, message)
    return count


def _logs(path: str) -> Iterator[Any]:
    """Yields the PredictionLog messages of a file."""
    from google.protobuf.message import DecodeError

    with open(path, "rb") as file:
        try:
            for record in tfrecord.records(file, os.fstat(file.fileno()).st_size):
                yield protos.prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError:
            raise ServingError(Code.INVALID_ARGUMENT, f"Failed to parse warmup record from {path}") from None
        except ServingError as error:
            message = f"{error.message}. Please verify your warmup data is in TFRecord format."
            raise ServingError(error.code, message) from None


async def _answer(servable: Servable, runner: Runner, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {name: tensors.from_proto(proto, name) for name, proto in request.inputs.items()}
        await runner.run(servable, request.model_spec.signature_name, inputs, list(request.output_filter))
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        await _infer(servable, runner, inference.check_tasks(servable, request.tasks), request.input)
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        method = inference.CLASSIFY if kind == "classify_log" else inference.REGRESS
        signature = inference.signature_for(servable, request.model_spec.signature_name, method)
        await _infer(servable, runner, [signature], request.input)
    elif kind:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")


async def _infer(servable: Servable, runner: Runner, signatures: Sequence[Signature], given: Any) -> None:
    """Classifies or regresses the tf.Examples of an Input message."""
    examples = inference.serialized(given)
    for signature in signatures:
        answer = inference.classify if signature.method_name == inference.CLASSIFY else inference.regress
        await answer(runner, servable, signature, examples)
