"""What a client asks and is answered, apart from how the bytes travel.

A protocol (`serving.rest_messages`, `serving.grpc_messages`) turns a call into an `Exchange`: the request to send, and
the function that reads its response. It does no input or output, so that blocking and asynchronous transports share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from serving import tensors
from serving.examples import Example

Arrays = Mapping[str, np.ndarray]
Answer = TypeVar("Answer")


class Which(NamedTuple):
    """The version that is asked, by number or by label; the newest where neither is given."""

    version: int | None = None
    label: str | None = None


class HttpRequest(NamedTuple):
    """A request to a REST server; `path` is quoted, `body` JSON."""

    method: str
    path: str
    body: bytes = b""


class HttpResponse(NamedTuple):
    """What a REST server answered."""

    status: int
    body: bytes


class RpcRequest(NamedTuple):
    """A request to a gRPC server: "/package.Service/Method" and a serialized message; so is the response."""

    method: str
    message: bytes


@dataclass(frozen=True)
class Exchange(Generic[Answer]):
    """One request, and the function that reads its response: `bytes` of gRPC, an `HttpResponse` of REST."""

    request: Any
    read: Callable[[Any], Answer]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a signature.

    Attributes:
        data_type: number of its DataType, 0 where this code has no such type.
        shape: its dimensions, None where any size will do; None altogether where the rank is unknown.
    """

    data_type: int
    shape: tuple[int | None, ...] | None

    @property
    def dtype(self) -> str:
        """The type's name: "float", "int64", "string"."""
        return tensors.data_type_name(self.data_type)


@dataclass(frozen=True)
class Signature:
    """What can be asked of a model under one name. `method_name` is "tensorflow/serving/predict" or another API's."""

    method_name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]


@dataclass(frozen=True)
class Metadata:
    """A served version and its signatures by name."""

    version: int
    signatures: Mapping[str, Signature]


class Class(NamedTuple):
    """A class and its score, as Classify answers."""

    label: str
    score: float


class Messages(Protocol):
    """A protocol's messages. Reading raises ServingError with the server's code and message."""

    def predict(
        self, which: Which, name: str, signature: Signature | None, arrays: Arrays
    ) -> Exchange[dict[str, np.ndarray]]:
        """Asks for an array per output. `signature` is None where the model has none called `name`."""

    def classify(
        self, which: Which, name: str, examples: Sequence[Example], context: Example | None
    ) -> Exchange[list[list[Class]]]:
        """Asks for the classes of each example."""

    def regress(
        self, which: Which, name: str, examples: Sequence[Example], context: Example | None
    ) -> Exchange[np.ndarray]:
        """Asks for a number for each example: float32 [examples]."""

    def metadata(self, which: Which) -> Exchange[Metadata]:
        """Asks for the signatures."""

    def status(self, which: Which) -> Exchange[list[dict[str, Any]]]:
        """Asks for the version, state, error_code and error_message of each version."""
