"""A classifier made fully convolutional: the same weights, for images of any size.

A dense layer on a flattened map of h x w pixels is a convolution whose kernel covers all h x w of them (Long et al.
2015, Fully Convolutional Networks for Semantic Segmentation, section 3.1; figure 2). Slid over a larger map it answers
a heat map: one answer for each position of the classifier's window, of a stride that is the product of the poolings'.
Averaging over all of a map becomes averaging over a window of the classifier's size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from ann_keras.layers.windows import POINTWISE_OPERATIONS

_POINTWISE = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.Softmax, layers.Dropout)
_POOLINGS = {layers.GlobalAveragePooling2D: layers.AveragePooling2D, layers.GlobalMaxPooling2D: layers.MaxPooling2D}
_MERGES = (layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum)


@dataclass(frozen=True)
class _Map:
    """A tensor of the new model, and what the classifier has in its place.

    Args:
        tensor: float [batch, height, width, channels].
        window: pixels of the map, height and width, that the classifier has flattened to one vector; None where it has
            a map too, (1, 1) where it has a vector of the channels.
    """

    tensor: Any
    window: tuple[int, int] | None = None


def convert_to_fully_convolutional(model: keras.Model) -> keras.Model:
    """Makes of a classifier of images of one size a network for images of any size, with copies of the weights.

    What the classifier does to the image before its first layer, such as resizing and padding it to its own field
    (`lenet5`), is left out: the new network takes what that layer takes, pixel for pixel.

    Args:
        model: functional, with one image as input, [batch, height, width, channels], and one output, [batch, classes].
            Dense follows Flatten, or global pooling, or Dense.

    Returns:
        A model of the same input, but [batch, height, width, channels] of any size from the classifier's on, and of
        heat maps, float [batch, rows, columns, classes]: 1 x 1 for an image of the classifier's size. A cell equals the
        classifier's answer for the crop that it sees, where the classifier pads nothing inside.

    Raises:
        ValueError: for a model of another kind, or a layer that has no convolutional form.
    """
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or len(model.outputs) != 1:
        shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
        raise ValueError(f"{model.name}: inputs and outputs {shapes}: expected one image in and one answer out")
    (image,) = model.inputs
    fed = keras.Input((None, None, image.shape[-1]), dtype=image.dtype, name=image.name)
    maps: dict[int, _Map] = {id(image): _Map(fed)}
    placed = True
    for node in _calls(model):
        placed = placed and not isinstance(node.operation, keras.Layer)
        made = maps[id(node.input_tensors[0])] if placed else _converted(node, maps)
        maps[id(node.outputs[0])] = made
    answer = maps[id(model.outputs[0])]
    if answer.window != (1, 1):
        raise ValueError(f"{model.name}: its output is no vector: expected a classifier that ends in a Dense layer")
    inputs = {fed.name: fed} if isinstance(model.input, dict) else fed
    return keras.Model(inputs, answer.tensor, name=f"fully_convolutional_{model.name}")


def _calls(model: keras.Model) -> list[Any]:
    """The calls of the model's layers and operations in order."""
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(f"{model.name} ({type(model).__name__}): expected a functional model")
    nodes = graph._nodes_by_depth
    return [node for depth in sorted(nodes, reverse=True) for node in nodes[depth] if not node.is_input]


def _converted(node: Any, maps: dict[int, _Map]) -> _Map:
    """Calls on maps what the classifier calls on its tensors."""
    layer, first = node.operation, maps[id(node.input_tensors[0])]
    if isinstance(layer, layers.Flatten):
        return _Map(first.tensor, first.window or _sides(node))
    if isinstance(layer, layers.Dense) and first.window:
        return _Map(_convolution(layer, first), (1, 1))
    if (pooling := _POOLINGS.get(type(layer))) and not layer.keepdims:
        return _Map(pooling(_sides(node), strides=1, name=layer.name, dtype=layer.dtype_policy)(first.tensor), (1, 1))
    windows = {maps[id(tensor)].window for tensor in node.input_tensors}
    if len(windows) > 1 or not _keeps(layer, first.window):
        raise ValueError(f"{layer.name} ({type(layer).__name__}): no convolutional form of it is known")
    return _Map(_again(node, maps), first.window)


def _keeps(layer: Any, window: tuple[int, int] | None) -> bool:
    """Whether a layer does to a map what it does to the classifier's tensor."""
    if not isinstance(layer, keras.Layer):
        return type(layer).__name__ in POINTWISE_OPERATIONS
    if window is None:
        return not isinstance(layer, (*_POOLINGS, layers.Reshape, keras.Model))
    normalises = isinstance(layer, (layers.BatchNormalization, layers.LayerNormalization)) and window == (1, 1)
    return normalises or isinstance(layer, (*_POINTWISE, *_MERGES))


def _sides(node: Any) -> tuple[int, int]:
    """Height and width of the map that a layer reads as a whole.

    Raises:
        ValueError: where the classifier leaves them open.
    """
    height, width = node.input_tensors[0].shape[1:3]
    if height is None or width is None:
        raise ValueError(
            f"{node.operation.name}: a map of {height} x {width} pixels: expected a classifier of one size"
        )
    return height, width


def _convolution(dense: layers.Dense, flat: _Map) -> Any:
    """A dense layer on a vector, as the convolution that covers the window."""
    height, width = flat.window or (1, 1)
    convolution = layers.Conv2D(
        dense.units,
        (height, width),
        activation=dense.activation,
        use_bias=dense.use_bias,
        kernel_regularizer=dense.kernel_regularizer,
        bias_regularizer=dense.bias_regularizer,
        name=dense.name,
        dtype=dense.dtype_policy,
    )
    answer = convolution(flat.tensor)
    kernel, *bias = dense.get_weights()
    convolution.set_weights([kernel.reshape(height, width, -1, dense.units), *bias])
    return answer


def _again(node: Any, maps: dict[int, _Map]) -> Any:
    """Calls a copy of the layer, with the same weights."""
    layer = node.operation
    arguments, keywords = node.arguments.fill_in({key: made.tensor for key, made in maps.items()})
    if not isinstance(layer, keras.Layer):
        return layer(*arguments, **keywords)
    again: Callable[..., Any] = type(layer).from_config(layer.get_config())
    answer = again(*arguments, **keywords)
    again.set_weights(layer.get_weights())  # type: ignore[attr-defined]
    return answer
