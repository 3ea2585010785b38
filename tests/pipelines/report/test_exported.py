from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ann_keras.task import Task
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
