"""One loaded version of a model: its signatures, and running them by name."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.server import operations
from serving.server.c_api import Session

DEFAULT_SIGNATURE = "serving_default"
_METHODS = tuple(f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a signature.

    Attributes:
        tensor: its name in the graph, "serving_default_image:0".
        data_type: number of its DataType.
        shape: its dimensions, None where any size will do; None altogether where the rank is unknown.
    """

    tensor: str
    data_type: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """A SignatureDef: names mapped to tensors, and the method it is meant for."""

    name: str
    method_name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One run of a signature, checked against it.

    Attributes:
        feeds: the graph's input tensors, each with its value.
        outputs: names of the answers.
        fetches: the graph's output tensors, in the same order.
        key: equal for calls that feed and fetch the same tensors.
    """

    feeds: tuple[tuple[Any, np.ndarray], ...]
    outputs: tuple[str, ...]
    fetches: tuple[Any, ...]
    key: Hashable


def _tensor_infos(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
    known = {}
    for name in sorted(infos):
        info = infos[name]
        sizes = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
        known[name] = TensorInfo(info.name, info.dtype, None if info.tensor_shape.unknown_rank else sizes)
    return known


class Servable:
    """A SavedModel ready to answer, from TensorFlow 1 or 2, with its variables, tables and assets.

    Args:
        folder: the version directory.

    Attributes:
        signature_defs: the SignatureDef protos by name, for the metadata API.
        signatures: the same, read once.
        inputs: the inputs of each signature.
    """

    def __init__(self, folder: str) -> None:
        operations.register(folder)
        self._session = Session(folder)
        meta_graph = protos.meta_graph_pb2.MetaGraphDef.FromString(self._session.meta_graph)
        del self._session.meta_graph
        self.signature_defs: dict[str, Any] = {}
        self.signatures: dict[str, Signature] = {}
        for name, definition in meta_graph.signature_def.items():
            if name == "__saved_model_init_op":
                continue
            self.signature_defs[name] = kept = type(definition)()
            kept.CopyFrom(definition)
            self.signatures[name] = Signature(
                name,
                definition.method_name,
                _tensor_infos(definition.inputs),
                _tensor_infos(definition.outputs),
                dict(getattr(kept, "defaults", {})),
            )
        self.inputs = {name: signature.inputs for name, signature in self.signatures.items()}
        self._tensors: dict[str, Any] = {}

    def signature(self, name: str) -> Signature:
        """Returns a signature by name, "" for the default; FAILED_PRECONDITION where there is none."""
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def prepare(self, signature_name: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()) -> Call:
        """Checks a request against its signature.

        Args:
            signature_name: which one; "" is the default.
            inputs: an array for each of its inputs.
            outputs: the names wanted; all when empty.

        Raises:
            ServingError: INVALID_ARGUMENT where inputs or outputs do not fit the signature.
        """
        signature = self.signature(signature_name)
        if signature.method_name not in _METHODS:
            expected = ", ".join(_METHODS)
            raise ServingError(
                Code.INTERNAL,
                f"Expected prediction signature method_name to be one of {{{expected}}}. Was: {signature.method_name}",
            )
        arrays = _match_inputs(signature, inputs)
        wanted = tuple(_match_outputs(signature, outputs))
        feeds = tuple((self._tensor(signature.inputs[name].tensor), array) for name, array in arrays.items())
        names = tuple(signature.outputs[name].tensor for name in wanted)
        key = (tuple(signature.inputs[name].tensor for name in arrays), names)
        return Call(feeds, wanted, tuple(map(self._tensor, names)), key)

    def execute(self, call: Call) -> dict[str, np.ndarray]:
        """Runs what `prepare` has checked. May be called from any thread.

        Returns:
            An array for each wanted output; strings as object arrays of bytes.

        Raises:
            ServingError: TensorFlow's own.
        """
        return dict(zip(call.outputs, self._session.run(call.feeds, call.fetches), strict=True))

    def run(
        self, signature_name: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Prepares and executes in one."""
        return self.execute(self.prepare(signature_name, inputs, outputs))

    def _tensor(self, name: str) -> Any:
        known = self._tensors.get(name)
        if known is None:
            known = self._tensors[name] = self._session.tensor(name)
        return known

    def close(self) -> None:
        """Frees the model's memory once the calls under way have returned."""
        self._session.close()


def _match_inputs(signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns an array for each input of the signature, defaults filled in, or says what is wrong."""
    expected, sent = sorted(signature.inputs), sorted(inputs)
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        extra = ",".join(name for name in sent if name not in signature.inputs)
        missing = ",".join(name for name in expected if name not in inputs)
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({{{','.join(sent)}}}) != len({{{','.join(expected)}}}). "
            f"Sent extra: {{{extra}}}. Missing but required: {{{missing}}}.",
        )
    arrays = {}
    for name, info in signature.inputs.items():
        if name in inputs:
            arrays[name] = inputs[name]
        elif name in signature.defaults:
            arrays[name] = tensors.from_proto(signature.defaults[name], name)
        else:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Signature input alias: {name}(feed name: {info.tensor}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{','.join(sent)}}}, or default input alias set: "
                f"{','.join(sorted(signature.defaults))}",
            )
    unknown = [name for name in sent if name not in signature.inputs]
    if unknown:
        used = ",".join(name for name in sent if name in signature.inputs)
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"Inputs contains invalid name. Used request inputs: {used}, request input: {','.join(sent)}",
        )
    return arrays


def _match_outputs(signature: Signature, outputs: Sequence[str]) -> list[str]:
    """Returns the wanted outputs, all where none is named, or says which is unknown or named twice."""
    for position, name in enumerate(outputs):
        if name not in signature.outputs:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {name} "
                f"Outputs expected to be in the set {{{','.join(signature.outputs)}}}.",
            )
        if name in outputs[:position]:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {name}")
    return list(outputs) or list(signature.outputs)
