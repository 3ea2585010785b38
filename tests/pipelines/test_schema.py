"""Schema and evaluation, generated from the features of a task."""

from __future__ import annotations

import json

import pytest
from tensorflow_metadata.proto.v0 import schema_pb2

from ann_keras import registry
from ann_keras.task import Feature
from pipelines import schema


def task(**settings: str):
    return registry.resolve("linear", overrides=settings).task


def test_every_feature_is_present_once_with_its_type_and_domain() -> None:
    found = {feature.name: feature for feature in schema.schema(task()).feature}
    assert set(found) == {"image", "label"}
    assert found["image"].type == schema_pb2.BYTES and found["image"].HasField("image_domain")
    assert found["label"].type == schema_pb2.INT
    assert (found["label"].int_domain.min, found["label"].int_domain.max) == (0, 9)
    for feature in found.values():
        assert feature.presence.min_fraction == 1 and feature.presence.min_count == 1


def test_numbers_keep_their_shape() -> None:
    message = schema_pb2.Schema()
    schema._add(message, Feature("weights", "tensor", (3, 2)))
    (feature,) = message.feature
    assert feature.type == schema_pb2.FLOAT and [dim.size for dim in feature.shape.dim] == [3, 2]


def test_a_mask_is_bytes_whose_classes_are_no_whole_numbers() -> None:
    found = {feature.name: feature for feature in schema.schema(registry.resolve("unet").task).feature}
    assert set(found) == {"image", "mask"}
    assert found["mask"].type == schema_pb2.BYTES and found["mask"].HasField("image_domain")
    assert not found["mask"].HasField("int_domain")


def test_the_text_is_stable() -> None:
    assert schema.schema_text(task()) == schema.schema_text(task(epochs="3"))


def test_thresholds_and_slices() -> None:
    config = schema.eval_config(task(min_accuracy="0.75", max_accuracy_drop="0.125"))
    (spec,) = config.model_specs
    assert (spec.signature_name, spec.label_key, spec.prediction_key) == ("examples", "label", "probabilities")
    assert [list(one.feature_keys) for one in config.slicing_specs] == [[], ["label"]]
    metrics = {json.loads(m.config)["name"]: m for m in config.metrics_specs[0].metrics if m.config}
    assert metrics["accuracy"].class_name == "SparseCategoricalAccuracy"
    limits = metrics["accuracy"].threshold if metrics["accuracy"].HasField("threshold") else None
    if limits is None:
        (one,) = metrics["accuracy"].per_slice_thresholds
        limits = one.threshold
    assert limits.value_threshold.lower_bound.value == pytest.approx(0.75)
    assert limits.change_threshold.absolute.value == pytest.approx(-0.125)
    assert metrics["cross_entropy"].class_name == "SparseCategoricalCrossentropy"
