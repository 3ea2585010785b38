"""What a server counts, in the names and the text that TF Serving gives to Prometheus."""

from __future__ import annotations

import bisect
import re
import threading
from collections.abc import Sequence

from serving.errors import Code

DEFAULT_PATH = "/monitoring/prometheus/metrics"
MICROSECONDS = tuple(10 * 1.8**power for power in range(33))
"""Upper limits of the latencies' buckets: from 10 microseconds to about 20 minutes."""


def _labels(names: Sequence[str], values: Sequence[str]) -> str:
    escaped = (value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for value in values)
    return ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))


class _Metric:
    """A metric with its labels; its name as Prometheus wants it."""

    kind = ""

    def __init__(self, path: str, labels: Sequence[str]) -> None:
        self.name = re.sub(r"[^a-zA-Z0-9_]", ":", path)
        self._labels = labels
        self._lock = threading.Lock()

    def lines(self) -> list[str]:
        """Returns its part of the page."""
        with self._lock:
            return [f"# TYPE {self.name} {self.kind}", *self._points()]

    def _points(self) -> list[str]:
        raise NotImplementedError


class Counter(_Metric):
    """A number by labels that only grows."""

    kind = "counter"

    def __init__(self, path: str, labels: Sequence[str]) -> None:
        super().__init__(path, labels)
        self._values: dict[tuple[str, ...], int] = {}

    def add(self, *labels: str, by: int = 1) -> None:
        """Adds to the number of these labels."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + by

    def _points(self) -> list[str]:
        return [f"{self.name}{{{_labels(self._labels, key)}}} {value}" for key, value in sorted(self._values.items())]


class Histogram(_Metric):
    """A distribution by labels.

    Args:
        path: TF Serving's name of the metric.
        labels: names of its labels.
        limits: upper limits of the buckets but the last.
    """

    kind = "histogram"

    def __init__(self, path: str, labels: Sequence[str], limits: Sequence[float]) -> None:
        super().__init__(path, labels)
        self._limits = limits
        self._cells: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}

    def observe(self, *labels: str, value: float) -> None:
        """Adds a value to the distribution of these labels."""
        with self._lock:
            counts, total = self._cells.setdefault(labels, ([0] * (len(self._limits) + 1), [0.0]))
            counts[bisect.bisect_right(self._limits, value)] += 1
            total[0] += value

    def _points(self) -> list[str]:
        lines = []
        for key, (counts, total) in sorted(self._cells.items()):
            labels, seen = _labels(self._labels, key), 0
            for limit, count in zip((*(f"{one:g}" for one in self._limits), "+Inf"), counts, strict=True):
                seen += count
                lines.append(f'{self.name}_bucket{{{labels},le="{limit}"}} {seen}')
            lines += [f"{self.name}_sum{{{labels}}} {total[0]:g}", f"{self.name}_count{{{labels}}} {seen}"]
        return lines


class Metrics:
    """Everything that the server counts. May be used from any thread.

    Args:
        path: where the REST API answers with `exposition`; "" where it does not.

    Attributes:
        path: the same.
    """

    def __init__(self, path: str = "") -> None:
        self.path = path
        self._requests = Counter("/tensorflow/serving/request_count", ("model_name", "status"))
        self._latency = Histogram(
            "/tensorflow/serving/request_latency", ("model_name", "API", "entrypoint"), MICROSECONDS
        )
        self._loads = Counter("/tensorflow/cc/saved_model/load_attempt_count", ("model_path", "status"))
        self._load_latency = Counter("/tensorflow/cc/saved_model/load_latency", ("model_path",))
        self._warmups = Histogram("/tensorflow/serving/model_warmup_latency", ("model_path", "status"), MICROSECONDS)
        self._all = sorted(
            (self._requests, self._latency, self._loads, self._load_latency, self._warmups), key=lambda one: one.name
        )

    def observe(self, api: str, model: str, code: Code, seconds: float, entry: str) -> None:
        """Counts a request.

        Args:
            api: "Predict", "Classify", "Regress" or "MultiInference".
            model: the name that was asked for, of a model that is served.
            code: how it ended.
            seconds: how long it took.
            entry: "GRPC" or "REST".
        """
        self._requests.add(model, code.name)
        if code is Code.OK:
            self._latency.observe(model, api, entry, value=seconds * 1e6)

    def loaded(self, path: str, succeeded: bool, seconds: float) -> None:
        """Counts an attempt to load a version."""
        self._loads.add(path, "success" if succeeded else "fail")
        self._load_latency.add(path, by=round(seconds * 1e6))

    def warmed(self, path: str, status: str, seconds: float) -> None:
        """Counts a warm-up of a version; `status` is "OK", or what went wrong."""
        self._warmups.observe(path, status, value=seconds * 1e6)

    def exposition(self) -> bytes:
        """Returns the page for Prometheus, in its text format."""
        return ("\n".join(line for metric in self._all for line in metric.lines()) + "\n").encode()


def for_config(config: object) -> Metrics:
    """Returns metrics that are served as a MonitoringConfig says."""
    prometheus = config.prometheus_config  # type: ignore[attr-defined]
    return Metrics((prometheus.path or DEFAULT_PATH) if prometheus.enable else "")
