"""Metrics that TensorFlow Model Analysis lacks, for its Evaluator, which makes them by the names of their classes.

Each is a sum over the examples and what follows from it, so that Beam may add in any order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_util

Answers = Mapping[str, np.ndarray]
"""What the exported signature answers to one example, by name."""
Terms = Callable[[float, Answers], np.ndarray]
"""An example's label, NaN where that is no number, and answers -> what is added up, float64 [...]."""
Finish = Callable[[np.ndarray], float]


class _Combiner(beam.CombineFn):
    """Adds the terms of all examples; no example is NaN."""

    def __init__(self, key: Any, terms: Terms, finish: Finish) -> None:
        self._key, self._terms, self._finish = key, terms, finish

    def create_accumulator(self) -> np.ndarray | None:
        """Nothing yet."""
        return None

    def add_input(self, accumulator: np.ndarray | None, element: Any) -> np.ndarray:
        """With the terms of one example."""
        answers = element.get_predictions(self._key.model_name, self._key.output_name)
        if not isinstance(answers, Mapping):  # the only output of a model has no name
            answers = dict.fromkeys(("value", "probabilities"), answers)
        added = self._terms(_number(element.get_labels(self._key.model_name, self._key.output_name)), answers)
        return added if accumulator is None else accumulator + added

    def merge_accumulators(self, accumulators: Iterable[np.ndarray | None]) -> np.ndarray | None:
        """The sum of what there is."""
        known = [one for one in accumulators if one is not None]
        return functools.reduce(np.add, known) if known else None

    def extract_output(self, accumulator: np.ndarray | None) -> dict[Any, float]:
        """The metric by its key."""
        return {self._key: float("nan") if accumulator is None else float(self._finish(accumulator))}


class Sum(tfma.metrics.Metric):
    """A metric that `finish` makes of the sum of `terms`."""

    def __init__(self, terms: Terms, finish: Finish, name: str) -> None:
        def computations(
            name: str = name, model_name: str = "", output_name: str = "", example_weighted: bool = False
        ) -> list[Any]:
            key = tfma.metrics.MetricKey(name=name, model_name=model_name, output_name=output_name)
            combiner = _Combiner(key, terms, finish)
            return [tfma.metrics.MetricComputation(keys=[key], preprocessors=None, combiner=combiner)]

        super().__init__(metric_util.merge_per_key_computations(computations), name=name)


class RootMeanSquaredError(Sum):
    """sqrt(mean (t - g)^2) in the target's own unit; the answer g is "value"."""

    def __init__(self, name: str = "rmse") -> None:
        super().__init__(_squared_error, lambda total: np.sqrt(total[1] / total[0]), name)


class R2(Sum):
    """1 - sum (t - g)^2 / sum (t - mean t)^2; 0 where the targets do not vary."""

    def __init__(self, name: str = "r2") -> None:
        super().__init__(_residual, _explained, name)


class Coverage(Sum):
    """Share of the targets in the interval from "low" to "high"."""

    def __init__(self, name: str = "coverage") -> None:
        super().__init__(_inside, lambda total: total[1] / total[0], name)


class IntervalWidth(Sum):
    """Mean of "high" - "low" in the target's own unit."""

    def __init__(self, name: str = "interval_width") -> None:
        super().__init__(_width, lambda total: total[1] / total[0], name)


class MeanRecall(Sum):
    """Mean over the classes with an example of the share that is answered right; classes by "probabilities".

    That is the balanced accuracy, a name that TFMA keeps for its own metric of two classes.
    """

    def __init__(self, name: str = "balanced_accuracy") -> None:
        super().__init__(_recall, _mean_recall, name)


def _number(value: Any) -> float:
    array = np.asarray(value).reshape(-1)
    return float(array[0]) if array.dtype.kind in "iufb" else float("nan")


def _squared_error(target: float, answers: Answers) -> np.ndarray:
    return np.array([1.0, (target - _number(answers["value"])) ** 2])


def _residual(target: float, answers: Answers) -> np.ndarray:
    return np.array([1.0, target, target**2, (target - _number(answers["value"])) ** 2])


def _explained(total: np.ndarray) -> float:
    count, first, second, residual = total
    scatter = second - first**2 / count
    return 1 - residual / scatter if scatter > 0 else 0.0


def _inside(target: float, answers: Answers) -> np.ndarray:
    return np.array([1.0, float(_number(answers["low"]) <= target <= _number(answers["high"]))])


def _width(target: float, answers: Answers) -> np.ndarray:
    return np.array([1.0, _number(answers["high"]) - _number(answers["low"])])


def _recall(target: float, answers: Answers) -> np.ndarray:
    probabilities = np.asarray(answers["probabilities"]).reshape(-1)
    terms = np.zeros((2, len(probabilities)))
    terms[0, int(target)] = 1.0
    terms[1, int(target)] = float(probabilities.argmax() == int(target))
    return terms


def _mean_recall(total: np.ndarray) -> float:
    there = total[0] > 0
    return float(np.mean(total[1, there] / total[0, there]))
