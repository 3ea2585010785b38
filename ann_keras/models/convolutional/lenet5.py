"""LeNet-5: convolutions and trainable subsampling, in turn, up to a classifier.

LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition, section II.B: layers C1
to F6, the scaled hyperbolic tangent (eq. 6 and appendix A) and the connections of C3 (table I) are the paper's.

Deviations: the output is a softmax in place of Euclidean radial basis functions (section II.B) and its loss the
cross-entropy; the weights start from LeCun's later rule (Efficient BackProp 1998, section 4.6) and are trained by
Adam in place of stochastic diagonal Levenberg-Marquardt (appendix C). Images that are not 28 to 32 pixels wide and
high are resized to 28, and smaller ones than 32 are centred in the 32x32 field, their edges mirrored outwards in
place of a constant background.

Run it with `ann run lenet5`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from ann_keras.settings import Training, setting
from ann_keras.task import Feature

TASKS = ("image_classification",)

FIELD, CHARACTER = 32, 28
"""Sides in pixels of the input field and of the largest character in it (section II.B)."""

C3_SOURCES = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
"""Table I: the maps of S2 that each of the sixteen maps of C3 is connected to."""


@dataclass(frozen=True)
class Config:
    """Settings of the model."""

    units: int = setting(84, "units of F6", low=1, high=65536, search=(84, 120, 168))
    dropout: float = setting(0.0, "share of the units of C5 and F6 left out in training; the paper has none",
                             low=0, high=0.95, search=(0.0, 0.2, 0.4))  # fmt: skip


TINY = Config(units=10)
TRAINING = Training(epochs=40, batch_size=64, learning_rate=2e-3, decay="cosine", patience=12)
TASK_SETTINGS = {"augment": "affine", "distortion": 0.07}
"""Section III.B trains on distorted images."""


@keras.saving.register_keras_serializable("ann_keras")
class SparselyConnectedConv2D(keras.layers.Conv2D):
    """A convolution each of whose output maps sees some of the input maps only.

    Args:
        sources: for every output map, the indices of the input maps that it is connected to.
        kernel_size: side of the square kernel in pixels.
        **kwargs: further arguments of `keras.layers.Conv2D`.
    """

    def __init__(self, sources: tuple[tuple[int, ...], ...], kernel_size: int, **kwargs: Any) -> None:
        kwargs.pop("filters", None)
        super().__init__(len(sources), kernel_size, **kwargs)
        self.sources = tuple(tuple(maps) for maps in sources)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the kernel, and the mask that holds the missing connections at zero."""
        super().build(input_shape)
        mask = np.zeros((input_shape[-1] or 0, self.filters), "float32")
        for target, maps in enumerate(self.sources):
            mask[list(maps), target] = 1
        self._mask = mask

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolves float [batch, height, width, maps] with the connected part of the kernel."""
        return super().convolution_op(inputs, kernel * ops.cast(self._mask, kernel.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "sources": self.sources}


@keras.saving.register_keras_serializable("ann_keras")
class Subsampling(keras.layers.Layer):
    """Halves a map: the sum of each 2x2 field, times one trainable coefficient and plus one bias a map (section
    II.B).
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates coefficient and bias, float32 [maps]."""
        maps = (input_shape[-1],)
        self.coefficient = self.add_weight(
            shape=maps, initializer=keras.initializers.Constant(0.25), name="coefficient"
        )
        self.bias = self.add_weight(shape=maps, initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """float [batch, height, width, maps] -> float [batch, height // 2, width // 2, maps]."""
        return 4 * ops.average_pool(inputs, 2, 2) * self.coefficient + self.bias


@keras.saving.register_keras_serializable("ann_keras")
def squash(x: Any) -> Any:
    """1.7159 tanh(2x/3), which maps 1 to 1 and -1 to -1 (appendix A)."""
    return 1.7159 * ops.tanh(2 / 3 * x)


def build(config: Config, inputs: dict[str, Any], outputs: Feature) -> keras.Model:
    """Builds the model.

    Args:
        config: the settings.
        inputs: "image": float32 [batch, height, width, channels], of any size.
        outputs: logits, float32 [batch, classes].
    """
    start: dict[str, Any] = {"activation": squash, "kernel_initializer": "lecun_uniform"}
    x = place(inputs["image"])
    x = keras.layers.Conv2D(6, 5, name="c1", **start)(x)
    x = keras.layers.Activation(squash, name="s2_squash")(Subsampling(name="s2")(x))
    x = SparselyConnectedConv2D(C3_SOURCES, 5, name="c3", **start)(x)
    x = keras.layers.Activation(squash, name="s4_squash")(Subsampling(name="s4")(x))
    x = keras.layers.Conv2D(120, 5, name="c5", **start)(x)
    x = keras.layers.Dropout(config.dropout, name="c5_dropout")(keras.layers.Flatten(name="flatten")(x))
    x = keras.layers.Dense(config.units, name="f6", **start)(x)
    x = keras.layers.Dropout(config.dropout, name="f6_dropout")(x)
    logits = keras.layers.Dense(outputs.shape[0], name="output")(x)
    return keras.Model(inputs, logits, name="lenet5")


def place(image: Any) -> Any:
    """Centres images in the input field: float [batch, height, width, channels] -> float [batch, 32, 32, channels]."""
    height, width = image.shape[1:3]
    if not all(CHARACTER <= size <= FIELD for size in (height, width)):
        shrinks = max(height, width) > CHARACTER
        image = ops.image.resize(image, (CHARACTER, CHARACTER), antialias=shrinks)
        height = width = CHARACTER
    margins = [((FIELD - size) // 2, (FIELD - size + 1) // 2) for size in (height, width)]
    return ops.pad(image, [(0, 0), *margins, (0, 0)], mode="symmetric")
