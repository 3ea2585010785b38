from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.task import Feature, Task
from ann_keras.tasks import sequence_to_sequence
from pipelines.report import exported as exported_module
from pipelines.report.exported import ROWS as ASKED
from pipelines.report.exported import Exported, records
from serving.export import parsing_spec
from tests.pipelines.report import tables

ROWS = ASKED + 7


class Doubling(tf.Module):
    """A model that answers twice the age, and whose inputs are the age alone."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)
        self.spec = parsing_spec(task.features)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "age"),
            tf.TensorSpec([None], tf.float32, "income"),
            tf.TensorSpec([None], tf.string, "sex"),
        ]
    )
    def serve(self, age, income, sex):
        return {"value": self.factor * age}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def prepare(self, examples):
        return {"features": tf.io.parse_example(examples, self.spec)["age"][:, tf.newaxis]}


def example(row: int, raw: dict[str, np.ndarray]) -> bytes:
    made = tf.train.Example()
    made.features.feature["age"].float_list.value.append(raw["age"][row])
    if not np.isnan(raw["income"][row]):  # an optional value may be left out
        made.features.feature["income"].float_list.value.append(raw["income"][row])
    made.features.feature["sex"].bytes_list.value.append(raw["sex"][row])
    made.features.feature["label"].float_list.value.append(row)
    made.features.feature["key"].bytes_list.value.append(f"row/{row}".encode())
    return made.SerializeToString()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    raw = tables.inputs(ROWS)
    (folder / "Split-test").mkdir()
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    for part, rows in enumerate((range(100), range(100, ROWS))):
        with tf.io.TFRecordWriter(f"{folder}/Split-test/data-0000{part}.gz", options) as writer:
            for row in rows:
                writer.write(example(row, raw))
    task = tables.task()
    model = Doubling(task)
    signatures = {"serving_default": model.serve, "transform_features": model.prepare}
    tf.saved_model.save(model, f"{folder}/model", signatures)
    return folder, raw, Exported(folder / "model", task)


def test_the_test_split_and_its_answers_in_the_order_of_the_files(written):
    folder, raw, exported = written
    found = exported.answered(str(folder), {"interval": 0.9})
    assert (found.keys[0], found.keys[-1], found.settings) == ("row/0", f"row/{ROWS - 1}", {"interval": 0.9})
    np.testing.assert_array_equal(found.labels, np.arange(ROWS))
    np.testing.assert_array_equal(found.answers["value"], 2 * raw["age"])
    for name, values in raw.items():
        np.testing.assert_array_equal(found.inputs[name], values)


def test_it_is_asked_about_other_rows_too(written):
    _, raw, exported = written
    turned = {**raw, "age": raw["age"][::-1]}
    np.testing.assert_array_equal(exported.ask(turned)["value"], 2 * raw["age"][::-1])
    assert exported.ask({name: values[:0] for name, values in raw.items()}) == {}


def test_what_the_graph_prepares(written):
    folder, raw, exported = written
    serialized = list(records(str(folder), "test").take(3).as_numpy_iterator())
    np.testing.assert_array_equal(exported.prepare(serialized)["features"], raw["age"][:3, np.newaxis])


class Spelling(tf.Module):
    """A model that answers the letters of each text, as many as the longest text of those it is asked at once."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "source")])
    def serve(self, source):
        letters = tf.strings.bytes_split(source).to_tensor("")
        return {"tokens": letters, "weights": tf.cast(letters != "", tf.float32)[:, tf.newaxis], "text": source}


def test_sequences_of_different_batches_are_filled_up(tmp_path, monkeypatch):
    monkeypatch.setattr(exported_module, "SEQUENCES", 2)
    monkeypatch.setattr(exported_module, "SEARCHED", 5)
    text = {name: Feature(name, "text") for name in ("source", "target")}
    task = sequence_to_sequence.bind(text, sequence_to_sequence.Config())
    model = Spelling()
    tf.saved_model.save(model, str(tmp_path / "model"), {"serving_default": model.serve})
    (tmp_path / "Split-test").mkdir()
    sources = [b"a", b"", b"abc", b"b", b"ab", b"beyond the most"]
    with tf.io.TFRecordWriter(f"{tmp_path}/Split-test/data.gz", tf.io.TFRecordOptions("GZIP")) as writer:
        for place, source in enumerate(sources):
            one = tf.train.Example()
            for name, value in (("source", source), ("target", source.upper()), ("key", f"{place}".encode())):
                one.features.feature[name].bytes_list.value.append(value)
            writer.write(one.SerializeToString())
    found = Exported(tmp_path / "model", task).answered(str(tmp_path), {})
    assert found.keys == ["0", "1", "2", "3", "4"]
    assert found.answers["text"].tolist() == sources[:5]
    assert found.labels.tolist() == [b"A", b"", b"ABC", b"B", b"AB"]
    assert [b"".join(row) for row in found.answers["tokens"]] == sources[:5]
    assert found.answers["tokens"].shape == (5, 3) and found.answers["weights"].shape == (5, 1, 3)
    assert found.answers["weights"].sum(axis=(1, 2)).tolist() == [1, 0, 3, 1, 2]
