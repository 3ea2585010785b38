"""Figures of a confusion matrix by hand, for numpy and for Keras alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops
from sklearn.metrics import accuracy_score, jaccard_score, recall_score

from ann_keras.metrics import confusion

N = np.array([[3.0, 1, 0, 0], [2, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
"""Of 4 and 6 pixels of the classes 0 and 1, 3 and 4 are right; the other classes neither occur nor are answered."""


@pytest.fixture(params=["numpy", "keras"])
def figure(request: pytest.FixtureRequest) -> Callable[..., np.ndarray]:
    """name, matrix -> the figure, as both libraries work it out."""
    xp: Any = np if request.param == "numpy" else ops

    def found(name: str, n: np.ndarray) -> np.ndarray:
        given = n if xp is np else ops.convert_to_tensor(n, "float32")
        return np.asarray(getattr(confusion, name)(given, xp))

    return found


def test_by_hand(figure: Callable[..., np.ndarray]) -> None:
    assert figure("pixel_accuracy", N) == pytest.approx(7 / 10)
    assert figure("mean_accuracy", N) == pytest.approx((3 / 4 + 4 / 6) / 2)
    np.testing.assert_allclose(figure("class_iou", N), [3 / 6, 4 / 7, 0, 0], rtol=1e-6)
    assert figure("mean_iou", N) == pytest.approx((3 / 6 + 4 / 7) / 2)
    assert figure("frequency_weighted_iou", N) == pytest.approx((4 * 3 / 6 + 6 * 4 / 7) / 10)


def test_a_class_that_is_answered_and_does_not_occur_takes_part_in_the_iou_alone(
    figure: Callable[..., np.ndarray],
) -> None:
    n = np.array([[3.0, 1], [0, 0]])
    assert figure("mean_accuracy", n) == pytest.approx(3 / 4)
    assert figure("mean_iou", n) == pytest.approx((3 / 4 + 0) / 2)
    assert figure("frequency_weighted_iou", n) == pytest.approx(3 / 4)


@pytest.mark.parametrize("name", ["pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou"])
def test_ends(figure: Callable[..., np.ndarray], name: str) -> None:
    assert figure(name, np.zeros((3, 3))) == 0
    assert figure(name, np.diag([5.0, 0, 2])) == pytest.approx(1)
    assert figure(name, np.array([[0.0, 5], [2, 0]])) == 0


masks = arrays(np.int64, st.tuples(st.just(2), st.integers(1, 40)), elements=st.integers(0, 3))


@given(masks)
def test_agrees_with_scikit_learn(pair: np.ndarray) -> None:
    true, answered = pair
    n = np.zeros((4, 4))
    np.add.at(n, (true, answered), 1)
    union = np.union1d(true, answered)
    scores = {"labels": union, "average": None, "zero_division": 0}
    np.testing.assert_allclose(confusion.class_iou(n, np)[union], jaccard_score(true, answered, **scores))
    assert confusion.mean_iou(n, np) == pytest.approx(jaccard_score(true, answered, **{**scores, "average": "macro"}))
    assert confusion.frequency_weighted_iou(n, np) == pytest.approx(
        jaccard_score(true, answered, **{**scores, "average": "weighted"})
    )
    assert confusion.pixel_accuracy(n, np) == pytest.approx(accuracy_score(true, answered))
    recalls = recall_score(true, answered, labels=np.unique(true), average="macro")
    assert confusion.mean_accuracy(n, np) == pytest.approx(recalls)
