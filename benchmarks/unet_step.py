"""The training step of `unet`, through `ann_keras.training.fit` with its input pipeline, against a plain Keras U-Net of
the same layers that `keras.Model.fit` feeds from arrays, at the same batch size.

    python -m benchmarks.unet_step [--size 192,240] [--width 16] [--batch 4] [--examples 96] [--rounds 5]

The plain one has no layer that pads or crops, and so wants sides that are multiples of 2^depth; its loss and metric are
Keras's own, where ours leave out void pixels and count a confusion matrix. Both train by turns in one process. A step
is what lies between the ends of two successive batches; the first of each epoch does not count. The processor's seconds
say the same on a machine that has other work.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from ann_keras import data, registry, training
from ann_keras.datasets.splits import Plan
from ann_keras.registry import Triple
from benchmarks.trainings import Steps, overrides

LIMIT = 1.05


def plain(shape: tuple[int, ...], classes: int, width: int, depth: int, dropout: float) -> keras.Model:
    """A U-Net as it is usually written in Keras, for images of one size."""
    layers = keras.layers

    def convolutions(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        return x

    x = image = keras.Input(shape)
    skips = []
    for level in range(depth):
        x = convolutions(x, width * 2**level)
        if level == depth - 1:
            x = layers.Dropout(dropout)(x)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Dropout(dropout)(convolutions(x, width * 2**depth))
    for level in reversed(range(depth)):
        x = layers.Conv2DTranspose(width * 2**level, 2, 2)(x)
        x = convolutions(layers.Concatenate()([skips[level], x]), width * 2**level)
    return keras.Model(image, layers.Conv2D(classes, 1)(x))


def loaded(triple: Triple, examples: int, batch: int) -> data.Data:
    """So many training examples, and one batch to validate on."""
    rows = data.read_rows(triple.dataset, Plan())
    sizes = {"train": examples, "eval": batch, "test": batch}
    return data.prepare(
        triple, {name: part.take(np.arange(min(sizes[name], len(part)))) for name, part in rows.items()}
    )


def peer(triple: Triple, inputs: Any, steps: int) -> keras.Model:
    """The plain network, compiled with the same optimizer."""
    config = triple.config
    shape, classes = inputs.shape[1:], triple.task.outputs.shape[-1]
    model = plain(shape, int(classes or 0), config.width, config.depth, config.dropout)
    model.compile(
        training.optimizer(triple.training, steps),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    return model


def compare(triple: Triple, examples: int, rounds: int) -> None:
    """Prints the median steps of each round and of all, and their ratio."""
    settings = triple.training
    mine = loaded(triple, examples, settings.batch_size)
    arrays = mine.train.arrays
    assert arrays is not None
    inputs, labels = arrays["image"], arrays[triple.task.label.name]
    other = peer(triple, inputs, mine.train.steps(settings.batch_size))
    model = None
    ours, theirs = Steps(), Steps()
    # The first round, which compiles, does not count.
    for number in range(rounds + 1):
        starts = len(ours.seconds), len(theirs.seconds)
        model = training.fit(triple, mine.train, mine.eval, callbacks=[ours], model=model).model
        other.fit(inputs, labels, settings.batch_size, settings.epochs, verbose=0, callbacks=[theirs])
        if number == 0:
            if model.count_params() != other.count_params():
                raise SystemExit(f"{model.count_params()} and {other.count_params()} parameters: not the same network")
            ours.seconds, theirs.seconds = [], []
            continue
        (one, one_cpu), (two, two_cpu) = ours.medians(starts[0]), theirs.medians(starts[1])
        told = f"{1e3 * one:.1f} ms, plain {1e3 * two:.1f} ms, ratio {one / two:.3f}"
        print(f"  round {number}: {told}, of processor seconds {one_cpu / two_cpu:.3f}", flush=True)
    (one, one_cpu), (two, two_cpu) = ours.medians(), theirs.medians()
    print(f"processor: {1e3 * one_cpu:.1f} ms, plain {1e3 * two_cpu:.1f} ms, ratio {one_cpu / two_cpu:.3f}")
    verdict = "holds" if one / two <= LIMIT else "FAILS"
    print(f"step of unet {1e3 * one:.1f} ms, of a plain Keras U-Net {1e3 * two:.1f} ms", end=": ")
    print(f"ratio {one / two:.3f} (limit {LIMIT}): {verdict}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="shapes")
    parser.add_argument("--size", help="height,width that the images are resized to; their own by default")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--examples", type=int, default=96, help="of an epoch")
    parser.add_argument("--epochs", type=int, default=2, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of unet or its task")
    given = parser.parse_args()
    settings = {
        "width": given.width,
        "batch_size": given.batch,
        "epochs": given.epochs,
        "patience": given.epochs,
        **({"image_size": given.size} if given.size else {}),
        **overrides(given.set),
    }
    compare(registry.resolve("unet", given.dataset, overrides=settings), given.examples, given.rounds)


if __name__ == "__main__":
    main()
