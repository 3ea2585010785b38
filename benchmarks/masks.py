"""What the benchmarks of segmentation share: judging a model as the Evaluator does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import data
from ann_keras.metrics import confusion
from ann_keras.registry import Triple


@dataclass(frozen=True)
class Judged:
    """A model on the rows of a split, at the images' own size.

    Attributes:
        counts: pixels by true class (rows) and answer, float64 [classes, classes].
        answers: the answered masks as PNGs, in the order of the rows; `truths` the true ones.
        seconds: that the answers and their judgement took.
    """

    counts: np.ndarray
    answers: list[bytes]
    truths: list[bytes]
    seconds: float

    @property
    def figures(self) -> dict[str, float]:
        """The "pixel_accuracy" and the "mean_iou"."""
        found = {name: getattr(confusion, name)(self.counts, np) for name in ("pixel_accuracy", "mean_iou")}
        return {name: float(value) for name, value in found.items()}

    @property
    def class_iou(self) -> list[float]:
        """The IoU of each class."""
        ious: list[float] = confusion.class_iou(self.counts, np).tolist()
        return ious


def judge(triple: Triple, loaded: data.Data, model: keras.Model, split: str = "test") -> Judged:
    """Answers the raw images of a split in the arithmetic of the exported signature "evaluate".

    Args:
        triple: of semantic segmentation.
        loaded: its data.
        model: trained on them.
        split: whose rows.
    """
    task, features = triple.task, (*triple.task.features, triple.task.label)
    count = task.evaluation.judge
    assert count is not None
    signature = {feature.name: tf.TensorSpec([None], tf.string) for feature in features}

    @tf.function(input_signature=[signature])
    def evaluate(raw: Any) -> Any:
        prepared = loaded.transform(raw)
        answers = task.answer(model, prepared)
        return count(answers, prepared)["confusion"], answers["mask_bytes"]

    started = time.perf_counter()
    counts, answered, truths = np.zeros(()), [], []
    for row in loaded.rows[split]:
        found, mask = evaluate({feature.name: tf.constant([row.values[feature.name]]) for feature in features})
        counts = counts + found.numpy().sum(0).astype(np.float64)
        answered.append(mask.numpy()[0])
        truths.append(row.values[task.label.name])
    return Judged(counts, answered, truths, time.perf_counter() - started)
