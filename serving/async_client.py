"""The asynchronous client, and with it the logic of the blocking one: retries, deadlines, types of signatures."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from serving import examples as tf_examples
from serving.addresses import Tls, grpc_target, rest_address
from serving.encoding import as_array
from serving.errors import Code, ServingError
from serving.grpc_messages import GrpcMessages
from serving.messages import Class, Exchange, Messages, Metadata, Signature, Which
from serving.rest_messages import RestMessages
from serving.transports import Transport
from serving.transports_async import AsyncGrpc, AsyncRest

DEFAULT_SIGNATURE = "serving_default"
_FIRST_WAIT, _LONGEST_WAIT = 0.05, 2.0
_KNOWN_SECONDS = 60.0
"""How long a signature is taken for known, since another version may have another one."""
_Answer = TypeVar("_Answer")
_Example = Mapping[str, Any]


class AsyncClient:
    """Asks one model of a server, from one event loop; any number of calls may be under way at once.

        async with AsyncClient("127.0.0.1:8500", "lenet5", grpc=True) as client:
            answers = await client.predict({"image": [png_bytes]})

    Args:
        address: "http://host:port" or "https://host:port" for REST, "host:port" for gRPC.
        model: the model's name.
        grpc: speak gRPC instead of REST.
        timeout: seconds that a call may take, its retries included.
        tls: speak TLS, with these certificates; REST at "https://..." needs none where the system trusts the server.
        retry_on: codes after which a call is tried again, ever later, for as long as the timeout allows. A server that
            cannot be reached is UNAVAILABLE. Every call may be repeated without harm.
    """

    _rest, _grpc = AsyncRest, AsyncGrpc

    def __init__(
        self,
        address: str,
        model: str,
        grpc: bool = False,
        timeout: float = 30.0,
        tls: Tls | None = None,
        retry_on: Collection[Code] = (Code.UNAVAILABLE,),
    ) -> None:
        self.model, self.timeout = model, timeout
        self._retry_on = frozenset(retry_on)
        self._messages: Messages
        self._transport: Transport
        if grpc:
            self._messages = GrpcMessages(model)
            self._transport = self._grpc(grpc_target(address), tls)
        else:
            found = rest_address(address, tls)
            self._messages = RestMessages(found.prefix, model)
            self._transport = self._rest(found)
        self._signatures: dict[Which, tuple[float, Mapping[str, Signature]]] = {}
        self._closed = False

    async def predict(
        self,
        inputs: Mapping[str, Any],
        signature_name: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
    ) -> dict[str, np.ndarray | list[Any]]:
        """Runs a signature on a batch.

        Args:
            inputs: a batch per input: an array, or a (nested) list of numbers, text or bytes. Numbers are converted
                to the type that the signature asks for.
            signature_name: which signature.
            version: which version; the newest where there is neither a version nor a label.
            label: which version, by its label.

        Returns:
            A batch per output: numbers as arrays of the signature's type, strings as (nested) lists of str. Strings
            that are not UTF-8, and outputs named *_bytes, stay bytes.

        Raises:
            ServingError: with the server's code and message.
        """
        which, deadline = _which(version, label), self._deadline()
        known = self._known(which) is not None
        signature = await self._signature(which, signature_name, deadline)
        try:
            return await self._predict(which, signature_name, signature, inputs, deadline)
        except ServingError as error:
            if not known or error.code not in (Code.INVALID_ARGUMENT, Code.DATA_LOSS):
                raise
            self._signatures.pop(which, None)  # a newer version may have other types
            changed = await self._signature(which, signature_name, deadline)
            if changed == signature:
                raise
        return await self._predict(which, signature_name, changed, inputs, deadline)

    async def _predict(
        self, which: Which, name: str, signature: Signature | None, inputs: Mapping[str, Any], deadline: float
    ) -> dict[str, np.ndarray | list[Any]]:
        types = {key: info.data_type for key, info in signature.inputs.items()} if signature else {}
        arrays = {key: as_array(key, value, types.get(key, 0)) for key, value in inputs.items()}
        outputs = await self._ask(self._messages.predict(which, name, signature, arrays), deadline)
        return {key: _as_column(key, array) for key, array in outputs.items()}

    async def _signature(self, which: Which, name: str, deadline: float) -> Signature | None:
        """Returns what is known of a signature, None where there is none: then the server says what is wrong."""
        signatures = self._known(which)
        if signatures is None:
            signatures = (await self._ask(self._messages.metadata(which), deadline)).signatures
            self._signatures[which] = time.monotonic() + _KNOWN_SECONDS, signatures
        return signatures.get(name)

    def _known(self, which: Which) -> Mapping[str, Signature] | None:
        until, signatures = self._signatures.get(which, (0.0, None))
        return signatures if time.monotonic() < until else None

    async def classify(
        self,
        examples: Iterable[_Example],
        signature_name: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        context: _Example | None = None,
    ) -> list[list[Class]]:
        """Runs a signature made for TF Serving's Classify on tf.Examples.

        Args:
            examples: mappings of feature names to a number, text, bytes, or a flat list of one of these.
            signature_name, version, label: as for `predict`.
            context: features that all examples share.

        Returns:
            The label and the score of each class, per example.

        Raises:
            ServingError: with the server's code and message.
        """
        which, batch, shared = _which(version, label), *_read_examples(examples, context)
        return await self._ask(self._messages.classify(which, signature_name, batch, shared), self._deadline())

    async def regress(
        self,
        examples: Iterable[_Example],
        signature_name: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        label: str | None = None,
        context: _Example | None = None,
    ) -> np.ndarray:
        """Runs a signature made for TF Serving's Regress on tf.Examples, given as to `classify`.

        Returns:
            float32 [examples].
        """
        which, batch, shared = _which(version, label), *_read_examples(examples, context)
        return await self._ask(self._messages.regress(which, signature_name, batch, shared), self._deadline())

    async def metadata(self, version: int | None = None, label: str | None = None) -> Metadata:
        """Returns the served version and its signatures."""
        return await self._ask(self._messages.metadata(_which(version, label)), self._deadline())

    async def status(self, version: int | None = None, label: str | None = None) -> list[dict[str, Any]]:
        """Returns "version", "state", "error_code" and "error_message" of each version, newest first."""
        return await self._ask(self._messages.status(_which(version, label)), self._deadline())

    def _deadline(self) -> float:
        return time.monotonic() + self.timeout

    async def _ask(self, exchange: Exchange[_Answer], deadline: float) -> _Answer:
        """Sends a request until it is answered, waiting twice as long each time."""
        wait, last = _FIRST_WAIT, ServingError(Code.DEADLINE_EXCEEDED, f"no time left of {self.timeout:g} s")
        while True:
            if self._closed:
                raise ServingError(Code.FAILED_PRECONDITION, f"the client of {self.model!r} is closed")
            left = deadline - time.monotonic()
            if left <= 0:
                raise last
            try:
                return exchange.read(await self._transport.send(exchange.request, left))
            except ServingError as error:
                pause = wait * random.uniform(0.75, 1.25)
                if error.code not in self._retry_on or time.monotonic() + pause > deadline:
                    raise
                last = error
            await self._transport.pause(pause)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def close(self) -> None:
        """Closes the connections."""
        self._closed = True
        await self._transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        await self.close()


def _which(version: int | None, label: str | None) -> Which:
    if version is not None and label is not None:
        message = f"a version is asked for by number or by label, not by both {version} and {label!r}"
        raise ServingError(Code.INVALID_ARGUMENT, message)
    return Which(version, label)


def _read_examples(
    examples: Iterable[_Example], context: _Example | None
) -> tuple[list[tf_examples.Example], tf_examples.Example | None]:
    batch = [tf_examples.read(one) for one in examples]
    if not batch:
        raise ServingError(Code.INVALID_ARGUMENT, "there is no example to ask about")
    return batch, None if context is None else tf_examples.read(context)


def _as_column(name: str, array: np.ndarray) -> np.ndarray | list[Any]:
    if array.dtype != object:
        return array
    read = bytes if name.endswith("_bytes") else _as_text
    answers = np.empty(array.size, object)
    answers[:] = [read(value) for value in array.reshape(-1)]
    column: list[Any] = answers.reshape(array.shape).tolist()
    return column


def _as_text(value: bytes) -> bytes | str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
