"""Upsampling by a whole factor: copies, nails, remembered maxima, and a transposed convolution that learns it.

Sizes (Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning, chapters 3 and 4), for i pixels
along an axis, a window or kernel of k and a stride of s:

- pooling, the last partial window kept: ceil(i / s) with k = s
- unpooling, copies and nails: s i
- transposed convolution: s (i - 1) + k pixels, of which padding "same" keeps s i by cropping k - s, the smaller half of
  them at the top and left

All layers take images of any size, also of one that is known at run time alone.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from ann_keras.layers.windows import Spread, Window

Shape = tuple[int | None, ...]


def bilinear_kernel(size: int, channels: int) -> np.ndarray:
    """The kernel of a transposed convolution that interpolates linearly along both axes, each channel by itself.

    Along an axis the weight of offset j is 1 - |j - (size - 1) / 2| / f, f = ceil(size / 2): a triangle that falls to 0
    at the neighbouring input pixel, f output pixels away (Long et al. 2015, Fully Convolutional Networks for Semantic
    Segmentation, section 3.3).

    Args:
        size: pixels of a side, 2 f - f % 2 for an upsampling by f.
        channels: of input and output alike.

    Returns:
        float32 [size, size, channels out, channels in], zero between different channels.
    """
    triangle = 1 - np.abs(np.arange(size) - (size - 1) / 2) / ((size + 1) // 2)
    return (np.outer(triangle, triangle)[:, :, None, None] * np.eye(channels)).astype("float32")


@keras.saving.register_keras_serializable("ann_keras")
class BilinearInterpolation(keras.initializers.Initializer):
    """Initialises the kernel of a transposed convolution by `bilinear_kernel`."""

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """The kernel, float [size, size, channels out, channels in].

        Raises:
            ValueError: for a kernel that is not square or whose channels differ.
        """
        height, width, filters, channels = shape
        if height != width or filters != channels:
            raise ValueError(f"kernel of shape {tuple(shape)}: expected a square one, with as many filters as channels")
        return ops.convert_to_tensor(bilinear_kernel(height, channels), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        """No arguments."""
        return {}


class _Blocks(keras.layers.Layer):
    """A layer that works on square blocks of pixels, or makes them.

    Args:
        factor: side of a block in pixels.
        **kwargs: further arguments of `keras.layers.Layer`: name, dtype.

    Raises:
        ValueError: for a factor below 1.
    """

    argument = "factor"
    """What the constructor calls the side of a block."""

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"{self.argument}={factor}: expected at least 1")
        self.factor = int(factor)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), self.argument: self.factor}


@keras.saving.register_keras_serializable("ann_keras")
class NearestUpsampling(_Blocks):
    """Makes of each pixel a block of `factor` x `factor` copies."""

    def call(self, inputs: Any) -> Any:
        """float [batch, height, width, channels] -> float [batch, factor height, factor width, channels]."""
        return _interleaved([[inputs] * self.factor] * self.factor)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Height and width times the factor."""
        return _enlarged(input_shape, self.factor)

    def reach(self, axis: int, sizes: list[int | None]) -> Spread:
        """A pixel is read by the block that it becomes."""
        return Spread(self.factor, self.factor)


@keras.saving.register_keras_serializable("ann_keras")
class BedOfNails(_Blocks):
    """Puts each pixel at the top left of a block of `factor` x `factor` pixels, zero elsewhere."""

    def call(self, inputs: Any) -> Any:
        """float [batch, height, width, channels] -> float [batch, factor height, factor width, channels]."""
        parts = [[ops.zeros_like(inputs)] * self.factor for _ in range(self.factor)]
        parts[0][0] = inputs
        return _interleaved(parts)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Height and width times the factor."""
        return _enlarged(input_shape, self.factor)

    def reach(self, axis: int, sizes: list[int | None]) -> Spread:
        """A pixel is read by the nail alone."""
        return Spread(1, self.factor)


@keras.saving.register_keras_serializable("ann_keras")
class MaxPoolingWithSwitches(_Blocks):
    """The greatest value of each block, and where in the block it stood (Zeiler and Fergus 2014, Visualizing and
    Understanding Convolutional Networks, section 2.1; Badrinarayanan et al. 2017, SegNet, section 3).

    Where height or width is no multiple of `size`, the last block is a partial one and is kept.

    Args:
        size: side of a block in pixels, and the stride.
        **kwargs: further arguments of `keras.layers.Layer`: name, dtype.
    """

    argument = "size"

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """Pools.

        Args:
            inputs: float [batch, height, width, channels].

        Returns:
            The maxima, float [batch, ceil(height / size), ceil(width / size), channels], and the switches, int32 of the
            same shape: size * row + column within the block, 0 <= switch < size^2, of equal values the first.
        """
        size = self.factor
        x = _filled_up(inputs, size)
        batch, height, width, channels = ops.shape(x)
        # a block's pixels of one row side by side: slices of them are several times faster than strided ones
        blocks = ops.stop_gradient(ops.reshape(x, (batch, height // size, size, width // size, size * channels)))
        best, switches = None, None
        for position in range(size * size):
            row, start = position // size, position % size * channels
            value = blocks[:, :, row, :, start : start + channels]
            if best is None:
                best, switches = value, ops.zeros_like(value, dtype="int32")
                continue
            greater = value > best
            best = ops.where(greater, value, best)
            switches = ops.where(greater, position, switches)
        return ops.max_pool(x, size, size), switches

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Maxima and switches."""
        batch, height, width, channels = input_shape
        shape = (batch, _divided(height, self.factor), _divided(width, self.factor), channels)
        return shape, shape

    def compute_output_spec(self, inputs: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Maxima of the layer's dtype and switches, int32."""
        pooled, switches = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(pooled, dtype=self.compute_dtype), keras.KerasTensor(switches, dtype="int32")

    def reach(self, axis: int, sizes: list[int | None]) -> Window:
        """A maximum reads its block."""
        return Window(self.factor, self.factor)


@keras.saving.register_keras_serializable("ann_keras")
class MaxUnpooling(_Blocks):
    """Puts each value back to where the maximum stood, zero elsewhere: the inverse of `MaxPoolingWithSwitches`.

    Args:
        size: side of a block in pixels, as it was pooled.
        **kwargs: further arguments of `keras.layers.Layer`: name, dtype.
    """

    argument = "size"
    valued_inputs = 2

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)

    def call(self, inputs: list[Any], like: Any = None) -> Any:
        """Unpools.

        Args:
            inputs: values, float [batch, height, width, channels], and switches, integers of the same shape.
            like: what was pooled, or anything else of its height and width, which the last partial blocks are cropped
                to; None keeps whole blocks.

        Returns:
            float [batch, size height, size width, channels], or `like`'s height and width.
        """
        size = self.factor
        values, switches = inputs
        switches = ops.cast(switches, "int32")
        nothing = ops.zeros_like(values)
        blocks = [
            [ops.where(ops.equal(switches, size * row + column), values, nothing) for column in range(size)]
            for row in range(size)
        ]
        whole = _interleaved(blocks)
        if like is None:
            return whole
        height, width = ops.shape(like)[1:3]
        return whole[:, :height, :width]

    def compute_output_shape(self, inputs_shape: list[Shape], like_shape: Shape | None = None) -> Shape:
        """The values' shape enlarged, or with the height and width of `like`."""
        batch, height, width, channels = _enlarged(inputs_shape[0], self.factor)
        if like_shape is not None:
            height, width = like_shape[1:3]
        return batch, height, width, channels

    def compute_output_spec(self, inputs: list[Any], like: Any = None) -> keras.KerasTensor:
        """Of the layer's dtype."""
        shape = self.compute_output_shape([x.shape for x in inputs], None if like is None else like.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def reach(self, axis: int, sizes: list[int | None]) -> Spread:
        """A value is read by its block."""
        return Spread(self.factor, self.factor)


@keras.saving.register_keras_serializable("ann_keras")
class BilinearTransposedConvolution(keras.layers.Conv2DTranspose):
    """A transposed convolution that starts as bilinear interpolation and is trained from there (Long et al. 2015, Fully
    Convolutional Networks for Semantic Segmentation, section 3.3).

    float [batch, height, width, filters] -> float [batch, factor height, factor width, filters], pixel centres aligned.
    Beyond its borders the image counts as zero, so that the outermost factor / 2 pixels start darker.

    Args:
        filters: channels of the output, and of the input.
        factor: of upsampling; the kernel's side is 2 factor - factor % 2.
        **kwargs: further arguments of `keras.layers.Conv2DTranspose`; there is no bias unless use_bias is True.

    Raises:
        ValueError: for a factor below 1, and in `build` for an input with other channels than `filters`.
    """

    def __init__(self, filters: int, factor: int, **kwargs: Any) -> None:
        if factor < 1:
            raise ValueError(f"factor={factor}: expected at least 1")
        kwargs = {"use_bias": False, "kernel_initializer": BilinearInterpolation(), **kwargs}
        super().__init__(filters, 2 * factor - factor % 2, strides=factor, padding="same", **kwargs)
        self.factor = factor

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        config = super().get_config()
        for name in ("kernel_size", "strides", "padding"):
            del config[name]
        return {**config, "factor": self.factor}


def _interleaved(parts: list[list[Any]]) -> Any:
    """Makes blocks of pixels: parts[row][column], float [batch, height, width, channels], is the block's pixel there.

    Concatenations of whole rows are copies of memory, several times faster on a CPU than a scatter or a repeat.
    """
    batch, height, width, channels = ops.shape(parts[0][0])
    rows = [ops.concatenate(row, axis=-1) if len(row) > 1 else row[0] for row in parts]
    line = width * len(parts[0]) * channels
    rows = [ops.reshape(row, (batch, height, line)) for row in rows]
    blocks = ops.concatenate(rows, axis=-1) if len(rows) > 1 else rows[0]
    return ops.reshape(blocks, (batch, height * len(parts), width * len(parts[0]), channels))


def _filled_up(x: Any, multiple: int) -> Any:
    """Adds rows and columns of minus infinity at the bottom and right, up to a multiple."""
    margins = [(0, -size % multiple) for size in ops.shape(x)[1:3]]
    if all(isinstance(after, int) and after == 0 for _, after in margins):
        return x
    return ops.pad(x, [(0, 0), *margins, (0, 0)], constant_values=float("-inf"))


def _enlarged(shape: Shape, factor: int) -> Shape:
    batch, height, width, channels = shape
    return batch, None if height is None else factor * height, None if width is None else factor * width, channels


def _divided(size: int | None, divisor: int) -> int | None:
    return None if size is None else -(-size // divisor)
