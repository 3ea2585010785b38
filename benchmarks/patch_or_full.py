"""How many times faster training on full images is than on patches, for each labelled pixel that it learns from, and
what both come to in the same time.

    python -m benchmarks.patch_or_full [--model fcn8s] [--dataset shapes] [--width 8] [--patches 16] [--seconds 60]

Three ways to learn: "full", every pixel of whole images; "patches", the same network on patches of which each tells the
class of its centre; "classifier", LeNet-5 on such patches, made fully convolutional afterwards and shifted and stitched
over the images (Long, Shelhamer and Darrell 2015, Fully convolutional networks for semantic segmentation, sections 3.1,
3.2 and 3.4; the course, section 5.3). A rate is the labelled pixels of a step over the median step.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from ann_keras import data, registry, training
from ann_keras.layers.borders import MirrorPadding
from ann_keras.models.convolutional import lenet5
from ann_keras.models.segmentation.fully_convolutional import convert_to_fully_convolutional
from ann_keras.models.segmentation.stitching import shift_and_stitch
from ann_keras.registry import Triple
from ann_keras.task import VOID, Feature, Tensors
from benchmarks.masks import judge
from benchmarks.trainings import Limit, Steps, overrides

PATCH, STRIDE = lenet5.FIELD, 4
"""Side of a patch in pixels, and what LeNet-5's two subsamplings shrink it by."""
ENDLESS = 100_000


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a way of training came to.

    Attributes:
        rate: labelled pixels a second.
        steps: that were timed.
        seconds: from the end of its first step on, with validation.
        mean_iou: on the test split.
    """

    rate: float
    steps: int
    seconds: float
    mean_iou: float


def full(model: str, dataset: str, settings: dict[str, Any], seconds: float) -> Learned:
    """Trains a network, on what its settings say, and judges it."""
    triple = registry.resolve(model, dataset, overrides=settings)
    loaded = data.load(triple)
    steps, limit = Steps(), Limit(seconds, within=True)
    fitted = training.fit(triple, loaded.train, loaded.eval, callbacks=[limit, steps])
    patches = triple.task_config.patches
    labels = triple.training.batch_size * (patches or labelled(loaded.train, triple.task.label.name))
    iou = judge(triple, loaded, fitted.model).figures["mean_iou"]
    return Learned(labels / steps.medians()[0], len(steps.seconds), limit.elapsed, iou)


def labelled(split: data.Split, label: str) -> float:
    """Pixels of an image that are not void, on the average."""
    assert split.arrays is not None
    return float(np.sum(split.arrays[label] != VOID)) / len(split)


def classifier(dataset: str, settings: dict[str, Any], seconds: float) -> Learned:
    """Trains LeNet-5 on patches and judges it on images."""
    triple = registry.resolve("unet", dataset, overrides=settings)
    loaded = data.load(triple)
    size, patches = triple.training.batch_size, triple.task_config.patches
    network = lenet(triple)
    network.compile(
        training.optimizer(triple.training, 1), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )

    def centred(inputs: Tensors, mask: Any, weight: Any = None) -> tuple[Tensors, Any]:
        return inputs, mask[:, PATCH // 2, PATCH // 2]

    batches = loaded.train.training_batches(size, 0, augment=triple.task.augment).map(centred)
    steps, limit = Steps(), Limit(seconds, within=True)
    network.fit(
        batches,
        steps_per_epoch=loaded.train.steps(size),
        epochs=ENDLESS,
        verbose=0,
        callbacks=[limit, steps],
    )
    answering = dataclasses.replace(triple.task, ask=ask)
    judged = judge(dataclasses.replace(triple, task=answering), loaded, convert_to_fully_convolutional(network))
    return Learned(size * patches / steps.medians()[0], len(steps.seconds), limit.elapsed, judged.figures["mean_iou"])


def lenet(triple: Triple) -> keras.Model:
    """LeNet-5 for patches of the task's images, as a classifier of their centres."""
    (image,) = triple.task.inputs
    classes = triple.task.outputs.shape[-1]
    inputs = {image.name: keras.Input((PATCH, PATCH, image.shape[-1]), name=image.name)}
    return lenet5.build(lenet5.Config(), inputs, Feature("logits", "tensor", (classes,)))


def dense(heat_map: keras.Model, image: Any) -> Any:
    """What LeNet-5 answers for the patch around every pixel.

    Args:
        heat_map: LeNet-5, made fully convolutional.
        image: float32 [batch, height, width, channels].

    Returns:
        logits, float32 [batch, height, width, classes].
    """
    height, width = tf.shape(image)[1], tf.shape(image)[2]
    # A window has as many cells as a block of the stride; the first has its centre at the first pixel.
    beyond = PATCH // STRIDE - 1

    def cells(part: Any) -> Any:
        return tf.pad(heat_map({"image": part}, training=False), [[0, 0], [0, beyond], [0, beyond], [0, 0]])

    stitched = shift_and_stitch(cells, MirrorPadding(PATCH // 2)(image), STRIDE)
    start = STRIDE // 2
    return stitched[:, start : start + height, start : start + width]


def ask(model: keras.Model, prepared: Tensors) -> Tensors:
    """`Task.ask` of a classifier of patches, for images of the size that the network sees."""
    logits = dense(model, prepared["image"])
    masks = tf.argmax(logits, axis=-1)
    encoded = tf.map_fn(
        tf.io.encode_png, tf.cast(masks, tf.uint8)[..., tf.newaxis], fn_output_signature=tf.TensorSpec([], tf.string)
    )
    counts = tf.reduce_sum(tf.one_hot(masks, logits.shape[-1], dtype=tf.int32), axis=(1, 2))
    return {"mask_bytes": encoded, "pixels": counts}


def tell(name: str, found: Learned) -> None:
    """Prints what a way of training came to."""
    told = f"{found.rate:.0f} labelled pixels/s, mean IoU {found.mean_iou:.4f} after {found.seconds:.0f} s"
    print(f"{name}: {told}, {found.steps} steps", flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fcn8s")
    parser.add_argument("--dataset", default="shapes", help="of images of one size")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8, help="images of a step")
    parser.add_argument("--patches", type=int, default=16, help="of each image")
    parser.add_argument("--balance", default="none", help="classes: patches of all classes alike")
    parser.add_argument("--seconds", type=float, default=60, help="of each training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the network")
    given = parser.parse_args()
    common = {"batch_size": given.batch, "epochs": ENDLESS, "patience": ENDLESS, "decay": "none"}
    patches = {"patches": given.patches, "patch_size": PATCH, "balance": given.balance}
    network = {**common, "width": given.width, **overrides(given.set)}
    dense_labels = full(given.model, given.dataset, network, given.seconds)
    tell("full", dense_labels)
    for name, found in (
        ("patches", full(given.model, given.dataset, {**network, **patches}, given.seconds)),
        ("classifier", classifier(given.dataset, {**common, **patches}, given.seconds)),
    ):
        tell(name, found)
        ratio = dense_labels.rate / found.rate
        print(f"  for each labelled pixel full images are {ratio:.0f} times as fast as {name}", flush=True)


if __name__ == "__main__":
    main()
