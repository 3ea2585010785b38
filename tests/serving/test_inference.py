"""Classify and Regress on outputs that are what they should be, and on those that are not."""

import asyncio
from typing import Any, cast

import numpy as np
import pytest
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving.errors import Code, ServingError
from serving.server import inference
from serving.server.running import Runner
from serving.server.servable import Call, Servable, Signature, TensorInfo

FLOATS, STRINGS = TensorInfo("a:0", 1, None), TensorInfo("b:0", 7, None)
EXAMPLES = np.array([b"one", b"two"], object)


class Answering:
    """Runs nothing: answers with the outputs that it is given."""

    def __init__(self, **outputs: Any) -> None:
        self._outputs = {name: np.asarray(value) for name, value in outputs.items()}

    async def execute(self, servable: Any, call: Call) -> dict[str, np.ndarray]:
        assert call.feeds == (("in", EXAMPLES),)
        return {key: self._outputs[key] for key in call.outputs}


class Model:
    """A servable of one signature, "s"."""

    def __init__(self, method: str, inputs: list[str], outputs: list[str]) -> None:
        found = Signature("s", method, dict.fromkeys(inputs, STRINGS), dict.fromkeys(outputs, FLOATS))
        self.signatures = {"s": found}
        self.signature_defs = {"s": SignatureDef(method_name=method)}

    def prepare(self, name: str, inputs: dict[str, np.ndarray], outputs: list[str]) -> Call:
        assert name == "s"
        return Call((("in", inputs["inputs"]),), tuple(outputs), tuple(outputs), name)


def signature_of(model: Model, method: str) -> Signature:
    return inference.signature_for(cast("Servable", model), "s", method)


def classify(**outputs: Any) -> inference.Classes:
    model = Model(inference.CLASSIFY, ["inputs"], list(outputs))
    runner = cast("Runner", Answering(**outputs))
    signature = signature_of(model, inference.CLASSIFY)
    return asyncio.run(inference.classify(runner, cast("Servable", model), signature, EXAMPLES))


def regress(outputs: Any) -> np.ndarray:
    model = Model(inference.REGRESS, ["inputs"], ["outputs"])
    runner = cast("Runner", Answering(outputs=outputs))
    signature = signature_of(model, inference.REGRESS)
    return asyncio.run(inference.regress(runner, cast("Servable", model), signature, EXAMPLES))


def floats(rows: Any) -> np.ndarray:
    return np.array(rows, np.float32)


def words(rows: Any) -> np.ndarray:
    return np.array(rows, object)


def test_labels_and_scores() -> None:
    found = classify(classes=words([[b"a", b"b"], [b"b", b"\xff"]]), scores=floats([[0.75, 0.25], [1, 0]]))
    assert found.pairs() == [[(b"a", 0.75), (b"b", 0.25)], [(b"b", 1.0), (b"\xff", 0.0)]]
    result = classification_pb2.ClassificationResult()
    inference.write_classes(result, found)
    assert [[one.label for one in row.classes] for row in result.classifications] == [["a", "b"], ["b", "\ufffd"]]


def test_either_alone() -> None:
    assert classify(scores=floats([[0.5], [2]])).pairs() == [[(b"", 0.5)], [(b"", 2.0)]]
    assert classify(classes=words([[b"a"], [b"b"]])).pairs() == [[(b"a", 0.0)], [(b"b", 0.0)]]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"scores": floats([1, 2])}, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ({"classes": words([b"a", b"b"])}, "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        ({"scores": np.zeros((2, 1))}, "Expected scores Tensor of DT_FLOAT. Got: DT_DOUBLE"),
        ({"classes": floats([[1], [2]])}, "Expected classes Tensor of DT_STRING. Got: DT_FLOAT"),
        ({"scores": floats([[1]])}, "Expected scores output batch size of 2. Got: 1"),
        ({"classes": words([[b"a"]])}, "Expected classes output batch size of 2. Got: 1"),
        (
            {"classes": words([[b"a"], [b"b"]]), "scores": floats([[1, 2], [3, 4]])},
            "Tensors class and score should match in dim_size(1). Got 1 vs. 2",
        ),
    ],
)
def test_outputs_that_are_no_classes(outputs: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ServingError) as raised:
        classify(**outputs)
    assert (raised.value.code, raised.value.message) == (Code.INVALID_ARGUMENT, message)


def test_regressions_as_a_column_or_a_row() -> None:
    result = regression_pb2.RegressionResult()
    inference.write_regressions(result, regress(floats([[1.5], [2.5]])))
    assert [one.value for one in result.regressions] == [1.5, 2.5]
    assert regress(floats([1.5, 2.5])).tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (floats([[1, 2], [3, 4]]), "to be either [batch_size] or [batch_size, 1] but got [2,2]"),
        (floats(1), "to be either [batch_size] or [batch_size, 1] but got []"),
        (floats([1, 2, 3]), "Input batch size did not match output batch size: 2 vs. 3"),
        (np.zeros(2, np.int64), "Expected output Tensor of DT_FLOAT.  Got: DT_INT64"),
    ],
)
def test_outputs_that_are_no_regressions(outputs: np.ndarray, message: str) -> None:
    with pytest.raises(ServingError) as raised:
        regress(outputs)
    assert raised.value.code is Code.INVALID_ARGUMENT
    assert message in raised.value.message


@pytest.mark.parametrize(
    ("method", "inputs", "outputs", "code", "message"),
    [
        ("classify", ["inputs", "more"], ["scores"], "INVALID_ARGUMENT", "Expected one input Tensor."),
        ("classify", ["x"], ["scores"], "FAILED_PRECONDITION", "No classification inputs found in SignatureDef: "),
        ("classify", ["inputs"], ["y"], "FAILED_PRECONDITION", 'at least one of "classes" or "scores". Signature'),
        ("classify", ["inputs"], ["a", "b", "c"], "INVALID_ARGUMENT", "one or two output Tensors, found 3"),
        ("regress", ["inputs"], ["outputs", "more"], "INVALID_ARGUMENT", "Expected one output Tensor."),
        ("regress", ["x"], ["outputs"], "FAILED_PRECONDITION", "No regression inputs found in SignatureDef: "),
        ("regress", ["inputs"], ["y"], "FAILED_PRECONDITION", "No regression outputs found in SignatureDef: "),
    ],
)
def test_signatures_that_do_not_do(method: str, inputs: list[str], outputs: list[str], code: str, message: str) -> None:
    method = f"tensorflow/serving/{method}"
    with pytest.raises(ServingError) as raised:
        signature_of(Model(method, inputs, outputs), method)
    assert raised.value.code.name == code
    assert message in raised.value.message


def test_the_context_is_merged_into_each_example() -> None:
    message = input_pb2.Input()
    batch = message.example_list_with_context
    batch.context.features.feature["a"].int64_list.value.append(1)
    batch.context.features.feature["b"].bytes_list.value.append(b"context")
    batch.examples.add().features.feature["b"].bytes_list.value.append(b"own")
    batch.examples.add()
    first, second = (Example.FromString(one).features.feature for one in inference.serialized(message))
    assert (list(first["a"].int64_list.value), list(first["b"].bytes_list.value)) == ([1], [b"own"])
    assert (list(second["a"].int64_list.value), list(second["b"].bytes_list.value)) == ([1], [b"context"])


def test_no_examples() -> None:
    empty = input_pb2.Input()
    context_only = input_pb2.Input()
    context_only.example_list_with_context.context.features.feature["a"].int64_list.value.append(1)
    for message in (empty, context_only):
        with pytest.raises(ServingError, match=r"Input is empty\."):
            inference.serialized(message)
