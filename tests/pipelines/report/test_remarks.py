from __future__ import annotations

from types import SimpleNamespace

from ann_keras.models.feed_forward import linear, perceptron
from pipelines.report.remarks import remarks


def test_a_model_without_remarks_or_epochs_says_nothing():
    assert remarks(SimpleNamespace(model=linear), {"loss": [1.0]}) == []
    assert remarks(SimpleNamespace(model=perceptron), {}) == []


def test_the_perceptron_says_whether_it_came_to_rest():
    (line,) = remarks(SimpleNamespace(model=perceptron), {"loss": [2.0, 1.0, 0.0]})
    assert line.startswith("converged: epoch 3")
