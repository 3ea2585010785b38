"""Features and metrics."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ann_keras.task import WIRE, Evaluation, Feature, Metric, Task


@pytest.mark.parametrize(
    ("kind", "dtype", "shape"),
    [
        ("image", "string", ()),
        ("mask", "string", ()),
        ("label", "int64", ()),
        ("number", "float32", (2, 3)),
        ("tensor", "float32", (2, 3)),
        ("text", "string", ()),
    ],
)
def test_how_a_feature_travels(kind: str, dtype: str, shape: tuple[int, ...]) -> None:
    feature = Feature("x", kind, (2, 3))
    assert (feature.wire_dtype, feature.wire_shape) == (dtype, shape)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        ValueError, match="feature 'x': kind 'sound' is not one of image, mask, label, number, tensor, text"
    ):
        Feature("x", "sound")
    assert set(WIRE) == {"image", "mask", "label", "number", "tensor", "text"}


@pytest.mark.parametrize(
    ("lower", "upper", "value", "passes"),
    [
        (None, None, -1e9, True),
        (0.5, None, 0.5, True),
        (0.5, None, 0.49, False),
        (None, 2.0, 2.0, True),
        (None, 2.0, 2.01, False),
        (0.5, 2.0, 1.0, True),
        (0.5, 2.0, 3.0, False),
        (None, None, float("nan"), False),
        (0.5, None, float("nan"), False),
    ],
)
def test_thresholds_include_their_ends(lower: float | None, upper: float | None, value: float, passes: bool) -> None:
    assert Metric("m", "M", lower=lower, upper=upper).passes(value) is passes


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_between_both_thresholds_is_above_one_and_below_the_other(lower: float, upper: float, value: float) -> None:
    both = Metric("m", "M", lower=lower, upper=upper).passes(value)
    assert both == (Metric("m", "M", lower=lower).passes(value) and Metric("m", "M", upper=upper).passes(value))


def task(**others: Any) -> Task:
    """Doubles its input, to which the model adds one."""
    x = Feature("x", "number")
    return Task(
        name="doubling",
        features=(x,),
        label=Feature("y", "number"),
        inputs=(x,),
        outputs=x,
        preprocess=lambda raw, analyzers: {"x": 2 * raw["x"], "more": raw["x"]},
        compile_args=dict,
        postprocess=lambda outputs, prepared: {"answer": outputs, "more": prepared["more"]},
        evaluation=Evaluation((), "answer"),
        **others,
    )


def test_a_model_is_asked_for_its_inputs_outside_training() -> None:
    asked = []

    def model(inputs: dict[str, int], training: bool) -> int:
        asked.append((inputs, training))
        return inputs["x"] + 1

    assert task().answer(model, {"x": 6, "more": 3}) == {"answer": 7, "more": 3}
    assert asked == [({"x": 6}, False)]


def test_a_task_may_ask_in_its_own_way() -> None:
    asking = task(ask=lambda model, prepared: model(prepared["x"]) + model(prepared["more"]))
    assert asking.answer(lambda x: x + 1, {"x": 6, "more": 3}) == {"answer": 11, "more": 3}
