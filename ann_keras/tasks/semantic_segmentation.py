"""Semantic segmentation: assign to every pixel of an image one class of a fixed set; the answer is a mask of its size.

Minimises the cross-entropy of the softmax of the logits over the pixels that are not void, each with a weight w(x)
(Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation, section 3.4; Ronneberger,
Fischer and Brox 2015, U-Net, section 3, eq. 1 and 2).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

from ann_keras.datasets import images, masks
from ann_keras.datasets.tables import identifiers
from ann_keras.layers.receptive_field import receptive_field
from ann_keras.losses.segmentation import PixelCrossEntropy
from ann_keras.metrics import segmentation as metrics
from ann_keras.models.segmentation.fcn import heat_map
from ann_keras.models.segmentation.stitching import shift_and_stitch
from ann_keras.settings import setting
from ann_keras.task import VOID, Analyzers, Evaluation, Feature, Metric, Task, Tensors
from ann_keras.tasks import judging, pixel_augmentation, tiling
from ann_keras.weight_map import weight_map

DEFAULT_DATASET = "shapes"
ROLES = {"image": "image", "mask": "mask"}
"""role -> kind that a dataset must have."""
SIZE_WHERE_IT_VARIES = (128, 128)


@dataclass(frozen=True)
class Config:
    """Settings of the task."""

    image_size: tuple[int, ...] = setting(
        (),
        "height,width that images are resized to, and answers back from; empty: their own scale, or 128,128 where sizes"
        " vary",
        low=1,
        high=4096,
    )
    standardize: bool = setting(True, "subtract the training split's mean and divide by its deviation, per channel")
    class_weights: str = setting(
        "none",
        "w_c of each pixel in the loss: inverse to its class's share of the pixels, or the median share over it",
        choices=("none", "inverse", "median"),
    )
    weight_map: bool = setting(False, "U-Net's weight of the background between cells", stage="training")
    w0: float = setting(10.0, "its height", low=0, high=1e3, stage="training")
    sigma: float = setting(5.0, "its width in pixels", low=0.1, high=1e3, stage="training")
    cells: tuple[str, ...] = setting((), "classes that form its cells; empty: all but the first", stage="training")
    augment: str = setting(
        "none", "mirrored at random, or one of the square's 8 symmetries", choices=pixel_augmentation.KINDS,
        stage="training",
    )  # fmt: skip
    elastic: float = setting(0.0, "deviation in pixels of smooth random displacements", low=0, high=200,
                             stage="training")  # fmt: skip
    elastic_grid: int = setting(3, "points of their grid along a side", low=2, high=64, stage="training")
    rotation: float = setting(0.0, "largest random turn in degrees", low=0, high=180, stage="training")
    scale: float = setting(0.0, "largest random change of scale", low=0, high=0.9, stage="training")
    brightness: float = setting(0.0, "largest random gain and offset, in deviations", low=0, high=1, stage="training")
    crop: int | None = setting(
        None, "side in pixels of the random window that a step sees; none: the whole image", low=1, stage="training"
    )
    pixel_share: float = setting(1.0, "share of the pixels, drawn anew, that a step learns from", low=1e-4, high=1,
                                 stage="training")  # fmt: skip
    patches: int = setting(
        0, "patches of each image that a step learns the centres of; 0: whole images", low=0, stage="training"
    )
    patch_size: int = setting(32, "their side in pixels", low=1, stage="training")
    balance: str = setting("none", "whether their centres are drawn alike from the classes",
                           choices=pixel_augmentation.BALANCES, stage="training")  # fmt: skip
    inference: str = setting(
        "tiles", "how an image is answered: in overlapping tiles, or by shift-and-stitch of the heat map",
        choices=("tiles", "shift_and_stitch"), stage="training",
    )  # fmt: skip
    tile: int = setting(512, "side in pixels of what is answered at a time; bounds the memory", low=16,
                        stage="training")  # fmt: skip
    boundary_tolerance: float = setting(
        0.0075, "how far apart boundaries may lie, as a share of the diagonal", low=0, high=0.2, stage="training"
    )
    min_mean_iou: float | None = setting(
        None, "mean IoU below which no model is blessed; none: 1 / classes, which no constant answer exceeds", low=0,
        high=1, stage="evaluation",
    )  # fmt: skip
    max_mean_iou_drop: float = setting(
        0.02, "loss against the last blessed model that passes", low=0, high=1, stage="evaluation"
    )


def missing_roles(features: Mapping[str, Feature]) -> list[str]:
    """The roles, with their kinds, that a dataset lacks for this task."""
    return [f"{role} ({kind})" for role, kind in ROLES.items() if role not in features or features[role].kind != kind]


def check(model: ModuleType, config: Config, model_config: Any) -> None:
    """Raises a ValueError where a setting wants what the model's module does not have."""
    if config.inference == "shift_and_stitch" and not hasattr(model, "heat_map"):
        name = model.__name__.rsplit(".", 1)[1]
        raise ValueError(f"inference='shift_and_stitch': {name} has no coarse heat map; fcn32s, fcn16s and fcn8s have")


def bind(features: Mapping[str, Feature], config: Config) -> Task:
    """Returns the task for the images and masks of a dataset.

    Args:
        features: the dataset's "image" (shape (height, width, channels), None where it varies) and "mask" (with
            classes).
        config: the settings.

    Raises:
        ValueError: where a setting does not fit the data, or there are fewer than two classes.
    """
    image, mask = features["image"], features["mask"]
    _check(mask.classes, config)
    height, width, channels = image.shape
    resized = config.image_size or (SIZE_WHERE_IT_VARIES if None in (height, width) else ())
    shape = (*(resized or (height, width)), channels or 3)
    count = len(mask.classes)
    return Task(
        name="semantic_segmentation",
        features=(image,),
        label=mask,
        inputs=(Feature("image", "tensor", (None, None, shape[-1]), description="pixels, standardised or in [0, 1]"),),
        outputs=Feature("logits", "tensor", (None, None, count), description="unnormalised log-probabilities"),
        preprocess=functools.partial(preprocess, shape=shape, classes=mask.classes, config=config),
        compile_args=functools.partial(compile_args, classes=count),
        postprocess=functools.partial(postprocess, classes=mask.classes),
        evaluation=_evaluation(mask.classes, config),
        augment=_augmentation(config),
        ask=functools.partial(ask, channels=shape[-1], size=tuple(resized), classes=count, config=config),
        weigh=_weighing(mask.classes, config),
    )


def _check(classes: tuple[str, ...], config: Config) -> None:
    if len(config.image_size) not in (0, 2):
        raise ValueError(f"image_size={config.image_size!r}: expected height,width")
    if len(classes) < 2:
        raise ValueError(f"semantic segmentation needs two classes or more, the masks have {len(classes)}")
    unknown = [name for name in config.cells if name not in classes]
    if unknown:
        raise ValueError(f"cells={unknown[0]!r}: the classes are {', '.join(classes)}")
    if config.patches and config.crop:
        raise ValueError(f"patches={config.patches} with crop={config.crop}: a step sees patches or a window, not both")


def _evaluation(classes: tuple[str, ...], config: Config) -> Evaluation:
    lowest = 1 / len(classes) if config.min_mean_iou is None else config.min_mean_iou
    path = "pipelines.mask_metrics"
    each = [
        Metric(f"iou_{name}", f"{path}.ClassIoU", options=(("index", index),))
        for index, name in enumerate(identifiers(classes))
    ]
    return Evaluation(
        metrics=(
            Metric("mean_iou", f"{path}.MeanIoU", lower=lowest, change=config.max_mean_iou_drop),
            Metric("pixel_accuracy", f"{path}.PixelAccuracy"),
            Metric("mean_accuracy", f"{path}.MeanAccuracy"),
            Metric("frequency_weighted_iou", f"{path}.FrequencyWeightedIoU"),
            Metric("boundary_f1", f"{path}.BoundaryF1"),
            *each,
        ),
        prediction="confusion",
        slices=("contains",),
        judge=functools.partial(judge, classes=len(classes), tolerance=config.boundary_tolerance),
    )


def _augmentation(config: Config) -> Callable[[Tensors, Any], Tensors] | None:
    asked: dict[str, Any] = {name: getattr(config, name) for name in AUGMENTATIONS}
    idle = Config()
    if all(value == getattr(idle, name) for name, value in asked.items()):
        return None
    more: dict[str, Any] = {name: getattr(config, name) for name in ("elastic_grid", "patch_size", "balance")}
    return functools.partial(pixel_augmentation.augment, kind=asked.pop("augment"), **asked, **more)


AUGMENTATIONS = ("augment", "elastic", "rotation", "scale", "brightness", "crop", "pixel_share", "patches")
"""Settings that each switch on something of `pixel_augmentation.augment`."""


def _weighing(classes: tuple[str, ...], config: Config) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    if not config.weight_map:
        return None
    return functools.partial(weight_map, foreground=cells_of(classes, config.cells), w0=config.w0, sigma=config.sigma)


def cells_of(classes: Sequence[str], named: Sequence[str]) -> tuple[int, ...]:
    """The indices of the classes that form the cells of the weight map: those that are named, or all but the first."""
    return tuple(classes.index(name) for name in named) or tuple(range(1, len(classes)))


def preprocess(
    raw: Mapping[str, Any],
    analyzers: Analyzers,
    *,
    shape: tuple[int, int, int],
    classes: tuple[str, ...],
    config: Config,
) -> Tensors:
    """Decodes, resizes and standardises a batch.

    Args:
        raw: "image": string [batch], encoded; in training also "mask": string [batch], canonical masks.
        analyzers: give the training split's mean pixel, mean squared pixel and shares of the classes.
        shape: height, width and channels of the network's input in training.
        classes: the names.
        config: the settings.

    Returns:
        "image": float32 [batch, height, width, channels]; "encoded": string [batch], the image as it came; "moments":
        float32 [batch, 2 channels], what was subtracted and divided by, the same in every row. In training also "mask":
        int64 [batch, height, width]; "truth": string [batch], the mask as it came; "contains": string [batch, classes],
        the names of the classes that it holds, the largest one's in the place of others; "weight": float32 [batch,
        height, width], w_c, where there are class weights.
    """
    image = images.decode(raw["image"], *shape)
    moments = _moments(image, analyzers) if config.standardize else tf.constant([0.0] * shape[2] + [1.0] * shape[2])
    mean, deviation = tf.split(moments, 2)
    tensors = {
        "image": (image - mean) / deviation,
        "encoded": tf.identity(raw["image"]),
        "moments": tf.tile(moments[tf.newaxis], [tf.shape(image)[0], 1]),
    }
    if "mask" in raw:
        mask = masks.decode(raw["mask"], *shape[:2])
        shares = _shares(mask, len(classes))
        # Of whole numbers Transform knows 64 bits alone; `data.view` makes bytes of them again.
        tensors |= {
            "mask": tf.cast(mask, tf.int64),
            "truth": tf.identity(raw["mask"]),
            "contains": _contained(shares, classes),
        }
        if config.class_weights != "none":
            tensors["weight"] = class_weights_of(mask, analyzers.mean(shares, "class_shares"), config.class_weights)
    return tensors


def _moments(image: Any, analyzers: Analyzers) -> Any:
    """Mean and deviation of each channel over the training split, float32 [2 channels]."""
    powers = tf.concat([tf.reduce_mean(image, (1, 2)), tf.reduce_mean(image**2, (1, 2))], axis=-1)
    mean, mean_square = tf.split(analyzers.mean(powers, "image_moments"), 2)
    return tf.concat([mean, tf.sqrt(tf.maximum(mean_square - mean**2, 1e-6))], 0)


def _shares(mask: Any, classes: int) -> Any:
    """The share of an image's pixels that each class has, float32 [batch, classes]."""
    pixels = tf.reshape(mask, [tf.shape(mask)[0], mask.shape[1] * mask.shape[2]])
    each = [tf.reduce_mean(tf.cast(tf.equal(pixels, index), tf.float32), axis=1) for index in range(classes)]
    return tf.stack(each, axis=1)


def _contained(shares: Any, classes: tuple[str, ...]) -> Any:
    """The names of classes with a share, string [batch, classes]; the largest one's in place of those without."""
    names = tf.constant(classes)
    largest = tf.gather(names, tf.argmax(shares, axis=1))
    return tf.where(shares > 0, names[tf.newaxis], largest[:, tf.newaxis])


def class_weights_of(mask: Any, shares: Any, kind: str) -> Any:
    """w_c of every pixel: 1 / (classes share), or the median share over the class's (Eigen and Fergus 2015, Predicting
    depth, surface normals and semantic labels, section 6.1, here of all pixels); 0 of void, and of no class below 1/100
    of the mean share.
    """
    count = shares.shape[0]
    middle = tf.sort(shares)[count // 2] if kind == "median" else tf.constant(1 / count)
    weights = middle / tf.maximum(shares, 0.01 / count)
    return tf.gather(tf.concat([weights, tf.zeros([VOID + 1 - count])], 0), tf.cast(mask, tf.int32))


def compile_args(*, classes: int) -> dict[str, Any]:
    """The loss and the metrics, fresh; the metrics are those of the network's own grid, and read no weights."""
    return {
        "loss": PixelCrossEntropy(),
        "metrics": [
            metrics.MeanIoU(classes, name="mean_iou"),
            metrics.PixelAccuracy(classes, name="pixel_accuracy"),
            metrics.MeanAccuracy(classes, name="mean_accuracy"),
            metrics.FrequencyWeightedIoU(classes, name="frequency_weighted_iou"),
        ],
    }


def ask(
    model: Any, prepared: Tensors, *, channels: int, size: tuple[int, ...], classes: int, config: Config
) -> Tensors:
    """Answers images of any size, one after the other.

    Args:
        model: image -> logits, of any height and width.
        prepared: "encoded" and "moments", as of `preprocess`.
        channels: of the network's input.
        size: height and width that the network sees every image at; () for its own.
        classes: their number.
        config: the settings.

    Returns:
        "mask_bytes": string [batch], a PNG of each image's own size; "pixels": int32 [batch, classes], how many it has
        of each class.
    """
    logits_of, margin, stride = _network(model, config)

    def one(item: tuple[Any, Any]) -> tuple[Any, Any]:
        image, (mean, deviation) = images.pixels_of(item[0]), tf.split(item[1], 2)
        height, width = tf.unstack(tf.shape(image)[:2])

        def standardised(pixels: Any) -> Any:
            return (pixels - mean) / deviation

        if size:
            seen = standardised(_resized(images.with_channels(image, channels), *size))
            found = tiling.enlarged(logits_of(seen[tf.newaxis])[0], height, width)
        else:
            prepare = functools.partial(_prepared, channels=channels, standardised=standardised)
            found = tiling.in_tiles(logits_of, image, prepare, config.tile, margin, stride)
        counts = tf.math.bincount(tf.cast(found, tf.int32), minlength=classes, maxlength=classes)
        return tf.io.encode_png(found[:, :, tf.newaxis]), counts

    kinds = (tf.TensorSpec([], tf.string), tf.TensorSpec([classes], tf.int32))
    encoded, pixels = tf.map_fn(
        one, (prepared["encoded"], prepared["moments"]), parallel_iterations=1, fn_output_signature=kinds
    )
    return {"mask_bytes": encoded, "pixels": pixels}


def _network(model: Any, config: Config) -> tuple[Callable[[Any], Any], int, int]:
    """The model on images, how far in pixels an answer sees, and the shift that leaves its answers the same."""
    if config.inference == "shift_and_stitch":
        coarse, factor = heat_map(model)
        # A shift moves what is seen by a stride at most.
        reach = receptive_field(coarse).margin + factor
        return functools.partial(shift_and_stitch, coarse, factor=factor), reach, factor
    field = receptive_field(model)
    # Of a model that computes in 16 bits the logits are of 16 bits.
    return lambda image: tf.cast(model({"image": image}, training=False), tf.float32), field.margin, field.stride


def _prepared(part: Any, *, channels: int, standardised: Callable[[Any], Any]) -> Any:
    return standardised(images.with_channels(part, channels))


def _resized(pixels: Any, height: int, width: int) -> Any:
    fits = tf.reduce_all(tf.equal(tf.shape(pixels)[:2], [height, width]))
    resized = tf.cond(fits, lambda: pixels, lambda: tf.clip_by_value(images.resize(pixels, height, width), 0.0, 1.0))
    return tf.ensure_shape(resized, [height, width, pixels.shape[-1]])


def postprocess(outputs: Tensors, prepared: Tensors | None = None, *, classes: tuple[str, ...]) -> Tensors:
    """Names the answer.

    Args:
        outputs: as of `ask`.
        prepared: not read.
        classes: the names, in the order of their indices.

    Returns:
        "mask_bytes": string [batch], a PNG of the image's own size, one byte a pixel: the index of the class;
        "classes": string [batch, classes], all names; "shares": float32 [batch, classes], the share of the pixels that
        each has.
    """
    pixels = tf.cast(outputs["pixels"], tf.float32)
    names = tf.tile(tf.constant([classes]), [tf.shape(pixels)[0], 1])
    shares = pixels / tf.reduce_sum(pixels, axis=1, keepdims=True)
    return {"mask_bytes": outputs["mask_bytes"], "classes": names, "shares": shares}


def judge(answers: Tensors, prepared: Tensors, *, classes: int, tolerance: float) -> Tensors:
    """Counts what the metrics are made of.

    Args:
        answers: "mask_bytes", as of `postprocess`.
        prepared: "truth": string [batch], the true masks.
        classes: their number.
        tolerance: how far apart boundaries may lie, as a share of the diagonal.

    Returns:
        "confusion": int64 [batch, classes, classes]; "boundary": float32 [batch, classes, 4]; see `judging.count`.
    """
    kinds = (tf.TensorSpec([classes, classes], tf.int64), tf.TensorSpec([classes, 4], tf.float32))
    confusion, boundary = tf.map_fn(
        lambda pair: judging.count(pair[0], pair[1], classes, tolerance),
        (prepared["truth"], answers["mask_bytes"]),
        parallel_iterations=1,
        fn_output_signature=kinds,
    )
    return {"confusion": confusion, "boundary": boundary}
