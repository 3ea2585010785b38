from __future__ import annotations

import io
from types import SimpleNamespace

from ann_keras.models.feed_forward import linear, perceptron
from ann_keras.models.segmentation import nin_segmenter
from pipelines import commands, console
from pipelines.report.remarks import remarks


def test_a_model_without_remarks_or_epochs_says_nothing():
    assert remarks(SimpleNamespace(model=linear), {"loss": [1.0]}) == []
    assert remarks(SimpleNamespace(model=perceptron), {}) == []


def test_the_perceptron_says_whether_it_came_to_rest():
    (line,) = remarks(SimpleNamespace(model=perceptron), {"loss": [2.0, 1.0, 0.0]})
    assert line.startswith("converged: epoch 3")


def test_a_model_that_asks_for_its_config_is_given_it():
    triple = SimpleNamespace(model=nin_segmenter, config=nin_segmenter.Config(layers=2, kernel=3))
    (line,) = remarks(triple, {"loss": [1.0]})
    assert "5x5 pixels" in line


def test_the_remarks_of_a_run_are_printed():
    out = io.StringIO()
    found = {"metrics": {}, "serving_dir": None, "report": None, "reasons": [], "remarks": ["receptive field: 5x5"]}
    commands.answer(found, False, console.Lines(out), out)
    assert "receptive field: 5x5" in out.getvalue()
