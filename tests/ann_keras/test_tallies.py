"""What is counted of answers, by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import estimates, tallies
from ann_keras.data import Split
from ann_keras.estimates import Gathered
from ann_keras.metrics import confusion
from ann_keras.metrics.segmentation import MeanIoU, PixelAccuracy
from ann_keras.tallies import Confusions, Kept

VOID = 255


def counted() -> Confusions:
    return Confusions([MeanIoU(2, name="mean_iou"), PixelAccuracy(2, name="pixel_accuracy")])


def kept(matrix: Sequence[Sequence[int]]) -> Kept:
    n = np.array(matrix)
    figures = {"mean_iou": confusion.mean_iou(n, np), "pixel_accuracy": confusion.pixel_accuracy(n, np)}
    return {"metrics": figures, "confusion": matrix}


def test_pixels_are_counted_over_batches_without_void() -> None:
    masks = np.array([[[0, 1]], [[1, 1]], [[0, VOID]]], np.uint8)
    answers = np.array([[[0, 0]], [[1, 0]], [[1, 1]]])
    records = tf.data.Dataset.from_tensor_slices({"image": np.eye(2, dtype=np.float32)[answers], "mask": masks})
    split = Split(records, lambda raw: {**raw, "weight": tf.ones(tf.shape(raw["mask"]))}, "mask")

    def model(inputs: dict[str, Any], training: bool) -> Any:
        assert not training
        return inputs["image"]

    found = counted().tested(model, split, 2)  # type: ignore[arg-type]
    assert json.loads(json.dumps(found))["confusion"] == [[1, 1], [2, 1]]
    # IoU 1 / (2 + 3 - 1) and 1 / (3 + 2 - 1)
    assert found["metrics"] == {"mean_iou": pytest.approx(0.25), "pixel_accuracy": pytest.approx(0.4)}


def test_the_pooled_figure_is_that_of_the_summed_matrices() -> None:
    gathered = Gathered(counted())
    gathered.add(kept([[8, 0], [0, 2]]))
    gathered.add(kept([[0, 0], [6, 4]]))
    found = gathered.k_fold(5).metrics
    # Sum [[8, 0], [6, 6]]: IoU 8 / 14 and 6 / 12; alone 1, 1 and 0, 4 / 10.
    assert found["mean_iou"].pooled == pytest.approx((8 / 14 + 6 / 12) / 2)
    assert found["mean_iou"].mean == pytest.approx((1 + 0.2) / 2)
    assert found["pixel_accuracy"].pooled == pytest.approx(14 / 20)
    assert gathered.leave_one_out(5).metrics["mean_iou"].pooled == found["mean_iou"].pooled


def test_no_information_pairs_every_pixel_with_every_answer() -> None:
    gathered = Gathered(counted())
    gathered.add(kept([[3, 1], [1, 3]]))
    found = gathered.bootstrap(4, kept([[5, 1], [0, 2]]), 0).metrics["pixel_accuracy"]
    # Six of eight pixels are of class 0, five are answered 0: a pair agrees with 6/8 5/8 + 2/8 3/8.
    assert found.no_information == pytest.approx(36 / 64)
    assert (found.mean, found.apparent) == (0.75, 0.875)
    assert found.point632 == pytest.approx(estimates.point632(0.875, 0.75))
    assert found.point632plus == pytest.approx(estimates.point632plus(0.875, 0.75, 36 / 64))


def test_the_pairs_of_pixels_are_those_of_single_examples() -> None:
    """The same figure as rotations of labels against answers give, of which there are as many as examples."""
    labels, answers = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0])
    pairs = tallies.Pairs([keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
    outputs = np.eye(2, dtype=np.float32)[answers]
    chance = pairs.no_information({"metrics": {}, "labels": labels, "outputs": outputs}, 0)
    pixels = counted().no_information(kept([[2, 1], [1, 0]]), 0)
    assert pixels["pixel_accuracy"] == pytest.approx(chance["accuracy"]) == pytest.approx(0.625)
