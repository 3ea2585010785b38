"""Image classification: assign to an image one label of a fixed set of categories, with a probability for each.

Minimises the categorical cross-entropy, which is the negative log-likelihood of the labels under the softmax of the
logits (Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.4, eq. 4.108).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ann_keras.datasets import images
from ann_keras.settings import setting
from ann_keras.task import Analyzers, Evaluation, Feature, Metric, Task, Tensors
from ann_keras.tasks import answers

DEFAULT_DATASET = "digits"
ROLES = {"image": "image", "label": "label"}
"""role -> kind that a dataset must have."""
SIZE_WHERE_IT_VARIES = (64, 64)


@dataclass(frozen=True)
class Config:
    """Settings of the task."""

    image_size: tuple[int, ...] = setting(
        (), "height,width that images are resized to; empty: the data's own, or 64,64 where it varies", low=1, high=4096
    )
    standardize: bool = setting(True, "subtract the training split's mean and divide by its deviation, per channel")
    augment: str = setting("none", "training only", choices=("none", "flip", "affine", "affine_flip"), stage="training")
    distortion: float = setting(
        0.1,
        "largest random shift as a share of the side, change of scale, and shear",
        low=0,
        high=0.5,
        stage="training",
    )
    min_accuracy: float | None = setting(
        None, "accuracy below which no model is blessed; none: a tenth above chance", low=0, high=1, stage="evaluation"
    )
    max_accuracy_drop: float = setting(
        0.02, "loss against the last blessed model that passes", low=0, high=1, stage="evaluation"
    )


def missing_roles(features: Mapping[str, Feature]) -> list[str]:
    """The roles, with their kinds, that a dataset lacks for this task."""
    return [f"{role} ({kind})" for role, kind in ROLES.items() if role not in features or features[role].kind != kind]


def bind(features: Mapping[str, Feature], config: Config) -> Task:
    """Returns the task for the images and classes of a dataset.

    Args:
        features: the dataset's "image" (shape (height, width, channels), None where it varies) and "label" (with
            classes).
        config: the settings.

    Raises:
        ValueError: where `image_size` is not two numbers, or there are fewer than two classes.
    """
    image, label = features["image"], features["label"]
    if len(config.image_size) not in (0, 2):
        raise ValueError(f"image_size={config.image_size!r}: expected height,width")
    if len(label.classes) < 2:
        raise ValueError(f"image classification needs two classes or more, the data has {len(label.classes)}")
    height, width, channels = image.shape
    if config.image_size:
        height, width = config.image_size
    elif height is None or width is None:
        height, width = SIZE_WHERE_IT_VARIES
    shape = (height, width, channels or 3)
    classes = label.classes
    lowest = config.min_accuracy if config.min_accuracy is not None else answers.above_chance(len(classes))
    accuracy = Metric("accuracy", "SparseCategoricalAccuracy", lower=lowest, change=config.max_accuracy_drop)
    return Task(
        name="image_classification",
        features=(image,),
        label=label,
        inputs=(Feature("image", "tensor", shape, description="pixels, standardised per channel or in [0, 1]"),),
        outputs=Feature("logits", "tensor", (len(classes),), description="unnormalised log-probabilities"),
        preprocess=functools.partial(preprocess, shape=shape, standardize=config.standardize),
        compile_args=compile_args,
        postprocess=functools.partial(postprocess, classes=classes),
        evaluation=Evaluation(
            metrics=(accuracy, Metric("cross_entropy", "SparseCategoricalCrossentropy", higher_is_better=False)),
            prediction="probabilities",
            slices=("label",),
        ),
        augment=_augmentation(config),
    )


def _augmentation(config: Config) -> Callable[[Tensors, Any], Tensors] | None:
    if config.augment == "none":
        return None
    return functools.partial(augment, kind=config.augment, distortion=config.distortion)


def preprocess(
    raw: Mapping[str, Any], analyzers: Analyzers, *, shape: tuple[int, int, int], standardize: bool
) -> Tensors:
    """Decodes, resizes and standardises a batch.

    Args:
        raw: "image": string [batch], encoded; in training also "label": int64 [batch].
        analyzers: give the training split's mean pixel and mean squared pixel.
        shape: height, width and channels of the answer.
        standardize: whether each channel gets mean 0 and variance 1 over the training split.

    Returns:
        "image": float32 [batch, height, width, channels]; "label" as it came.
    """
    image = images.decode(raw["image"], *shape)
    if standardize:
        moments = tf.concat([tf.reduce_mean(image, (1, 2)), tf.reduce_mean(image**2, (1, 2))], axis=-1)
        mean, mean_square = tf.split(analyzers.mean(moments, "image_moments"), 2)
        deviation = tf.sqrt(tf.maximum(mean_square - mean**2, 1e-6))
        image = (image - mean) / deviation
    tensors = {"image": image}
    if "label" in raw:
        tensors["label"] = raw["label"]
    return tensors


def augment(inputs: Tensors, seed: Any, *, kind: str, distortion: float) -> Tensors:
    """Distorts and mirrors each image of a batch at random.

    The distortions are the planar affine ones of LeCun et al. 1998, section III.B: translation, scaling, squeezing and
    horizontal shearing.

    Args:
        inputs: "image": float32 [batch, height, width, channels]; other entries pass through.
        seed: int32 [2]; the same seed gives the same answer.
        kind: "flip", "affine" or "affine_flip".
        distortion: largest shift as a share of height and width, change of scale, and shear. Interpolated bilinearly;
            what comes in from outside repeats the edge.
    """
    image = inputs["image"]
    batch = tf.shape(image)[0]
    seeds = tf.random.split(seed, 2)
    if "flip" in kind:
        mirrored = tf.random.stateless_uniform([batch, 1, 1, 1], seeds[0]) < 0.5
        image = tf.where(mirrored, tf.reverse(image, [2]), image)
    if "affine" in kind:
        drawn = tf.random.stateless_uniform([batch, 5], seeds[1], -distortion, distortion)
        image = distort(image, *tf.unstack(drawn, axis=1))
    return {**inputs, "image": image}


def distort(image: Any, right: Any, down: Any, wider: Any, higher: Any, shear: Any) -> Any:
    """Moves each image's content by an affine map around the image's centre.

    Args:
        image: float32 [batch, height, width, channels].
        right, down: float32 [batch], shift of the window over the content, as a share of width and height.
        wider, higher: float32 [batch], relative growth of the window.
        shear: float32 [batch], columns that the window moves to the right for each row down.

    Returns:
        float32 [batch, height, width, channels].
    """
    height, width = image.shape[1:3]
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = tf.zeros_like(right)
    # A pixel (x, y) of the answer is read at (a0 x + a1 y + a2, b0 x + b1 y + b2).
    from_x = [1 + wider, shear, right * width - wider * x - shear * y]
    from_y = [zero, 1 + higher, down * height - higher * y]
    transforms = tf.stack([*from_x, *from_y, zero, zero], axis=1)
    return keras.ops.image.affine_transform(image, transforms, interpolation="bilinear", fill_mode="nearest")


def compile_args() -> dict[str, Any]:
    """The loss and the metrics, fresh: cross-entropy of the softmax of the logits, and accuracy.

    The loss that is reported also holds a model's penalties; the metric "cross_entropy" does not.
    """
    return {
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": [
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="cross_entropy"),
        ],
    }


def postprocess(logits: Any, prepared: Tensors | None = None, *, classes: tuple[str, ...]) -> Tensors:
    """Names the answer.

    Args:
        logits: float32 [batch, classes].
        prepared: not read.
        classes: the names, in the order of the logits.

    Returns:
        "label": string [batch], the most probable class; "classes": string [batch, classes], all names;
        "probabilities": float32 [batch, classes] in [0, 1], in the same order.
    """
    return answers.classes(tf.nn.softmax(tf.cast(logits, tf.float32)), classes)
