"""Classify and Regress through the embedded server, by a model made for them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving.client import Class, Code, ServingError
from serving.process import ModelServer
from tests.serving.peers import WAYS, opened


def build_scores(folder: Path) -> None:
    """A SavedModel of TensorFlow 1 whose `classify` and `regress` read `weight`, two floats, and `name`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    methods = v1.saved_model.signature_constants
    with tf.Graph().as_default(), v1.Session() as session:
        examples = v1.placeholder(tf.string, [None], "examples")
        read = {"weight": tf.io.FixedLenFeature([2], tf.float32), "name": tf.io.FixedLenFeature([], tf.string, "none")}
        features = tf.io.parse_example(examples, read)
        inputs = {methods.CLASSIFY_INPUTS: v1.saved_model.build_tensor_info(examples)}
        answers = {
            "classify": (
                methods.CLASSIFY_METHOD_NAME,
                {
                    "classes": tf.stack([features["name"], tf.strings.upper(features["name"])], 1),
                    "scores": features["weight"] / 3,
                },
            ),
            "regress": (methods.REGRESS_METHOD_NAME, {"outputs": tf.reduce_sum(features["weight"], 1) / 3}),
        }
        signatures = {
            name: v1.saved_model.build_signature_def(
                inputs, {key: v1.saved_model.build_tensor_info(value) for key, value in outputs.items()}, method
            )
            for name, (method, outputs) in answers.items()
        }
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    base = tmp_path_factory.mktemp("scores")
    build_scores(base / "1")
    with ModelServer({"scores": base}, embedded=True) as server:
        yield server


EXAMPLES = [{"weight": [1.0, 2.0], "name": "a"}, {"weight": np.array([0.5, 4], np.float32), "name": b"b"}]


@pytest.mark.parametrize("way", WAYS)
def test_classify(scoring: ModelServer, way: str) -> None:
    third, sixth = float(np.float32(1 / 3)), float(np.float32(0.5 / 3))
    with opened(way, scoring, "scores") as client:
        found = client.classify(EXAMPLES, signature_name="classify")
        assert found[0] == [Class("a", third), Class("A", float(np.float32(2 / 3)))]
        assert found[1] == [Class("b", sixth), Class("B", float(np.float32(4 / 3)))]
        # What all share stands in the context, what an example lacks has its default.
        assert client.classify([{}], "classify", version=1, context=EXAMPLES[0]) == found[:1]
        ((first, _),) = client.classify([{"weight": [1.0, 2.0]}], "classify")
        assert first == Class("none", third)


@pytest.mark.parametrize("way", WAYS)
def test_regress(scoring: ModelServer, way: str) -> None:
    with opened(way, scoring, "scores") as client:
        found = client.regress(EXAMPLES, signature_name="regress")
        assert found.dtype == np.float32
        assert found.tolist() == [1.0, 1.5]


@pytest.mark.parametrize("way", WAYS)
def test_what_the_model_refuses(scoring: ModelServer, way: str) -> None:
    with opened(way, scoring, "scores") as client:
        for example in ({"name": "a"}, {"weight": "a"}):
            with pytest.raises(ServingError) as raised:
                client.regress([example], "regress")
            assert raised.value.code == Code.INVALID_ARGUMENT
        with pytest.raises(ServingError):
            client.regress(EXAMPLES, "classify")
