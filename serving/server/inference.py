"""Classify and Regress: tf.Examples in, classes with scores or a number for each out, checked as TF Serving does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.server.running import Runner
from serving.server.servable import DEFAULT_SIGNATURE, Call, Servable, Signature

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}


@dataclass(frozen=True)
class Classes:
    """The answer to Classify; either part may be missing.

    Attributes:
        labels: bytes, [examples, classes].
        scores: float32, [examples, classes].
    """

    labels: np.ndarray | None
    scores: np.ndarray | None

    def pairs(self) -> list[list[tuple[bytes, float]]]:
        """Returns label and score of each class of each example; "" and 0 where the model has none."""
        shape = (self.labels if self.labels is not None else self.scores).shape  # type: ignore[union-attr]
        labels = self.labels.tolist() if self.labels is not None else [[b""] * shape[1]] * shape[0]
        scores = self.scores.tolist() if self.scores is not None else [[0.0] * shape[1]] * shape[0]
        return [list(zip(*row, strict=True)) for row in zip(labels, scores, strict=True)]


def serialized(message: Any) -> np.ndarray:
    """Returns the tf.Examples of an Input message, serialized, each with the context if there is one.

    Raises:
        ServingError: INVALID_ARGUMENT where there are none.
    """
    kind = message.WhichOneof("kind")
    context, examples = b"", ()
    if kind == "example_list":
        examples = message.example_list.examples
    elif kind == "example_list_with_context":
        context = message.example_list_with_context.context.SerializeToString()
        examples = message.example_list_with_context.examples
    if not examples:
        raise _invalid("Input is empty.")
    array = np.empty(len(examples), object)
    # One serialized message after another is their merger, in which the later wins.
    array[:] = [context + example.SerializeToString() for example in examples]
    return array


def signature_for(servable: Servable, name: str, method: str) -> Signature:
    """Returns the signature that Classify or Regress asks for.

    Args:
        servable: the model.
        name: "" is the default.
        method: CLASSIFY or REGRESS.

    Raises:
        ServingError: INVALID_ARGUMENT where there is none, or it is for another method.
    """
    name = name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise _invalid(f"No signature was found with the name: {name}")
    signature = servable.signatures[name]
    check_signature(servable, signature, method)
    return signature


def check_signature(servable: Servable, signature: Signature, method: str) -> None:
    """Checks that a signature has the method, the input and the outputs that Classify or Regress needs.

    Raises:
        ServingError: INVALID_ARGUMENT or FAILED_PRECONDITION, as TF Serving.
    """
    kind = _KINDS[method]
    if signature.method_name != method:
        raise _invalid(f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}")
    if len(signature.inputs) != 1:
        raise _invalid("Expected one input Tensor.")
    count = len(signature.outputs)
    if method == CLASSIFY and count not in (1, 2):
        raise _invalid(f"Expected one or two output Tensors, found {count}")
    if method == REGRESS and count != 1:
        raise _invalid("Expected one output Tensor.")
    definition = servable.signature_defs[signature.name]
    if _INPUTS not in signature.inputs:
        raise ServingError(Code.FAILED_PRECONDITION, f"No {kind} inputs found in SignatureDef: {definition}")
    if method == REGRESS and _OUTPUTS not in signature.outputs:
        raise ServingError(Code.FAILED_PRECONDITION, f"No regression outputs found in SignatureDef: {definition}")
    if method == CLASSIFY and not signature.outputs.keys() & {_CLASSES, _SCORES}:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}". '
            f"Signature was: {definition}",
        )


async def infer(
    runner: Runner, servable: Servable, signatures: Sequence[Signature], examples: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Runs the graph once for several signatures.

    Args:
        runner: runs the model.
        servable: the model.
        signatures: its own, checked, with the same input tensor.
        examples: serialized.

    Returns:
        The outputs of each signature by name.

    Raises:
        ServingError: the graph's own.
    """
    calls = []
    for signature in signatures:
        wanted = [name for name in (_CLASSES, _SCORES, _OUTPUTS) if name in signature.outputs]
        calls.append(servable.prepare(signature.name, {_INPUTS: examples}, wanted))
    if len(calls) == 1:
        return [await runner.execute(servable, calls[0])]
    names = tuple(f"{position} {name}" for position, call in enumerate(calls) for name in call.outputs)
    fetches = tuple(fetch for call in calls for fetch in call.fetches)
    whole = Call(calls[0].feeds, names, fetches, tuple(call.key for call in calls))
    outputs = await runner.execute(servable, whole)
    return [{name: outputs[f"{position} {name}"] for name in call.outputs} for position, call in enumerate(calls)]


async def classify(runner: Runner, servable: Servable, signature: Signature, examples: np.ndarray) -> Classes:
    """Returns the classes of each example; arguments and errors as `infer` and `classes_of`."""
    (outputs,) = await infer(runner, servable, [signature], examples)
    return classes_of(outputs, len(examples))


async def regress(runner: Runner, servable: Servable, signature: Signature, examples: np.ndarray) -> np.ndarray:
    """Returns a number for each example; arguments and errors as `infer` and `values_of`."""
    (outputs,) = await infer(runner, servable, [signature], examples)
    return values_of(outputs, len(examples))


def classes_of(outputs: Mapping[str, np.ndarray], count: int) -> Classes:
    """Returns the classes that a signature's outputs are.

    Args:
        outputs: "classes", "scores" or both.
        count: how many examples there were.

    Raises:
        ServingError: INVALID_ARGUMENT where they are no classes.
    """
    for name, data_type in ((_CLASSES, tensors.STRING), (_SCORES, 1)):
        if name in outputs:
            _check_classes(name, outputs[name], data_type, count)
    labels, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    if labels is not None and scores is not None and labels.shape[1] != scores.shape[1]:
        raise _invalid(
            f"Tensors class and score should match in dim_size(1). Got {labels.shape[1]} vs. {scores.shape[1]}"
        )
    return Classes(labels, scores)


def _check_classes(name: str, array: np.ndarray, data_type: int, count: int) -> None:
    if array.ndim != 2:
        raise _invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
    if tensors.data_type_of(array) != data_type:
        raise _invalid(f"Expected {name} Tensor of {_type_name(data_type)}. Got: {_type_of(array)}")
    if len(array) != count:
        raise _invalid(f"Expected {name} output batch size of {count}. Got: {len(array)}")


def values_of(outputs: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Returns the numbers that a signature's output is; arguments and errors as `classes_of`."""
    array = outputs[_OUTPUTS]
    if array.ndim != 1 and (array.ndim != 2 or array.shape[1] != 1):
        raise _invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(array)}"
        )
    if len(array) != count:
        raise _invalid(f"Input batch size did not match output batch size: {count} vs. {len(array)}")
    if tensors.data_type_of(array) != 1:
        raise _invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_type_of(array)}")
    return array.reshape(-1)


def write_classes(result: Any, classes: Classes) -> None:
    """Writes an answer into a ClassificationResult message."""
    for row in classes.pairs():
        added = result.classifications.add().classes
        for label, score in row:
            added.add(label=label.decode("utf-8", "replace"), score=score)


def write_regressions(result: Any, values: np.ndarray) -> None:
    """Writes an answer into a RegressionResult message."""
    for value in values.tolist():
        result.regressions.add(value=value)


def check_tasks(servable: Servable, tasks: Any) -> list[Signature]:
    """Returns the signature of each task of a MultiInferenceRequest.

    Raises:
        ServingError: where they do not belong together, or one cannot be answered.
    """
    signatures: dict[str, Signature] = {}
    for task in tasks:
        if not task.model_spec.name:
            raise _invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise _invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in signatures:
            raise _invalid(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signatures:
            raise _invalid(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _KINDS:
            raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}")
        signatures[name] = servable.signatures[name]
        check_signature(servable, signatures[name], task.method_name)
        if len({_input_tensor(signature.inputs) for signature in signatures.values()}) > 1:
            raise _invalid("Input tensor must be the same for all Signatures.")
    return list(signatures.values())


def _input_tensor(inputs: Mapping[str, Any]) -> str:
    return str(inputs[_INPUTS].tensor)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def _shape(array: np.ndarray) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"


def _type_name(data_type: int) -> str:
    return str(protos.types_pb2.DataType.Name(data_type))


def _type_of(array: np.ndarray) -> str:
    return _type_name(tensors.data_type_of(array))
