"""How far a network sees: which pixels of the image one pixel of its output depends on.

From the output backwards every layer turns an interval of its output's positions into the interval of its input's that
it reads (Dumoulin and Visin 2016, A guide to convolution arithmetic for deep learning, chapters 2, 4 and 5, as
intervals in place of sizes). Where a network pools and upsamples, pixels differ by their phase, so all phases of the
stride are walked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import keras

from ann_keras.layers.windows import Span, Spread, Window, reach

SIZE = 960
"""Pixels assumed where crops depend on a size that the model leaves open: a multiple of the strides in use."""


@dataclass(frozen=True)
class ReceptiveField:
    """What an output pixel depends on, along the axis where it is most.

    Args:
        stride: in input pixels; shifting the image by it shifts the output and changes nothing else, apart from
            borders.
        margin: the output pixel at p depends on no input pixel further than `margin` from pixel p, or, of an output
            whose pixels are j input pixels apart, from pixel floor(j p).
        size: pixels from the first to the last that it depends on, at the phase where they are most; at most
            2 margin + 1.
    """

    stride: int
    margin: int
    size: int

    def __str__(self) -> str:
        return f"size {self.size}x{self.size}, stride {self.stride}"


@dataclass(frozen=True)
class _Step:
    """One call of a layer, its tensors as keys."""

    layer: Any
    inputs: list[int]
    outputs: list[int]
    shapes: list[Any]
    """Of the inputs, at SIZE where the model leaves a size open."""
    open_shapes: list[Any]
    """Of the inputs, None where the model leaves a size open."""

    def reach(self, axis: int) -> Window | Spread:
        declared = getattr(self.layer, "reach", None)
        if declared is not None:
            return declared(axis, [shape[axis] for shape in self.shapes])
        return reach(self.layer, axis, self.open_shapes)

    @property
    def valued(self) -> list[int]:
        """The inputs whose values are read, not their sizes alone."""
        return self.inputs[: getattr(self.layer, "valued_inputs", None)]


def receptive_field(model: keras.Model) -> ReceptiveField:
    """Works out how far a functional model sees.

    It walks nested models too. A layer of one's own takes part by a method `reach(axis, sizes) -> Window | Spread`,
    with axis 1 for rows and 2 for columns and the sizes of its inputs along it, and an attribute `valued_inputs` where
    only the first inputs' values matter. Padding of constants counts as if it were pixels. What is returned is never
    too small; it can be too large where padding "same" with a stride meets a size that is not known, where a coarse map
    is mirrored, and where weights are zero.

    Args:
        model: of images, [batch, height, width, channels], to images.

    Raises:
        ValueError: for a layer that reads the whole image, such as Flatten, or one that is not known.
    """
    steps, inputs, outputs = _graph(model)
    stride, margin, size = 1, 0, 0
    for axis in (1, 2):
        windows = [step.reach(axis) for step in steps]
        paces = _paces(steps, windows, inputs)
        windows = [_mirroring(window, paces[step.inputs[0]]) for step, window in zip(steps, windows, strict=True)]
        period = math.lcm(*(pace.numerator for pace in paces.values()))
        stride = math.lcm(stride, period)
        for output in outputs:
            for phase in range(int(period / paces[output])):
                read = _read(steps, windows, output, phase)
                for first, last in (read[key] for key in inputs if key in read):
                    place = math.floor(phase * paces[output])
                    margin = max(margin, place - first, last - place)
                    size = max(size, last - first + 1)
    return ReceptiveField(stride, margin, size)


def _paces(steps: list[_Step], windows: list[Window | Spread], inputs: list[int]) -> dict[int, Fraction]:
    """Input pixels from one position of each tensor to the next."""
    paces = dict.fromkeys(inputs, Fraction(1))
    for step, window in zip(steps, windows, strict=True):
        pace = paces[step.inputs[0]] * window.pace
        paces.update(dict.fromkeys(step.outputs, pace))
    return paces


def _mirroring(window: Window | Spread, pace: Fraction) -> Window | Spread:
    """Adds a position on either side where a coarse map is mirrored: the mirror stands at the middle of its outermost
    position, which pixels of the image can be half a position beyond.
    """
    if isinstance(window, Window) and window.mirrors and pace > 1:
        return Window(window.size + 2, window.stride, (window.before[0] + 1, window.before[1] + 1))
    return window


def _read(steps: list[_Step], windows: list[Window | Spread], output: int, position: int) -> dict[int, Span]:
    """The interval of each tensor that one position of an output depends on."""
    spans = {output: (position, position)}
    for step, window in zip(reversed(steps), reversed(windows), strict=True):
        wanted = [spans[key] for key in step.outputs if key in spans]
        found = window.reads(_hull(wanted)) if wanted else None
        if found is not None:
            for key in step.valued:
                spans[key] = _hull([found, spans[key]]) if key in spans else found
    return spans


def _hull(spans: list[Span]) -> Span:
    return min(first for first, _ in spans), max(last for _, last in spans)


def _graph(model: keras.Model) -> tuple[list[_Step], list[int], list[int]]:
    """The calls of all layers in order, those of nested models in their place; the keys of inputs and of outputs."""
    function = _functional(model)
    keys = iter(range(10**9))
    named = {}
    for tensor in function.inputs:
        shape = [None, *(SIZE if size is None else size for size in tensor.shape[1:])]
        named[id(tensor)] = next(keys), keras.KerasTensor(shape, dtype=tensor.dtype)
    steps = list(_steps(function, named, keys))
    inputs, outputs = ([named[id(tensor)][0] for tensor in tensors] for tensors in (function.inputs, function.outputs))
    return steps, inputs, outputs


def _steps(function: Any, named: dict[int, tuple[int, Any]], keys: Iterator[int]) -> Iterator[_Step]:
    """Yields the calls of a model, and adds its tensors to `named`: key and spec by identity."""
    for depth in sorted(function._nodes_by_depth, reverse=True):
        for node in function._nodes_by_depth[depth]:
            if node.is_input:
                continue
            taken = [named[id(tensor)] for tensor in node.input_tensors]
            if isinstance(node.operation, keras.Model):
                inner = _functional(node.operation)
                within = {id(tensor): known for tensor, known in zip(inner.inputs, taken, strict=True)}
                yield from _steps(inner, within, keys)
                made = [within[id(tensor)] for tensor in inner.outputs]
            else:
                args, kwargs = node.arguments.fill_in({key: spec for key, (_, spec) in named.items()})
                specs = keras.tree.flatten(node.operation.compute_output_spec(*args, **kwargs))
                made = [(next(keys), spec) for spec in specs]
                yield _Step(
                    node.operation,
                    [key for key, _ in taken],
                    [key for key, _ in made],
                    [spec.shape for _, spec in taken],
                    [tensor.shape for tensor in node.input_tensors],
                )
            named.update({id(tensor): known for tensor, known in zip(node.output_tensors, made, strict=True)})


def _functional(model: keras.Model) -> Any:
    """The graph of a model.

    Raises:
        ValueError: where it has none.
    """
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(f"{model.name} ({type(model).__name__}): expected a functional model")
    return graph
