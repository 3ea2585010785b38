"""Classification: assign to a row of a table one class of a fixed set, with a probability for each.

Maximum likelihood: of two classes under a Bernoulli distribution, which is the binary cross-entropy of one logit
(Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.2, eq. 4.90), of more under the softmax, the
categorical cross-entropy (section 4.3.4, eq. 4.108).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ann_keras.metrics.classification import BalancedAccuracy
from ann_keras.settings import setting
from ann_keras.task import Analyzers, Evaluation, Feature, Metric, Task, Tensors
from ann_keras.tasks import answers, tabular

DEFAULT_DATASET = "breast_cancer"
ROLES = {"label": "label"}
"""role -> kind that a dataset must have, beside columns of numbers or texts."""


@dataclass(frozen=True)
class Config(tabular.Columns):
    """Settings of the task."""

    class_weights: str = setting(
        "none",
        "weight of an example in the loss: one for all, or the inverse of its class's share, which moves probabilities"
        " away from the data's own",
        choices=("none", "balanced"),
    )
    min_balanced_accuracy: float | None = setting(
        None,
        "mean recall below which no model is blessed; none: a tenth above chance",
        low=0,
        high=1,
        stage="evaluation",
    )
    max_accuracy_drop: float = setting(
        0.02, "loss of accuracy against the last blessed model that passes", low=0, high=1, stage="evaluation"
    )


def missing_roles(features: Mapping[str, Feature]) -> list[str]:
    """The roles, with their kinds, that a dataset lacks for this task."""
    return tabular.missing_roles(features, ROLES["label"])


def bind(features: Mapping[str, Feature], config: Config) -> Task:
    """Returns the task for the columns and classes of a dataset.

    Args:
        features: the columns, and "label", with its classes.
        config: the settings.

    Raises:
        ValueError: where there are fewer than two classes, or a setting names a column that does not fit.
    """
    columns, label = tabular.columns_of(features), features["label"]
    tabular.check(columns, config)
    count = len(label.classes)
    if count < 2:
        raise ValueError(f"classification needs two classes or more, the data has {count}")
    lowest = config.min_balanced_accuracy
    lowest = answers.above_chance(count) if lowest is None else lowest
    judged = (
        Metric("accuracy", "SparseCategoricalAccuracy", change=config.max_accuracy_drop),
        Metric("cross_entropy", "SparseCategoricalCrossentropy", higher_is_better=False),
        Metric("balanced_accuracy", "pipelines.metrics.MeanRecall", lower=lowest),
    )
    slices = (tabular.LABEL, *tabular.slice_names(columns, config))
    return Task(
        name="classification",
        features=columns,
        label=label,
        inputs=(tabular.inputs(columns, config),),
        outputs=Feature(
            "logits", "tensor", (1 if count == 2 else count,), description="log-odds, or log-probabilities"
        ),
        preprocess=functools.partial(preprocess, columns=columns, config=config, count=count),
        compile_args=functools.partial(compile_args, count=count),
        postprocess=functools.partial(postprocess, classes=label.classes),
        evaluation=Evaluation(judged, prediction="probabilities", slices=slices),
    )


def preprocess(
    raw: Mapping[str, Any], analyzers: Analyzers, *, columns: tuple[Feature, ...], config: Config, count: int
) -> Tensors:
    """Turns a batch of columns into units.

    Args:
        raw: by column, as of `tabular.units`; in training also "label": int64 [batch].
        analyzers: give what the training split tells.
        columns: the features.
        config: the settings.
        count: the number of classes.

    Returns:
        "features": float32 [batch, units]; in training "label": int64 [batch, 1] of two classes, else [batch], and
        with class weights "weight": float32 [batch], N / (classes N_c) of its class, with mean 1 over the training
        split; the quarters that slices are made of.
    """
    features = tabular.units(raw, analyzers, columns, config)
    tensors = {"features": features, **tabular.slices(raw, analyzers, columns, config)}
    if "label" not in raw:
        return tensors
    tensors["label"] = raw["label"][:, tf.newaxis] if count == 2 else raw["label"]
    if config.class_weights == "balanced":
        shares = analyzers.mean(tf.one_hot(raw["label"], count), "class_shares")
        tensors["weight"] = tf.gather(tf.math.divide_no_nan(1.0, count * shares), raw["label"])
    return tensors


def compile_args(*, count: int) -> dict[str, Any]:
    """The loss and the metrics, fresh; two classes have one logit, that of the second.

    The loss that is reported also holds a model's penalties and the weights; the metric "cross_entropy" does not.
    """
    if count == 2:
        entropy: tuple[Any, Any] = (keras.losses.BinaryCrossentropy, keras.metrics.BinaryCrossentropy)
        accuracy: Any = keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)
    else:
        entropy = (keras.losses.SparseCategoricalCrossentropy, keras.metrics.SparseCategoricalCrossentropy)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    return {
        "loss": entropy[0](from_logits=True),
        "metrics": [accuracy, entropy[1](from_logits=True, name="cross_entropy"), BalancedAccuracy(count)],
    }


def postprocess(logits: Any, prepared: Tensors | None = None, *, classes: tuple[str, ...]) -> Tensors:
    """Names the answer.

    Args:
        logits: float32 [batch, 1], the log-odds of the second of two classes, or [batch, classes].
        prepared: not read.
        classes: the names.

    Returns:
        "label", "classes" and "probabilities", as of `answers.classes`.
    """
    logits = tf.cast(logits, tf.float32)
    if logits.shape[1] == 1:
        logits = tf.concat([tf.zeros_like(logits), logits], axis=1)
    return answers.classes(tf.nn.softmax(logits), classes)
