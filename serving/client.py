"""A client for TF Serving's protocol over REST or gRPC, blocking or asynchronous, with the same answers by each.

Example:
    features, classes = ..., ...  # of the pushed model's assets.extra/ann_keras.json
    with Client("http://127.0.0.1:8501", "lenet5") as client:
        columns = client.predict(encode(features, ["digit.png"]))
    decode({"classes": classes}, columns)  # [Classification(label="7", probabilities={...})]
    # of a model of numbers: [Number(value=131.7, low=109.4, high=154.0)]
    # of a model of texts, asked encode(features, ["A man is walking."]): [Translation(text="Ein Mann geht.", ...)]
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from serving.addresses import Tls
from serving.async_client import DEFAULT_SIGNATURE, AsyncClient
from serving.decoding import Boxes, Classification, Mask, Number, Text, Translation, decode
from serving.encoding import encode
from serving.errors import Code, ServingError
from serving.messages import Class, Metadata, Signature, TensorInfo
from serving.transports import Grpc, Rest

__all__ = [
    "AsyncClient",
    "Boxes",
    "Class",
    "Classification",
    "Client",
    "Code",
    "Mask",
    "Metadata",
    "Number",
    "ServingError",
    "Signature",
    "TensorInfo",
    "Text",
    "Tls",
    "Translation",
    "decode",
    "encode",
]

_Answer = TypeVar("_Answer")


class _BlockingClient(AsyncClient):
    """The same logic over transports that block: its coroutines run to their end without an event loop."""

    _rest, _grpc = Rest, Grpc  # type: ignore[assignment]


class Client:
    """Asks one model of a server. Threads may share it. Close it, or use it as a context manager.

    Args:
        address, model, grpc, timeout, tls, retry_on: as for `AsyncClient`.
    """

    def __init__(
        self,
        address: str,
        model: str,
        grpc: bool = False,
        timeout: float = 30.0,
        tls: Tls | None = None,
        retry_on: Collection[Code] = (Code.UNAVAILABLE,),
    ) -> None:
        self._client = _BlockingClient(address, model, grpc, timeout, tls, retry_on)
        self.model, self.timeout = model, timeout

    def predict(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
    ) -> dict[str, np.ndarray | list[Any]]:
        """Runs a signature on a batch; see `AsyncClient.predict`."""
        return _finish(self._client.predict(inputs, signature_name, version, label))

    def classify(
        self,
        examples: Iterable[Mapping[str, Any]],
        signature_name: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> list[list[Class]]:
        """Returns the classes of each example; see `AsyncClient.classify`."""
        return _finish(self._client.classify(examples, signature_name, version, label, context))

    def regress(
        self,
        examples: Iterable[Mapping[str, Any]],
        signature_name: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> np.ndarray:
        """Returns a number for each example, float32 [examples]; see `AsyncClient.regress`."""
        return _finish(self._client.regress(examples, signature_name, version, label, context))

    def metadata(self, version: int | None = None, label: str | None = None) -> Metadata:
        """Returns the served version and its signatures."""
        return _finish(self._client.metadata(version, label))

    def status(self, version: int | None = None, label: str | None = None) -> list[dict[str, Any]]:
        """Returns "version", "state", "error_code" and "error_message" of each version, newest first."""
        return _finish(self._client.status(version, label))

    def close(self) -> None:
        """Closes the connections of all threads."""
        _finish(self._client.close())

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()


def _finish(coroutine: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Runs a coroutine that waits for no event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: _Answer = end.value
        return answer
    coroutine.close()
    raise RuntimeError("a blocking transport waited for an event loop")
