from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from ann_keras.task import Feature
from ann_keras.tasks import sequence_to_sequence
from pipelines.report import exported, gather
from tests.pipelines.report import example, tables


def test_the_leading_metric_comes_first():
    triple = SimpleNamespace(task=tables.task())
    found = gather._leading_first({"mae": 1.0, "r2": 0.5, "rmse": 2.0}, triple)
    assert list(found) == ["rmse", "mae", "r2"]
    curves = gather._leading_first({"loss": [1.0], "rmse": [2.0], "val_loss": [1.0], "val_rmse": [3.0]}, triple)
    assert list(curves.items())[1] == ("val_rmse", [3.0])
    assert list(curves) == ["rmse", "val_rmse", "loss", "val_loss"]


def test_the_columns_of_a_bounded_number_of_training_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "COLUMN_ROWS", 5)
    (tmp_path / "Split-train").mkdir()
    with tf.io.TFRecordWriter(f"{tmp_path}/Split-train/data.gz", tf.io.TFRecordOptions("GZIP")) as writer:
        for row in range(9):
            one = tf.train.Example()
            for name, value in (("age", 2.0 * row), ("label", float(row))):
                one.features.feature[name].float_list.value.append(value)
            one.features.feature["sex"].bytes_list.value.append(b"male" if row else b"")
            writer.write(one.SerializeToString())
    found = gather._columns(str(tmp_path), SimpleNamespace(task=tables.task()))
    assert [(column.name, column.kind, column.rows) for column in found] == [
        ("label", "target", 5), ("age", "number", 5), ("income", "number", 5), ("sex", "text", 5),
    ]  # fmt: skip
    assert [column.mean for column in found] == [2, 4, None, None]
    np.testing.assert_allclose([column.missing for column in found], [0, 0, 1, 0.2])


def test_images_have_no_columns(tmp_path):
    assert gather._columns(str(tmp_path), SimpleNamespace(task=example.task())) == []


def test_texts_that_are_answered_by_texts_have_no_columns(tmp_path):
    texts = {name: Feature(name, "text") for name in ("source", "target")}
    task = sequence_to_sequence.bind(texts, sequence_to_sequence.Config())
    assert gather._columns(str(tmp_path), SimpleNamespace(task=task)) == []


def test_a_wide_table_is_read_in_fewer_rows():
    assert [exported.bounded(20_000, width) for width in (10, 1000, 10**6)] == [20_000, 4000, 256]
