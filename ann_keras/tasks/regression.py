"""Regression: predict a number from the columns of a table, in its own unit, where asked for with an interval.

Maximum likelihood under Gaussian noise, t ~ N(g(x|w), sigma^2): with a fixed sigma it minimises the sum of squares
(Bishop 2006, Pattern Recognition and Machine Learning, section 5.2, eq. 5.14), with a sigma that the model gives for
each example the negative log-likelihood with both (Nix and Weigend 1994, Estimating the mean and variance of the target
probability distribution). The target is standardised by the training split's mean and deviation, and every figure and
answer is in its own unit.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ann_keras.losses.gaussian import GaussianLikelihood
from ann_keras.metrics import regression as metrics
from ann_keras.normal import deviation_of
from ann_keras.settings import setting
from ann_keras.task import Analyzers, Evaluation, Feature, Metric, Task, Tensors
from ann_keras.tasks import tabular

DEFAULT_DATASET = "diabetes"
ROLES = {"label": "number"}
"""role -> kind that a dataset must have, beside columns of numbers or texts."""


@dataclass(frozen=True)
class Config(tabular.Columns):
    """Settings of the task."""

    noise: str = setting(
        "fixed",
        "sigma of the Gaussian noise: one for all, or learned for each example, which gives intervals",
        choices=("fixed", "learned"),
        stage="training",
    )
    interval: float = setting(
        0.9, "share of the targets that an interval shall hold", low=0.01, high=0.999, stage="training"
    )
    min_r2: float = setting(
        0.0, "share of the variance explained below which no model is blessed", high=1, stage="evaluation"
    )
    max_r2_drop: float = setting(
        0.02, "loss of it against the last blessed model that passes", low=0, stage="evaluation"
    )


def missing_roles(features: Mapping[str, Feature]) -> list[str]:
    """The roles, with their kinds, that a dataset lacks for this task."""
    return tabular.missing_roles(features, ROLES["label"])


def bind(features: Mapping[str, Feature], config: Config) -> Task:
    """Returns the task for the columns of a dataset.

    Args:
        features: the columns, and "label", a number.
        config: the settings.

    Raises:
        ValueError: where a setting names a column that does not fit.
    """
    columns, label = tabular.columns_of(features), features["label"]
    tabular.check(columns, config)
    learned = config.noise == "learned"
    judged = [
        Metric("rmse", "pipelines.metrics.RootMeanSquaredError", higher_is_better=False),
        Metric("mae", "MeanAbsoluteError", higher_is_better=False),
        Metric("r2", "pipelines.metrics.R2", lower=config.min_r2, change=config.max_r2_drop),
    ]
    if learned:
        judged += [
            Metric("coverage", "pipelines.metrics.Coverage"),
            Metric("interval_width", "pipelines.metrics.IntervalWidth", higher_is_better=False),
        ]
    return Task(
        name="regression",
        features=columns,
        label=label,
        inputs=(tabular.inputs(columns, config),),
        outputs=Feature("normal", "tensor", (2 if learned else 1,), description="mean and log-variance, standardised"),
        preprocess=functools.partial(preprocess, columns=columns, config=config),
        compile_args=functools.partial(compile_args, learned=learned, interval=config.interval),
        postprocess=functools.partial(postprocess, interval=config.interval),
        evaluation=Evaluation(tuple(judged), prediction="value", slices=tabular.slice_names(columns, config)),
    )


def preprocess(
    raw: Mapping[str, Any], analyzers: Analyzers, *, columns: tuple[Feature, ...], config: Config
) -> Tensors:
    """Turns a batch of columns into units, and sets the target beside its scale.

    Args:
        raw: by column, as of `tabular.units`; in training also "label": float32 [batch].
        analyzers: give what the training split tells.
        columns: the features.
        config: the settings.

    Returns:
        "features": float32 [batch, units]; "scale": float32 [batch, 2], mean and deviation of the training split's
        targets, the same in every row; in training "label": float32 [batch, 3], the target in its own unit and its
        scale; the quarters that slices are made of.
    """
    target = raw.get("label")
    mean, variance = analyzers.moments(None if target is None else target[:, tf.newaxis], "label")
    deviation = tf.sqrt(tf.where(variance > 0, variance, tf.ones_like(variance)))
    features = tabular.units(raw, analyzers, columns, config)
    scale = tf.tile(tf.cast(tf.concat([mean, deviation], 0), tf.float32)[tf.newaxis], [tf.shape(features)[0], 1])
    tensors = {"features": features, "scale": scale, **tabular.slices(raw, analyzers, columns, config)}
    if target is not None:
        tensors["label"] = tf.concat([target[:, tf.newaxis], scale], axis=1)
    return tensors


def compile_args(*, learned: bool, interval: float) -> dict[str, Any]:
    """The loss, on the standardised target, and the metrics, in its own unit, fresh."""
    own = [metrics.RootMeanSquaredError(name="rmse"), metrics.MeanAbsoluteError(name="mae"), metrics.R2(name="r2")]
    if learned:
        width = quantile(interval)
        own += [metrics.Coverage(width, name="coverage"), metrics.IntervalWidth(width, name="interval_width")]
    return {"loss": GaussianLikelihood(), "metrics": own}


def quantile(interval: float) -> float:
    """How many deviations from the mean of a normal distribution hold the share `interval` of it."""
    return statistics.NormalDist().inv_cdf(0.5 + interval / 2)


def postprocess(outputs: Any, prepared: Tensors, *, interval: float) -> Tensors:
    """The answer in the target's own unit.

    Args:
        outputs: float32 [batch, 1], the standardised mean, or [batch, 2], mean and log-variance.
        prepared: "scale": float32 [batch, 2], mean and deviation of the targets.
        interval: the share of targets that lies between "low" and "high".

    Returns:
        "value": float32 [batch]; where the model gives its noise also "low" and "high": float32 [batch].
    """
    outputs = tf.cast(outputs, tf.float32)
    mean, deviation = prepared["scale"][:, 0], prepared["scale"][:, 1]
    value = outputs[:, 0] * deviation + mean
    if outputs.shape[1] == 1:
        return {"value": value}
    width = quantile(interval) * deviation_of(outputs) * deviation
    return {"value": value, "low": value - width, "high": value + width}
