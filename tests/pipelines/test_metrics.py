"""The Evaluator's own metrics by hand, alone and through TensorFlow Model Analysis's combiners."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow


class Element:
    """An example as TFMA hands it to a combiner."""

    def __init__(self, label: float, **answers: Any) -> None:
        self.label = np.array([label])
        self.answers = {name: np.asarray(value) for name, value in answers.items()}

    def get_labels(self, model_name: str = "", output_name: str = "") -> np.ndarray:
        return self.label

    def get_predictions(self, model_name: str = "", output_name: str = "") -> dict[str, np.ndarray]:
        return self.answers


def measured(name: str, elements: list[Element], parts: int = 2, module: Any = None, **options: Any) -> float:
    """The metric over `elements`, which are added up in parts that Beam then merges."""
    from pipelines import metrics

    metric = getattr(module or metrics, name)(name="figure", **options)
    (computation,) = metric.computations(model_names=[""], output_names=[""])
    combiner = computation.combiner
    accumulators = [combiner.create_accumulator()]
    for start in range(parts):
        accumulator = combiner.create_accumulator()
        for element in elements[start::parts]:
            accumulator = combiner.add_input(accumulator, element)
        accumulators.append(accumulator)
    (value,) = combiner.extract_output(combiner.merge_accumulators(accumulators)).values()
    return value


NUMBERS = [
    Element(10, value=20, low=5, high=25),
    Element(30, value=25, low=20, high=28),
    Element(20, value=20, low=20, high=20),
]


def test_of_numbers() -> None:
    assert measured("RootMeanSquaredError", NUMBERS) == pytest.approx(math.sqrt(125 / 3))
    assert measured("R2", NUMBERS) == pytest.approx(1 - 125 / 200)
    assert measured("Coverage", NUMBERS) == pytest.approx(2 / 3)
    assert measured("IntervalWidth", NUMBERS) == pytest.approx(28 / 3)


def test_of_targets_that_do_not_vary() -> None:
    assert measured("R2", [Element(3, value=2), Element(3, value=3)]) == 0


def test_of_classes() -> None:
    elements = [
        Element(0, probabilities=[0.8, 0.1, 0.1]),
        Element(0, probabilities=[0.4, 0.5, 0.1]),
        Element(0, probabilities=[0.1, 0.5, 0.4]),
        Element(2, probabilities=[0.1, 0.2, 0.7]),
    ]
    assert measured("MeanRecall", elements) == pytest.approx((1 / 3 + 1) / 2)


def test_of_a_model_with_one_output() -> None:
    """Its answers come without their name."""
    elements = [Element(10), Element(30)]
    for element, value in zip(elements, (20.0, 25.0), strict=True):
        element.answers = np.array([value])  # type: ignore[assignment]
    assert measured("RootMeanSquaredError", elements) == pytest.approx(math.sqrt((100 + 25) / 2))


def test_of_nothing() -> None:
    assert math.isnan(measured("R2", []))
