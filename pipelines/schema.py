"""The TFX schema and TFMA's configuration, generated from a Task."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from ann_keras.task import Evaluation, Feature, Metric, Task

TYPES = {"string": schema_pb2.BYTES, "int64": schema_pb2.INT, "float32": schema_pb2.FLOAT}


def schema(task: Task) -> schema_pb2.Schema:
    """The schema of the task's raw features and label: every one present exactly once in every example."""
    message = schema_pb2.Schema()
    for feature in (*task.features, task.label):
        _add(message, feature)
    return message


def schema_text(task: Task) -> str:
    """The schema as a text proto, which is stable and so can be part of a cache key."""
    return text_format.MessageToString(schema(task))


def _add(message: schema_pb2.Schema, feature: Feature) -> None:
    shape = schema_pb2.FixedShape(dim=[{"size": size or 1} for size in feature.wire_shape])
    added = message.feature.add(
        name=feature.name, type=TYPES[feature.wire_dtype], shape=shape, presence={"min_fraction": 1.0, "min_count": 1}
    )
    if feature.kind in ("image", "mask"):
        added.image_domain.SetInParent()
    if feature.kind == "number" and not feature.optional:
        added.float_domain.CopyFrom(schema_pb2.FloatDomain(disallow_nan=True, disallow_inf=True))
    if feature.kind == "label" and feature.classes:
        added.int_domain.CopyFrom(schema_pb2.IntDomain(min=0, max=len(feature.classes) - 1, is_categorical=True))


def eval_config(task: Task) -> Any:
    """How TFMA judges the task: a tfma.EvalConfig with metrics by class name, slices and thresholds."""
    import tensorflow_model_analysis as tfma

    evaluation: Evaluation = task.evaluation
    raw = {feature.name for feature in (*task.features, task.label)}
    made = [name for name in evaluation.slices if name not in raw]
    metrics = [tfma.MetricConfig(class_name="ExampleCount")]
    metrics += [_metric(tfma, metric) for metric in evaluation.metrics]
    metrics += [tfma.MetricConfig(class_name=name) for name in evaluation.plots]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="evaluate" if evaluation.judge else "examples",
                label_key=task.label.name,
                prediction_key=evaluation.prediction,
                # Slices by what is no raw feature are made by the graph that prepares the inputs.
                preprocessing_function_names=["slices" if evaluation.judge else "transform_features"] if made else [],
            )
        ],
        slicing_specs=[tfma.SlicingSpec(), *(tfma.SlicingSpec(feature_keys=[name]) for name in evaluation.slices)],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def _metric(tfma: Any, metric: Metric) -> Any:
    """A metric, TFMA's or ours, with its thresholds on the whole split; TFMA would hold every slice to one that names
    no slice.
    """
    threshold = tfma.MetricThreshold()
    if metric.lower is not None:
        threshold.value_threshold.lower_bound.value = metric.lower
    if metric.upper is not None:
        threshold.value_threshold.upper_bound.value = metric.upper
    if metric.change is not None:
        change = threshold.change_threshold
        higher, lower = tfma.MetricDirection.HIGHER_IS_BETTER, tfma.MetricDirection.LOWER_IS_BETTER
        change.direction = higher if metric.higher_is_better else lower
        change.absolute.value = -metric.change if metric.higher_is_better else metric.change
    module, _, class_name = metric.tfma.rpartition(".")
    arguments = {"name": metric.name, **dict(metric.options)}
    config = tfma.MetricConfig(class_name=class_name, module=module, config=json.dumps(arguments))
    if threshold.ByteSize():
        config.per_slice_thresholds.add(slicing_specs=[tfma.SlicingSpec()], threshold=threshold)
    return config
