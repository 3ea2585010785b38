"""The three formats of the output. A worker encodes each answer as it will stand in the file."""

from __future__ import annotations

import abc
import base64
import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.bulk.handler import Outcome
from pipelines.bulk.inputs import Problem

KEY, ERROR = "key", "error"
"""What every answer has beside the model's outputs, and what it has in their place."""


@dataclass(frozen=True)
class Format(abc.ABC):
    """How answers are written.

    Attributes:
        outputs: names of the model's outputs.
        classes: names of its classes, where it knows any.
    """

    outputs: tuple[str, ...]
    classes: tuple[str, ...]

    def header(self) -> bytes:
        """What is before the first answer."""
        return b""

    @abc.abstractmethod
    def encode(self, key: str, outcome: Outcome) -> bytes:
        """One answer."""


class JsonLines(Format):
    """A JSON document a line: the key and the outputs, probabilities by class; or the key and the error."""

    def encode(self, key: str, outcome: Outcome) -> bytes:
        """A line."""
        return _json({KEY: key, **_readable(outcome)}).encode("utf-8", "backslashreplace") + b"\n"


class Csv(Format):
    """A row an answer: the key, a column for each output, one for each class's probability, and the error."""

    @property
    def _columns(self) -> list[str]:
        shares = _has_shares(self.outputs) and bool(self.classes)
        names = [name for name in _ordered(self.outputs) if not (shares and name in ("classes", "probabilities"))]
        return [KEY, *names, *(f"probabilities.{name}" for name in (self.classes if shares else ())), ERROR]

    def header(self) -> bytes:
        """The names of the columns."""
        return self._row(dict(zip(self._columns, self._columns, strict=True)))

    def encode(self, key: str, outcome: Outcome) -> bytes:
        """A row."""
        cells = {KEY: key}
        for name, value in _readable(outcome).items():
            if isinstance(value, dict) and f"{name}.{next(iter(value), '')}" in self._columns:
                cells |= {f"{name}.{part}": repr(share) for part, share in value.items()}
            else:
                cells[name] = value if isinstance(value, str) else _json(value)
        return self._row(cells)

    def _row(self, cells: Mapping[str, str]) -> bytes:
        buffer = io.StringIO()
        csv.DictWriter(buffer, self._columns, restval="", extrasaction="ignore", lineterminator="\n").writerow(cells)
        return buffer.getvalue().encode("utf-8", "backslashreplace")


class TfRecord(Format):
    """A serialized tf.Example an answer: the key and the flat values of the outputs, or the key and the error."""

    def encode(self, key: str, outcome: Outcome) -> bytes:
        """A record with its length and checksums."""
        from serving import protos
        from serving.server import tfrecord

        made = protos.example_pb2.Example()
        found = {ERROR: outcome.reason} if isinstance(outcome, Problem) else outcome
        for name, value in {KEY: key, **found}.items():
            # numpy would drop the zeros at the end of bytes.
            flat = [value] if isinstance(value, str | bytes) else np.asarray(value).ravel().tolist()
            feature = made.features.feature[name]
            if all(isinstance(one, str | bytes) for one in flat):
                feature.bytes_list.value.extend(_bytes(one) for one in flat)
            elif all(isinstance(one, int) for one in flat):
                feature.int64_list.value.extend(map(int, flat))
            else:
                feature.float_list.value.extend(flat)
        return tfrecord.framed(made.SerializeToString(deterministic=True))


FORMATS: dict[str, type[Format]] = {".jsonl": JsonLines, ".csv": Csv, ".tfrecord": TfRecord}
"""Format by the end of the file's name."""


def _ordered(names: Iterable[str]) -> list[str]:
    """Outputs by name, a number before the bounds of its interval."""
    first = ("value", "low", "high")
    return sorted(names, key=lambda name: (first.index(name), "") if name in first else (len(first), name))


def _has_shares(names: Any) -> bool:
    return {"classes", "probabilities"} <= set(names)


def _readable(outcome: Outcome) -> dict[str, Any]:
    """The outputs as JSON has them, the probabilities by class; or the error."""
    if isinstance(outcome, Problem):
        return {ERROR: outcome.reason}
    found = {name: _plain(name, value) for name, value in outcome.items()}
    if _has_shares(found):
        found["probabilities"] = dict(zip(found.pop("classes"), found["probabilities"], strict=True))
    return {name: found[name] for name in _ordered(found)}


def _plain(name: str, value: Any) -> Any:
    """Numbers, text and lists of them; bytes of an output that is named as such in base64, as TF Serving does."""
    plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(plain, list):
        return [_plain(name, one) for one in plain]
    if isinstance(plain, bytes):
        is_text = not name.endswith("_bytes")
        return plain.decode("utf-8", "replace") if is_text else {"b64": base64.b64encode(plain).decode()}
    return plain


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
