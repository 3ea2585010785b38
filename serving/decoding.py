"""From the outputs of a model to typed answers: a class, a number, a mask, boxes, a text or a translation for each.

What kind of answer it is, its names tell: they are those that the tasks' `postprocess` gives. A new kind costs a
dataclass, the function that reads it from one example's outputs, and an entry in `_DECODERS`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = Mapping[str, Any]
"""The outputs for one example, by name."""
Columns = Mapping[str, Sequence[Any] | np.ndarray]
"""The outputs for a batch, by name, as `Client.predict` returns them."""


@dataclass(frozen=True)
class Classification:
    """One class for the example.

    Attributes:
        label: its name.
        probabilities: in [0, 1], by class, in the model's order.
    """

    label: str
    probabilities: dict[str, float]

    def __str__(self) -> str:
        ranked = sorted(self.probabilities.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)[:3]
        return f"{self.label}  (" + ", ".join(f"{name} {share:.1%}" for name, share in ranked) + ")"


@dataclass(frozen=True)
class Number:
    """A number, in the unit of the values that the model was trained on.

    Attributes:
        value: the answer.
        low, high: the bounds of its interval, which the model's setting `interval` says the share of; None where the
            model gives none.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f"  [{self.low:g}, {self.high:g}]"
        return f"{self.value:g}{interval}"


@dataclass(frozen=True, eq=False)
class Mask:
    """A class for each pixel.

    Attributes:
        pixels: uint8 [height, width], indices of classes.
        classes: their names, where they are known.
    """

    pixels: np.ndarray
    classes: tuple[str, ...] = ()

    def __str__(self) -> str:
        height, width = self.pixels.shape
        shares = np.bincount(self.pixels.reshape(-1)) / max(self.pixels.size, 1)
        ranked = sorted(np.flatnonzero(shares), key=lambda index: -shares[index])[:5]
        named = (f"{_class_name(index, self.classes)} {shares[index]:.1%}" for index in ranked)
        return f"{width} x {height} pixels: " + ", ".join(named)


@dataclass(frozen=True, eq=False)
class Boxes:
    """The objects that were found, in the model's order.

    Attributes:
        boxes: float32 [objects, 4], in the model's coordinates.
        scores: float32 [objects] in [0, 1].
        labels: the class of each.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: tuple[str, ...]

    def __str__(self) -> str:
        found = zip(self.labels, self.scores, self.boxes, strict=True)
        shown = [f"{label} {score:.1%} at [{', '.join(f'{edge:g}' for edge in box)}]" for label, score, box in found]
        return "; ".join(shown) or "nothing"


@dataclass(frozen=True)
class Text:
    """A text."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, eq=False)
class Translation:
    """A text for a text.

    Attributes:
        text: the best answer.
        candidates: the answers that were found, best first, each with its score: its log-probability over the penalty
            of its length.
        tokens, source_tokens: what answer and source are made of, their ends included.
        alignment: float32 [tokens, source tokens] in [0, 1], how much each token of the answer attends to each of the
            source.
    """

    text: str
    candidates: tuple[tuple[str, float], ...]
    tokens: tuple[str, ...]
    source_tokens: tuple[str, ...]
    alignment: np.ndarray

    def __str__(self) -> str:
        return self.text


Answer = Classification | Number | Mask | Boxes | Text | Translation | dict[str, Any]


def decode(description: Mapping[str, Any], columns: Columns) -> list[Answer]:
    """Returns an answer per example.

    Args:
        description: of a pushed model (its `assets.extra/ann_keras.json`); of its fields "classes", the names of the
            classes in the order of their indices, is read where an answer holds indices. May be empty.
        columns: what `Client.predict` returned.

    Returns:
        A Classification, Number (with `low` and `high` where the model gives an interval), Mask, Boxes, Text or
        Translation for each example, or the outputs by name where they are none.

    Raises:
        ValueError: naming the output that does not hold what its name says.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the outputs are no batch of one size: {lengths}")
    classes = tuple(description.get("classes", ()))
    read = next((read for names, read in _DECODERS.items() if columns.keys() >= set(names)), _decode_other)
    size = next(iter(lengths.values()), 0)
    return [read({name: column[index] for name, column in columns.items()}, classes) for index in range(size)]


def _decode_classification(row: Row, classes: tuple[str, ...]) -> Classification:
    names = [_text(name) for name in row["classes"]]
    if len(names) != len(row["probabilities"]):
        raise ValueError(f"{len(row['probabilities'])} probabilities stand beside {len(names)} classes")
    shares = np.asarray(row["probabilities"], np.float64).tolist()
    return Classification(_class_name(row["label"], classes), dict(zip(names, shares, strict=True)))


def _decode_number(row: Row, classes: tuple[str, ...]) -> Number:
    bounds = {name: _number(name, row[name]) for name in ("low", "high") if name in row}
    return Number(_number("value", row["value"]), **bounds)


def _decode_mask(row: Row, classes: tuple[str, ...]) -> Mask:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(row["mask_bytes"]), formats=["PNG"]) as image:
            if image.mode not in ("L", "P"):
                raise ValueError(f"output 'mask_bytes' is a PNG with one byte per pixel, not of mode {image.mode}")
            return Mask(np.asarray(image), classes)
    except (UnidentifiedImageError, TypeError):
        raise ValueError(f"output 'mask_bytes' is no PNG: {row['mask_bytes']!r:.80}") from None


def _decode_boxes(row: Row, classes: tuple[str, ...]) -> Boxes:
    boxes, scores = np.asarray(row["boxes"], np.float32), np.asarray(row["scores"], np.float32)
    count = len(row["labels"])
    if boxes.shape != (count, 4) or scores.shape != (count,):
        shapes = f"boxes {list(boxes.shape)}, scores {list(scores.shape)}, labels [{count}]"
        raise ValueError(f"boxes are [objects, 4], scores and labels [objects], not {shapes}")
    return Boxes(boxes, scores, tuple(_class_name(label, classes) for label in row["labels"]))


def _decode_text(row: Row, classes: tuple[str, ...]) -> Text:
    return Text(_text(row["text"]))


def _decode_translation(row: Row, classes: tuple[str, ...]) -> Translation:
    row = trimmed(row)
    candidates = [_text(text) for text in row["candidates"]]
    if len(candidates) != len(row["scores"]):
        raise ValueError(f"{len(row['scores'])} scores stand beside {len(candidates)} candidates")
    tokens, source_tokens = (tuple(map(_text, row[name])) for name in ("tokens", "source_tokens"))
    scored = zip(candidates, np.asarray(row["scores"], np.float64).tolist(), strict=True)
    return Translation(_text(row["translation"]), tuple(scored), tokens, source_tokens, row["alignment"])


def trimmed(row: Row) -> dict[str, Any]:
    """The outputs for one example without what a batch adds to sequences that are shorter than its longest.

    Args:
        row: where it has "tokens", "source_tokens" and "alignment", float [tokens, source tokens], the texts that are
            empty at the end of the former go, and the rows and columns that stand for them.
    """
    if not row.keys() >= {"tokens", "source_tokens", "alignment"}:
        return dict(row)
    tokens, source = (_until_padding(row[name]) for name in ("tokens", "source_tokens"))
    alignment = np.asarray(row["alignment"], np.float32)
    if alignment.shape != (len(row["tokens"]), len(row["source_tokens"])):
        shape = [len(row["tokens"]), len(row["source_tokens"])]
        raise ValueError(f"output 'alignment' is [tokens, source tokens] = {shape}, not {list(alignment.shape)}")
    return {**row, "tokens": tokens, "source_tokens": source, "alignment": alignment[: len(tokens), : len(source)]}


def _until_padding(tokens: Sequence[Any]) -> list[Any]:
    count = max((place for place, token in enumerate(tokens, start=1) if len(token)), default=0)
    return list(tokens[:count])


def _decode_other(row: Row, classes: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items()}


_DECODERS: dict[tuple[str, ...], Callable[[Row, tuple[str, ...]], Answer]] = {
    ("label", "classes", "probabilities"): _decode_classification,
    ("boxes", "scores", "labels"): _decode_boxes,
    ("mask_bytes",): _decode_mask,
    ("translation", "candidates", "scores", "tokens", "source_tokens", "alignment"): _decode_translation,
    ("text",): _decode_text,
    ("value",): _decode_number,
}
"""Names of outputs -> how they are read, the first whose names are all there. Further outputs are left alone."""


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _text(value: Any) -> str:
    """Returns text as it is; bytes that are no UTF-8 show where they are not."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(name: str, value: Any) -> float:
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "iufb":
        raise ValueError(f"output {name!r} is one number an example, not {value!r:.80}")
    return float(array.reshape(-1)[0])


def _class_name(label: Any, classes: tuple[str, ...]) -> str:
    """Returns a class's name from itself or from its index; the index as text where it has no name."""
    if isinstance(label, int | np.integer):
        return classes[label] if 0 <= label < len(classes) else str(label)
    return _text(label)
