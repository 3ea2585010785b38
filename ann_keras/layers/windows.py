"""What one layer reads: from an interval of its output's positions to the interval of its input's.

Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning, chapters 2, 4 and 5, as intervals in place
of sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import keras

Span = tuple[int, int]
"""The first and last position of an interval along one axis."""

POINTWISE_OPERATIONS = {
    *("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Negative", "Absolute", "Square"),
    *("Exp", "Log", "Sqrt", "Clip", "Cast", "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Gelu", "Silu", "Sigmoid"),
    *("Tanh", "Softplus", "Softmax", "LogSoftmax", "Concatenate"),
}
"""Operations of keras.ops, by class, each of whose outputs reads its own pixel alone."""

_LAYERS = keras.layers
_POINTWISE = (
    *(_LAYERS.Activation, _LAYERS.ReLU, _LAYERS.LeakyReLU, _LAYERS.PReLU, _LAYERS.ELU, _LAYERS.Softmax),
    *(_LAYERS.Dropout, _LAYERS.SpatialDropout2D, _LAYERS.GaussianDropout, _LAYERS.GaussianNoise, _LAYERS.AlphaDropout),
    *(_LAYERS.BatchNormalization, _LAYERS.Rescaling, _LAYERS.Dense, _LAYERS.Identity, _LAYERS.ActivityRegularization),
    *(_LAYERS.Add, _LAYERS.Subtract, _LAYERS.Multiply, _LAYERS.Average, _LAYERS.Maximum, _LAYERS.Minimum),
)
_GLOBAL = (
    *(_LAYERS.Flatten, _LAYERS.Reshape, _LAYERS.GlobalAveragePooling2D, _LAYERS.GlobalMaxPooling2D),
    *(_LAYERS.GroupNormalization, _LAYERS.Attention, _LAYERS.MultiHeadAttention),
)


@dataclass(frozen=True)
class Window:
    """Output position y reads the input from stride y - before to stride y - before + size - 1.

    Args:
        size: positions that are read.
        stride: input positions from one output position to the next.
        before: positions added before the first, the least and the most; negative ones are cropped. They differ where
            padding "same" depends on a size that is not known.
        mirrors: whether the positions added are mirrored ones.
    """

    size: int
    stride: int
    before: Span = (0, 0)
    mirrors: bool = False

    def reads(self, span: Span) -> Span:
        """The input's interval that the output's interval depends on."""
        return span[0] * self.stride - self.before[1], span[1] * self.stride - self.before[0] + self.size - 1

    @property
    def pace(self) -> Fraction:
        """Input positions per output position."""
        return Fraction(self.stride)


@dataclass(frozen=True)
class Spread:
    """Input position x is read by the output from stride x - crop to stride x - crop + size - 1.

    Args:
        size: output positions that read it.
        stride: output positions from one input position to the next.
        crop: output positions cut off before the first.
    """

    size: int
    stride: int
    crop: int = 0

    def reads(self, span: Span) -> Span | None:
        """The input's interval that the output's interval depends on; None for none, as between nails."""
        first = -((self.size - 1 - self.crop - span[0]) // self.stride)
        last = (span[1] + self.crop) // self.stride
        return (first, last) if first <= last else None

    @property
    def pace(self) -> Fraction:
        """Input positions per output position."""
        return Fraction(1, self.stride)


def reach(layer: Any, axis: int, shapes: list[Any]) -> Window | Spread:
    """What Keras' own layers and operations read.

    Args:
        layer: a layer or an operation.
        axis: 1 for rows, 2 for columns.
        shapes: of its inputs, None where open.

    Raises:
        ValueError: for one that reads the whole image, or that is not known.
    """
    for kinds, found in _RULES:
        if isinstance(layer, kinds):
            return found(layer, axis, shapes[0][axis])
    if isinstance(layer, _LAYERS.Concatenate) and layer.axis in (-1, len(shapes[0]) - 1):
        return Window(1, 1)
    if isinstance(layer, _LAYERS.LayerNormalization) and list(layer.axis) in ([-1], [len(shapes[0]) - 1]):
        return Window(1, 1)
    if not isinstance(layer, keras.Layer) and type(layer).__name__ in POINTWISE_OPERATIONS:
        return Window(1, 1)
    what = f"{layer.name} ({type(layer).__name__})"
    if isinstance(layer, (*_GLOBAL, _LAYERS.LayerNormalization)):
        raise ValueError(f"{what} reads the whole image: expected layers with a window")
    raise ValueError(f"{what}: not known what it reads; expected a layer of Keras with a window, or a method reach")


def _convolution(layer: Any, axis: int, size: int | None) -> Window:
    extent = (layer.kernel_size[axis - 1] - 1) * layer.dilation_rate[axis - 1] + 1
    return _padded(extent, layer.strides[axis - 1], layer.padding, size)


def _pooling(layer: Any, axis: int, size: int | None) -> Window:
    return _padded(layer.pool_size[axis - 1], layer.strides[axis - 1], layer.padding, size)


def _padded(extent: int, stride: int, padding: str, size: int | None) -> Window:
    """A window with padding "valid", or "same": (ceil(i / stride) - 1) stride + extent - i positions, if any, the
    smaller half of them before the first.
    """
    if padding == "valid":
        return Window(extent, stride)
    sizes = [size] if size is not None else range(extent + stride, extent + 2 * stride)
    before = [max((-(-i // stride) - 1) * stride + extent - i, 0) // 2 for i in sizes]
    return Window(extent, stride, (min(before), max(before)))


def _transposed(layer: Any, axis: int, size: int | None) -> Spread:
    if layer.output_padding is not None:
        raise ValueError(f"{layer.name}: output_padding={layer.output_padding}: expected None")
    extent = (layer.kernel_size[axis - 1] - 1) * layer.dilation_rate[axis - 1] + 1
    stride = layer.strides[axis - 1]
    return Spread(extent, stride, max(extent - stride, 0) // 2 if layer.padding == "same" else 0)


def _upsampling(layer: Any, axis: int, size: int | None) -> Spread:
    factor = layer.size[axis - 1]
    if layer.interpolation == "nearest":
        return Spread(factor, factor)
    if layer.interpolation == "bilinear":
        return Spread(2 * factor - factor % 2, factor, factor // 2)
    raise ValueError(f"{layer.name}: interpolation={layer.interpolation}: expected nearest or bilinear")


def _zeros(layer: Any, axis: int, size: int | None) -> Window:
    before = layer.padding[axis - 1][0]
    return Window(1, 1, (before, before))


def _cropping(layer: Any, axis: int, size: int | None) -> Window:
    start = layer.cropping[axis - 1][0]
    return Window(1, 1, (-start, -start))


def _pointwise(layer: Any, axis: int, size: int | None) -> Window:
    return Window(1, 1)


_RULES: tuple[tuple[Any, Callable[[Any, int, int | None], Window | Spread]], ...] = (
    (_LAYERS.Conv2DTranspose, _transposed),
    ((_LAYERS.Conv2D, _LAYERS.DepthwiseConv2D, _LAYERS.SeparableConv2D), _convolution),
    ((_LAYERS.MaxPooling2D, _LAYERS.AveragePooling2D), _pooling),
    (_LAYERS.UpSampling2D, _upsampling),
    (_LAYERS.ZeroPadding2D, _zeros),
    (_LAYERS.Cropping2D, _cropping),
    (_POINTWISE, _pointwise),
)
