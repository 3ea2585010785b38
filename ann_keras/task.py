"""What is asked: a Task, the Features that it reads and writes, and how its answers are judged.

A :class:`Feature` is the only description of a value that crosses a border. The TFX schema, the parsing specification
of tf.Examples, the serving signature, the client's encoding and the documentation are all generated from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

Tensors = dict[str, Any]
"""Named tensors of one batch: TensorFlow tensors in a data pipeline, Keras tensors inside a model."""

WIRE: dict[str, tuple[str, bool]] = {
    "image": ("string", False),
    "mask": ("string", False),
    "label": ("int64", False),
    "number": ("float32", True),
    "tensor": ("float32", True),
    "text": ("string", False),
}
"""kind -> (dtype in a tf.Example or a request, whether `shape` applies there). An image travels as its encoded
bytes, a mask as a PNG of one byte a pixel: the index of its class, or `VOID`."""

VOID = 255
"""The value of a mask's pixels that count nowhere."""


@dataclass(frozen=True)
class Feature:
    """One named value of an example.

    Attributes:
        name: its key in tf.Examples, in requests and in the model's inputs. A dataset calls its features by their
            roles.
        kind: one of `WIRE`: "image" (encoded JPEG, PNG, BMP or GIF bytes), "mask" (a class for every pixel of an
            image), "label" (a class index), "number", "tensor", "text" (UTF-8).
        shape: shape of one decoded example without the batch; None where it varies. (height, width, channels) of an
            image, (height, width) of a mask.
        dtype: dtype of the decoded value.
        classes: the names of a label's or a mask's classes, in the order of their indices.
        description: one sentence for the documentation and the schema.
        optional: whether an example may lack it. A number that is missing is NaN wherever it travels, a text is empty.
        distinct: how many different values a text has, as far as is known; 0 where it is not.
        palette: the colour (red, green, blue), 0 to 255, that a mask's class is drawn in, by index; () for none.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] = ()
    dtype: str = "float32"
    classes: tuple[str, ...] = ()
    description: str = ""
    optional: bool = False
    distinct: int = 0
    palette: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in WIRE:
            raise ValueError(f"feature {self.name!r}: kind {self.kind!r} is not one of {', '.join(WIRE)}")

    @property
    def wire_dtype(self) -> str:
        """The dtype in a tf.Example, a request and the serving signature: "string", "int64" or "float32"."""
        return WIRE[self.kind][0]

    @property
    def wire_shape(self) -> tuple[int | None, ...]:
        """The shape of one example there; () for images, masks and labels."""
        return self.shape if WIRE[self.kind][1] else ()


class Analyzers(Protocol):
    """Full passes over the training split that `preprocess` may ask for.

    Transform answers with tft's analyzers, a script with one local pass, an exported graph with the constants they
    found. No `value` may depend on the answer of another analyzer; every `name` is unique within the task.
    """

    def mean(self, value: Any, name: str) -> Any:
        """Returns the mean, float32 [units], of `value`, float32 [batch, units], over all training examples."""

    def moments(self, value: Any, name: str) -> tuple[Any, Any]:
        """Returns mean and variance, float64 [units], of `value`, float32 [batch, units], over all training examples
        where it is not NaN; 0 and 0 for a unit that is NaN everywhere.
        """
        ...

    def quantiles(self, value: Any, buckets: int, name: str) -> Any:
        """Returns the boundaries, float32 [buckets - 1] in ascending order, that part the training examples of `value`,
        float32 [batch], NaN left out, into `buckets` of about the same size.
        """
        ...

    def indices(self, value: Any, size: int, name: str) -> Any:
        """Returns the place of `value`, string [batch], among its `size` most frequent training values, int64 [batch]:
        0 for the most frequent one, and -1 for a value that is not among them or is empty. Of two that are equally
        frequent the one that sorts last comes first.
        """
        ...

    def vocabulary(self, words: Any, size: int, tokens: str, name: str) -> tuple[Any, Any]:
        """Returns what `ann_keras.text.learn` finds in the training examples, and how it is looked up.

        Args:
            words: string [words], those of a batch.
            size: most pieces.
            tokens: one of `ann_keras.text.TOKENS`.
            name: of the question.

        Returns:
            The pieces by id, string [pieces], and `ann_keras.text.wordpiece_model` of them, string [].
        """
        ...


@dataclass(frozen=True)
class Metric:
    """One figure of the evaluation.

    Attributes:
        name: the field's name, as it stands in reports and JSON: "accuracy", "mean_iou".
        tfma: class name of the metric in TensorFlow Model Analysis, configured by name and never by object; a dotted
            one is a class of our own.
        options: further arguments of that class.
        higher_is_better: the direction.
        lower, upper: absolute thresholds; None where there is none. A model outside of them is not blessed.
        change: the largest loss against the last blessed model that still passes, >= 0; None for no such threshold.
    """

    name: str
    tfma: str
    higher_is_better: bool = True
    lower: float | None = None
    upper: float | None = None
    change: float | None = None
    options: tuple[tuple[str, Any], ...] = ()

    def passes(self, value: float) -> bool:
        """Whether `value` lies within the absolute thresholds; NaN never does."""
        if math.isnan(value):
            return False
        return (self.lower is None or value >= self.lower) and (self.upper is None or value <= self.upper)


@dataclass(frozen=True)
class Evaluation:
    """How a model is judged.

    Attributes:
        metrics: what is computed on the test split; the first is the one that leads reports and model selection.
        prediction: the key of postprocess's answer that holds the prediction.
        slices: features, or outputs of preprocess, by whose values the metrics are also given apart.
        plots: TFMA plot metrics by class name.
        judge: answers, and what preprocess gave with the label -> what the metrics add up, by name, so that the
            Evaluator holds no answer as large as the example; None where the metrics read answer and label themselves.
    """

    metrics: tuple[Metric, ...]
    prediction: str
    slices: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    judge: Callable[[Tensors, Tensors], Tensors] | None = None


@dataclass(frozen=True)
class Task:
    """What is asked of a model, bound to the features of one dataset.

    Attributes:
        name: its key in the registry.
        features: the raw inputs, in the order of the serving signature.
        label: the raw label; present in training and evaluation, never in a request.
        inputs: what `preprocess` yields and the model takes.
        outputs: what the model answers: logits.
        preprocess: a pure function of a batch of raw features (and of the label, where present) and of the analyzers.
            Besides the inputs and the label it may give "weight", each example's weight in the loss, and whatever
            `postprocess` and the slices of the evaluation read.
        compile_args: a fresh loss and fresh metrics on each call, as keyword arguments of `keras.Model.compile`.
        postprocess: the model's output, and what preprocess gave -> the named answers of the signature. Part of the
            exported graph.
        evaluation: metrics, slices and thresholds.
        augment: inputs, label and weight of a batch and a seed (int32 [2]) -> the same, in training only; None for
            none.
        ask: the model, and what preprocess gave -> what postprocess reads, where that is more than the model's output
            for the inputs: an image of any size, in tiles.
        weigh: label and weight of one example as arrays -> its weight in the loss, once for each example; None
            for what preprocess gave.
        batch_tokens: where inputs and label are sequences of whole numbers, padded with zeros at their end: how many
            of them, padding included, a batch holds; 0 where a batch is a number of examples.
    """

    name: str
    features: tuple[Feature, ...]
    label: Feature
    inputs: tuple[Feature, ...]
    outputs: Feature
    preprocess: Callable[[Mapping[str, Any], Analyzers], Tensors]
    compile_args: Callable[[], dict[str, Any]]
    postprocess: Callable[[Any, Tensors], Tensors]
    evaluation: Evaluation
    augment: Callable[[Tensors, Any], Tensors] | None = None
    ask: Callable[[Callable[..., Any], Tensors], Any] | None = None
    weigh: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    batch_tokens: int = 0

    def answer(self, model: Callable[..., Any], prepared: Tensors) -> Tensors:
        """What `model` answers to a batch that `preprocess` prepared, by name."""
        if self.ask is not None:
            return self.postprocess(self.ask(model, prepared), prepared)
        inputs = {feature.name: prepared[feature.name] for feature in self.inputs}
        return self.postprocess(model(inputs, training=False), prepared)
