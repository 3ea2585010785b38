"""Warm-up requests: written by the export, read as TFRecords, answered before a version serves."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from serving import protos, tensors
from serving.errors import Code, ServingError
from serving.server import tfrecord, warmup
from serving.server.config import ModelConfig
from serving.server.servable import Servable
from serving.server.versions import Loader, Model


def predict_log(**inputs: Any) -> bytes:
    log = protos.prediction_log_pb2.PredictionLog()
    for name, value in inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(tensors.to_proto(np.asarray(value, np.float32)))
    return bytes(log.SerializeToString())


def write(folder: Path, *records: bytes) -> Path:
    import tensorflow as tf

    path = folder / warmup.REQUESTS_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


@pytest.fixture
def version(saved_models: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved_models / "half" / "1", tmp_path / "1")
    return tmp_path / "1"


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_records_are_those_that_tensorflow_writes(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("records")
    data = write(folder, *records).read_bytes()
    assert list(tfrecord.records(io.BytesIO(data), len(data))) == records


@given(st.binary(min_size=1, max_size=50), st.data())
def test_a_changed_or_missing_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, record: bytes, data: st.DataObject
) -> None:
    whole = write(tmp_path_factory.mktemp("records"), record).read_bytes()
    at = data.draw(st.integers(1, len(whole) - 1))
    if data.draw(st.booleans()):
        broken = whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    else:
        broken = whole[:at]
    with pytest.raises(ServingError, match=r"(corrupted|truncated) record at 0") as raised:
        list(tfrecord.records(io.BytesIO(broken), len(broken)))
    assert raised.value.code == Code.DATA_LOSS


def load(version: Path) -> Model:
    model = Model("half", ModelConfig(str(version.parent)))
    model.reconcile()
    return model


def test_every_request_is_answered_before_it_serves(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[Any] = []
    execute = Servable.execute

    def noted(self: Servable, call: Any) -> Any:
        answer = execute(self, call)
        answered.append(answer["y"].tolist())
        return answer

    monkeypatch.setattr(Servable, "execute", noted)
    write(version, predict_log(x=[2.0]), predict_log(x=[4.0, 6.0]))
    model = load(version)
    assert answered == [[3.0], [4.0, 5.0]]
    assert model.serves
    model.unload_all()


@pytest.mark.parametrize(
    ("records", "code", "text"),
    [
        ([predict_log(x=[1.0]), predict_log(wrong=[1.0])], Code.INVALID_ARGUMENT, "Signature input alias: x"),
        (
            [predict_log(x=[1.0])] * 1001,
            Code.INVALID_ARGUMENT,
            "Number of warmup records exceeds the maximum (1000) at",
        ),
        ([b"\xff" * 5], Code.INVALID_ARGUMENT, "Failed to parse warmup record"),
    ],
)
def test_a_failing_request_is_a_failure_to_load(version: Path, records: list[bytes], code: Code, text: str) -> None:
    write(version, *records)
    (status,) = load(version).statuses()
    assert (status.state, status.code) == ("END", code)
    assert text in status.message


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TensorFlow 1: a regress and a classify signature over tf.Examples with x."""
    import tensorflow as tf

    v1 = tf.compat.v1
    folder = tmp_path_factory.mktemp("methods") / "m" / "1"
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "examples")
        x = v1.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]
        regress = v1.saved_model.regression_signature_def(examples, x / 2 + 2)
        classify = v1.saved_model.classification_signature_def(examples, None, x)
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"regress": regress, "classify": classify})
        builder.save()
    return folder


def example_log(text: str) -> bytes:
    return bytes(text_format.Parse(text, protos.prediction_log_pb2.PredictionLog()).SerializeToString())


X = 'features { feature { key: "x" value { float_list { value: 4 } } } }'


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        (
            'regress_log { request { model_spec { signature_name: "regress" } '
            "input { example_list { examples { %s } } } } }",
            1,
        ),
        (
            'classify_log { request { model_spec { signature_name: "classify" } input { example_list_with_context { '
            "context { %s } examples { } examples { } } } } }",
            1,
        ),
        (
            'multi_inference_log { request { tasks { model_spec { name: "m" signature_name: "classify" } method_name: '
            '"tensorflow/serving/classify" } tasks { model_spec { name: "m" signature_name: "regress" } method_name: '
            '"tensorflow/serving/regress" } input { example_list { examples { %s } } } } }',
            2,
        ),
    ],
)
def test_every_kind_of_request(text: str, answered: int, methods: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    execute = Servable.execute

    def noted(self: Servable, call: Any) -> Any:
        runs.append(call)
        return execute(self, call)

    monkeypatch.setattr(Servable, "execute", noted)
    write(methods, example_log(text % X))
    model = load(methods)
    assert [status.state for status in model.statuses()] == ["AVAILABLE"]
    assert len(runs) == answered
    model.unload_all()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('regress_log { request { model_spec { signature_name: "classify" } } }', Code.INVALID_ARGUMENT, "method_name"),
        (
            'regress_log { request { model_spec { signature_name: "regress" } } }',
            Code.INVALID_ARGUMENT,
            "Input is empty",
        ),
        ("session_run_log { }", Code.UNIMPLEMENTED, "Unsupported log_type for warmup: 5"),
    ],
)
def test_requests_that_cannot_be_answered(text: str, code: Code, message: str, methods: Path) -> None:
    write(methods, example_log(text))
    (status,) = load(methods).statuses()
    assert status.code == code
    assert message in status.message


def test_a_file_of_another_format(version: Path) -> None:
    path = version / warmup.REQUESTS_FILE
    path.parent.mkdir()
    path.write_bytes(b"this is no TFRecord at all")
    (status,) = load(version).statuses()
    assert status.code == Code.DATA_LOSS
    assert status.message.endswith("Please verify your warmup data is in TFRecord format.")


def test_warm_up_can_be_left_out(version: Path) -> None:
    write(version, b"\xff" * 5)
    model = Model("half", ModelConfig(str(version.parent)), Loader(warms_up=False))
    model.reconcile()
    assert model.serves
    model.unload_all()
