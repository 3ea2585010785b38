"""Tiny SavedModels of every sort, built once, and one embedded server over copies of them."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.process import ModelServer


def build_half_plus_two(folder: Path, plus: float = 2.0) -> None:
    """TensorFlow 2: y = x / 2 + 2."""
    import tensorflow as tf

    module = tf.Module()
    module.a, module.b = tf.Variable(0.5), tf.Variable(plus)
    function = tf.function(
        lambda x: {"y": module.a * x + module.b}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    tf.saved_model.save(module, str(folder), signatures=function)


def build_tf1(folder: Path) -> None:
    """TensorFlow 1: two inputs of different types, two signatures, a variable and a table with an asset."""
    import tensorflow as tf

    v1 = tf.compat.v1
    vocabulary = folder.parent / "vocabulary.txt"
    vocabulary.parent.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("cat\ndog\n", encoding="utf-8")
    with tf.Graph().as_default(), v1.Session() as session:
        count = v1.placeholder(tf.int64, [None], "count")
        weight = v1.placeholder(tf.float64, [None, 2], "weight")
        scale = v1.Variable(3.0, dtype=tf.float64)
        total = tf.cast(count, tf.float64) + scale * tf.reduce_sum(weight, 1)
        word = v1.placeholder(tf.string, [None], "word")
        init = tf.lookup.TextFileInitializer(
            str(vocabulary),
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        index = tf.lookup.StaticHashTable(init, -1).lookup(word)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        define = v1.saved_model.predict_signature_def
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": define({"count": count, "weight": weight}, {"total": total}),
                "lookup": define({"word": word}, {"index": index}),
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
            strip_default_attrs=True,
        )
        builder.save()
    vocabulary.unlink()


def build_text(folder: Path) -> None:
    """TensorFlow 2: strings in; strings, bytes, integers, booleans and floats out."""
    import tensorflow as tf

    module = tf.Module()

    def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
        length = tf.strings.length(text)
        return {
            "upper": tf.strings.upper(text),
            "raw_bytes": text,
            "length": length,
            "long": tf.cast(length, tf.int64) * 10_000_000_000,
            "is_empty": tf.equal(length, 0),
            "rates": tf.stack([1.0 / tf.cast(length, tf.float32), tf.cast(length, tf.float32) / 3.0], 1),
        }

    function = tf.function(answer, input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    tf.saved_model.save(module, str(folder), signatures=function)


def build_half_plus_two_examples(folder: Path) -> None:
    """TensorFlow 1: the model that TF Serving is tested with; y = x / 2 + 2, y2 = x / 2 + 3, y3 = x2 / 2 + 3."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, name="tf_example")
        feature = v1.FixedLenFeature([1], tf.float32)
        parsed = v1.parse_example(examples, {"x": feature, "x2": v1.FixedLenFeature([1], tf.float32, [0.0])})
        for one in parsed.values():
            one.set_shape([None, 1])
        x, x2 = tf.identity(parsed["x"], name="x"), tf.identity(parsed["x2"], name="x2")
        a, b, c = (v1.Variable(value, name=name) for name, value in (("a", 0.5), ("b", 2.0), ("c", 3.0)))
        y, y2, y3 = (
            tf.add(tf.multiply(a, one), plus, name=name)
            for name, one, plus in (("y", x, b), ("y2", x, c), ("y3", x2, c))
        )
        session.run(v1.global_variables_initializer())
        define, info = v1.saved_model.build_signature_def, v1.saved_model.build_tensor_info
        regress, classify, predict = (f"tensorflow/serving/{name}" for name in ("regress", "classify", "predict"))
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {
                "serving_default": define({"x": info(x)}, {"y": info(y)}, predict),
                "classify_x_to_y": define({"inputs": info(examples)}, {"scores": info(y)}, classify),
                "regress_x_to_y": define({"inputs": info(examples)}, {"outputs": info(y)}, regress),
                "regress_x_to_y2": define({"inputs": info(examples)}, {"outputs": info(y2)}, regress),
                "regress_x2_to_y3": define({"inputs": info(x2)}, {"outputs": info(y3)}, regress),
            },
        )
        builder.save()


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of base paths, never changed: half/1, half/2 (plus three), tf1/1, text/1, half_plus_two/123."""
    folder = tmp_path_factory.mktemp("saved_models")
    build_half_plus_two(folder / "half" / "1")
    build_half_plus_two(folder / "half" / "2", plus=3.0)
    build_tf1(folder / "tf1" / "1")
    build_text(folder / "text" / "1")
    build_half_plus_two_examples(folder / "half_plus_two" / "123")
    return folder


@pytest.fixture(scope="module")
def server(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """An embedded server of half (version 1), tf1 and text."""
    folder = tmp_path_factory.mktemp("base_paths")
    for name in ("half", "tf1", "text"):
        shutil.copytree(saved_models / name / "1", folder / name / "1")
    names = {name: folder / name for name in ("half", "tf1", "text")}
    with ModelServer(names, embedded=True, poll_seconds=0.1) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server: ModelServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.grpc_address) as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> Any:
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits for something to become true, 20 seconds at most."""

    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it never became true"
            time.sleep(0.02)

    return wait
