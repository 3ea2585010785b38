from __future__ import annotations

import re

import numpy as np
import pytest

from pipelines.report import sections
from pipelines.report.sections import image_classification
from tests.pipelines.report import example


def made(predictions: image_classification.Predictions, classes: tuple[str, ...] = example.CLASSES) -> dict[str, str]:
    found = image_classification.sections(example.task(classes), predictions)
    return {section.title: str(section.html) for section in found}


def few(labels: list[int], probabilities: list[list[float]]) -> image_classification.Predictions:
    keys = [f"example-{index}" for index in range(len(labels))]
    images = [example.encoded(np.zeros(64))] * len(labels)
    return image_classification.Predictions(keys, images, np.array(labels, int), np.array(probabilities))


def test_a_task_with_a_module_is_found_and_others_have_none():
    assert sections.for_task("image_classification") is image_classification
    assert sections.for_task("regression_of_something") is None
    assert sections.for_task("../data") is None


def test_collect_takes_raw_inputs_and_answers_by_name():
    answers = {"classes": [b"0"], "probabilities": [[0.9, 0.1]]}
    answered = sections.Answered(["a"], {"image": [b"png"]}, np.array([[1]]), answers, lambda inputs: answers, {})
    found = image_classification.collect(example.task(), answered)
    assert (found.keys, found.images, found.labels.tolist()) == (["a"], [b"png"], [1])
    assert found.probabilities.shape == (1, 2)


def test_mistakes_are_ordered_by_confidence_and_limited():
    count = 40
    confidence = np.linspace(0.51, 0.99, count)
    predictions = few([0] * count, [[1 - value, value] for value in confidence])
    html = made(predictions, ("cat", "dog"))["Most confident mistakes"]
    shown = [float(value) for value in re.findall(r"cat → dog\n([\d.]+)\s%", html)]
    assert len(shown) == 24
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == 99.0
    assert "40 of 40 answers" in html
    assert 'alt="example-39: a cat taken for dog with 99.0\N{NO-BREAK SPACE}%"' in html


def test_only_the_mistakes_images_are_read():
    class Lazy(list):
        read: list[int] = []

        def __getitem__(self, index):
            self.read.append(int(index))
            return super().__getitem__(index)

    predictions = few([0, 1, 1], [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    lazy = Lazy(predictions.images)
    made(image_classification.Predictions(predictions.keys, lazy, predictions.labels, predictions.probabilities))
    assert lazy.read == [1]


def test_a_model_without_mistakes():
    html = made(few([0, 1], [[0.9, 0.1], [0.2, 0.8]]), ("cat", "dog"))
    assert "No example of the test split was taken for another class" in html["Confusion matrix"]
    assert "0 of 2 answers" in html["Most confident mistakes"]
    assert "<img" not in html["Most confident mistakes"]


def test_no_examples_no_sections():
    assert made(few([], [])) == {}


def test_the_confusion_matrix_counts_every_example():
    html = made(example.predictions())["Confusion matrix"]
    counts = [int(count) for count in re.findall(r'<td class="(?:right|wrong)[^>]*>(\d+)</td>', html)]
    assert len(counts) == 100
    assert sum(counts) == 360


@pytest.mark.parametrize("classes", [2, 20, 21, 130])
def test_any_number_of_classes(classes):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(classes), 5 * classes)
    names = tuple(f"class number {index}" for index in range(classes))
    html = made(few(random.integers(0, classes, 5 * classes).tolist(), probabilities.tolist()), names)
    assert ("<svg" in html["Confusion matrix"]) == (classes > 20)
    assert f"class number {classes - 1}" in html["Classes"]


def test_classes_without_names_are_numbered():
    assert '<th scope="row">1</th>' in made(few([0, 1], [[0.9, 0.1], [0.2, 0.8]]), ())["Classes"]


def test_names_are_escaped():
    html = made(few([0, 1], [[0.1, 0.9], [0.2, 0.8]]), ("<script>alert(1)</script>", "a&b"))
    assert not any("<script" in part for part in html.values())
    assert "a&amp;b" in html["Classes"]


def test_a_models_own_pictures_share_a_scale():
    section = sections.model_section("Templates", {"0": np.ones((2, 2)), "1": np.full((2, 2, 1), 0.5)}, "One a class.")
    assert section.title == "Templates"
    assert section.html.count("<img") == 2
    assert len(set(re.findall(r'src="([^"]+)"', section.html))) == 2
    assert 'alt="Templates: 0"' in section.html
