"""The Evaluator's metrics of masks by hand, through TensorFlow Model Analysis's combiners and as it makes them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.pipelines.test_metrics import Element, measured

pytestmark = pytest.mark.slow


def of(name: str, elements: list[Element], **options: Any) -> float:
    from pipelines import mask_metrics

    return measured(name, elements, module=mask_metrics, **options)


# Together n = [[3, 1, 0], [2, 4, 0], [0, 0, 0]].
MATRICES = [
    Element(math.nan, confusion=np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]])),
    Element(math.nan, confusion=np.array([[[0, 1, 0], [1, 3, 0], [0, 0, 0]]])),  # with an axis for the example
    Element(math.nan, confusion=np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]])),
]


def test_of_all_pixels_together() -> None:
    assert of("PixelAccuracy", MATRICES) == pytest.approx(7 / 10)
    assert of("MeanAccuracy", MATRICES) == pytest.approx((3 / 4 + 4 / 6) / 2)
    assert of("MeanIoU", MATRICES) == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert of("FrequencyWeightedIoU", MATRICES) == pytest.approx((4 * 3 / 6 + 6 * 4 / 7) / 10)


def test_of_one_class() -> None:
    assert of("ClassIoU", MATRICES, index=0) == pytest.approx(3 / 6)
    assert of("ClassIoU", MATRICES, index=1) == pytest.approx(4 / 7)
    assert math.isnan(of("ClassIoU", MATRICES, index=2))


def test_more_pixels_than_32_bits_count() -> None:
    many = [Element(math.nan, confusion=np.array([[2**40, 0], [2**40, 1]])) for _ in range(2)]
    assert of("PixelAccuracy", many) == pytest.approx((2**41 + 2) / (2**42 + 2), rel=1e-12)


# Of each class: answered, answered near a true one, true, true near an answered one.
BOUNDARIES = [
    Element(math.nan, boundary=np.array([[4, 4, 4, 4], [10, 5, 4, 3], [0, 0, 0, 0]], "float32")),
    Element(math.nan, boundary=np.array([[[8, 2, 4, 1], [0, 0, 6, 0], [0, 0, 0, 0]]], "float32")),
]


def test_boundary_f1_by_hand() -> None:
    """Class 0: 1 and P = R = 1/4; class 1: P = 1/2 and R = 3/4 give 3/5, and 0; class 2 has no boundary anywhere."""
    assert of("BoundaryF1", BOUNDARIES) == pytest.approx(((1 + 1 / 4) / 2 + (3 / 5 + 0) / 2) / 2)


def test_an_image_counts_for_the_classes_whose_boundary_it_has() -> None:
    lacking = Element(math.nan, boundary=np.array([[4, 4, 4, 4], [0, 0, 0, 0], [0, 0, 0, 0]], "float32"))
    assert of("BoundaryF1", [BOUNDARIES[0], lacking]) == pytest.approx((1 + 3 / 5) / 2)


def test_of_nothing() -> None:
    empty = Element(math.nan, boundary=np.zeros((2, 4)), confusion=np.zeros((2, 2), np.int64))
    assert math.isnan(of("BoundaryF1", [empty]))
    assert of("MeanIoU", [empty]) == 0
    assert math.isnan(of("MeanIoU", []))


def test_the_evaluator_finds_every_metric_of_the_task() -> None:
    """By module, class and options, as the configuration names them."""
    import importlib
    import json

    from ann_keras import registry
    from pipelines import schema

    task = registry.resolve("unet").task
    config = schema.eval_config(task)
    (spec,) = config.model_specs
    assert (spec.signature_name, spec.label_key, spec.prediction_key) == ("evaluate", "mask", "confusion")
    assert list(spec.preprocessing_function_names) == ["slices"]
    assert [list(one.feature_keys) for one in config.slicing_specs] == [[], ["contains"]]
    made = {}
    for metric in config.metrics_specs[0].metrics:
        if metric.module:
            arguments = json.loads(metric.config)
            made[arguments["name"]] = getattr(importlib.import_module(metric.module), metric.class_name)(**arguments)
    assert list(made) == [metric.name for metric in task.evaluation.metrics]
    assert [name for name in made if name.startswith("iou_")] == ["iou_ground", "iou_disc", "iou_box", "iou_triangle"]
