"""Rows and values that a pushed model brings along, for a form to offer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ann_keras.task import Feature
from serving.server.warmup import REQUESTS_FILE

VOCABULARY = "assets/{}_vocabulary"
"""Where Transform keeps the frequent values of a text column, a line each."""
MOST_VALUES = 200
"""Of a text column that are offered."""


def rows(version: Path, features: Sequence[Feature]) -> list[dict[str, Any]]:
    """The rows of a version's largest warm-up request, by feature: numbers and texts, None where one is missing.

    Args:
        version: the SavedModel.
        features: numbers without dimensions and texts.

    Returns:
        As many as there are, which may be none.
    """
    from google.protobuf.message import DecodeError

    from serving import protos, tensors
    from serving.errors import ServingError
    from serving.server import tfrecord

    found: list[dict[str, Any]] = []
    try:
        with (version / REQUESTS_FILE).open("rb") as file:
            for record in tfrecord.records(file):
                request = protos.prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
                columns = {
                    feature.name: [
                        _value(value) for value in tensors.from_proto(request.inputs[feature.name], feature.name)
                    ]
                    for feature in features
                    if feature.name in request.inputs
                }
                size = min(map(len, columns.values()), default=0) if len(columns) == len(features) else 0
                if size > len(found):
                    found = [{name: values[row] for name, values in columns.items()} for row in range(size)]
    except (OSError, DecodeError, ServingError):
        # An example is a convenience; a server that cannot read the file says so itself.
        return []
    return found


def _value(value: Any) -> float | str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or None
    # The shortest text that is the same float32.
    number = float(str(value))
    return number if math.isfinite(number) else None


def values(version: Path, feature: Feature, examples: Sequence[Mapping[str, Any]]) -> list[str]:
    """The values of a text column that are known: Transform's, the most frequent first, or those of the examples."""
    try:
        with (version / VOCABULARY.format(feature.name)).open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line, _ in zip(file, range(MOST_VALUES), strict=False)]
    except OSError:
        return sorted({str(row[feature.name]) for row in examples if row[feature.name] is not None})
