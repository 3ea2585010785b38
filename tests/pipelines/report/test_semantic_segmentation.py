from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ann_keras.datasets import masks
from ann_keras.task import VOID, Feature
from ann_keras.tasks import semantic_segmentation as segmentation
from pipelines.report import pictures, sections
from pipelines.report.sections import semantic_segmentation
from tests.pipelines.report import example

SETTINGS: dict[str, Any] = {"weight_map": False, "class_weights": "none", "w0": 10.0, "sigma": 5.0, "cells": ()}
PALETTE = ((10, 20, 30), (200, 100, 0), (0, 0, 255))


def task(classes: tuple[str, ...], palette: tuple[tuple[int, int, int], ...] = ()) -> Any:
    features = {
        "image": Feature("image", "image", (None, None, 3), "uint8"),
        "mask": Feature("mask", "mask", (None, None), "uint8", classes, palette=palette),
    }
    return segmentation.bind(features, segmentation.Config())


def answered(truths: list[Any], answers: list[Any], dataset: str = "", **settings: Any) -> sections.Answered:
    encoded = [[pictures.png(np.array(mask, np.uint8)) for mask in given] for given in (truths, answers)]
    images = [pictures.png(np.zeros((*np.shape(mask), 3))) for mask in truths]
    keys = [f"image-{place}" for place in range(len(truths))]
    given = {"mask_bytes": np.array(encoded[1], object)}
    labels = np.array(encoded[0], object)
    return sections.Answered(keys, {"image": images}, labels, given, lambda raw: {}, {**SETTINGS, **settings}, dataset)


def made(asked: Any, given: sections.Answered) -> dict[str, str]:
    found = semantic_segmentation.sections(asked, semantic_segmentation.collect(asked, given))
    return {section.title: str(section.html) for section in found}


def drawn(html: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in re.findall(r'base64,([^"]+)"', html)]


THREE = task(("sky", "tree", "car"), PALETTE)


def test_the_module_is_found() -> None:
    assert sections.for_task("semantic_segmentation") is semantic_segmentation


def test_the_worst_mask_is_first_beside_its_truth_and_its_errors() -> None:
    truths = [[[0, 0], [1, 1]], [[0, 1], [VOID, 2]]]
    html = made(THREE, answered(truths, [truths[0], [[0, 2], [1, 2]]]))["Masks, worst first"]
    assert re.findall(r"image-\d\nmean IoU [\d.]+", html) == ["image-1\nmean IoU 0.500", "image-0\nmean IoU 1.000"]
    assert re.findall(r"[\d.]+\s% wrong", html) == ["33.3\N{NO-BREAK SPACE}% wrong", "0.0\N{NO-BREAK SPACE}% wrong"]
    _, truth, answer, errors = (np.asarray(image.convert("RGB")) for image in drawn(html)[:4])
    assert truth.tolist() == [[[10, 20, 30], [200, 100, 0]], [[120, 120, 120], [0, 0, 255]]]
    assert answer[0, 1].tolist() == [0, 0, 255]
    assert errors.tolist() == [[[222, 222, 222], [203, 24, 29]], [[120, 120, 120], [222, 222, 222]]]
    assert '<li><i style="background:#c86400"></i>tree</li>' in html


def test_classes_are_scored_over_all_pixels() -> None:
    # sky: 2 of 2 right, 1 more answered; tree: 0 of 1; car is nowhere.
    html = made(THREE, answered([[[0, 1]], [[0, VOID]]], [[[0, 0]], [[0, 2]]]))["Classes"]
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr>(.*?)</tr>", html)][1:]
    assert rows == [
        ["sky", "2", "66.67", "%", "100.00", "%", "1.0000", "0.6667"],
        ["tree", "1", "33.33", "%", "0.00", "%", "0.0000", "0.0000"],
        ["car", "0", "0.00", "%", "0.00", "%", "–", "–"],
    ]


def test_the_confusion_of_many_pixels_is_told_in_shares() -> None:
    truth = np.zeros((100, 100), np.uint8)
    answer = truth.copy()
    answer[0, :3] = 1
    html = made(THREE, answered([truth], [answer]))["Confusion matrix"]
    assert re.findall(r'title="sky taken for (\w+: \d+)">([^<]+)<', html) == [
        ("sky: 9997", "99.9"), ("tree: 3", "&lt;0.1"), ("car: 0", "0"),
    ]  # fmt: skip
    assert "sky → tree" in html and "pixels" in html
    same = made(THREE, answered([truth], [truth]))["Confusion matrix"]
    assert "No pixel of the test split was taken for another class" in same


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (900, 600)])
def test_any_size_and_many_classes(size: tuple[int, int]) -> None:
    many = task(tuple(f"class {index}" for index in range(150)))
    truth = np.random.default_rng(0).integers(0, 150, size).astype(np.uint8)
    html = made(many, answered([truth], [truth], class_weights="inverse"))
    assert "<summary>151 colours</summary>" in html["Masks, worst first"]
    assert "<summary>120 more rows</summary>" in html["Classes"]
    for shown in drawn(html["Masks, worst first"])[1:]:
        assert shown.format == "PNG" and shown.size == tuple(
            max(1, side * 256 // max(size)) if max(size) > 256 else side for side in reversed(size)
        )
    assert "Weights of the pixels" in html


def test_weights_are_drawn_with_their_range_and_those_of_the_classes() -> None:
    truth = np.zeros((9, 9), np.uint8)
    truth[:, :3], truth[:, 6:] = 1, 1
    two = task(("ground", "cell"))
    plain = answered([truth], [truth])
    assert "Weights of the pixels" not in made(two, plain)
    # Three columns between the cells, with d1 + d2 = 4: 1 + 10 exp(-16 / 50).
    html = made(two, answered([truth], [truth], weight_map=True))["Weights of the pixels"]
    assert f"1 to {1 + 10 * np.exp(-16 / 50):.3g}" in html and "w_c</th>" not in html
    html = made(two, answered([truth], [truth], class_weights="inverse"))["Weights of the pixels"]
    assert "0.75 to 1.5" in html  # 1 / (2 x 2/3) and 1 / (2 x 1/3)
    assert re.findall(r'<th scope="row">(\w+)</th><td class="number">([\d.]+)', html) == [
        ("ground", "1.5"), ("cell", "0.7500"),
    ]  # fmt: skip
    assert "w0 = " not in html


def test_a_large_image_is_weighed_in_its_middle() -> None:
    truth = np.zeros((30, 1500), np.uint8)
    truth[:, 700], truth[:, 702] = 1, 1
    html = made(task(("ground", "cell")), answered([truth], [truth], weight_map=True))["Weights of the pixels"]
    assert "its middle, 1024 x 30 pixels" in html


def test_segments_are_for_two_classes_and_published_figures_for_their_dataset() -> None:
    truth = [[1, 1, 0, 1, 1]]
    given = answered([truth, truth], [[[1, 1, 1, 1, 1]], truth])
    assert "Segments" not in made(THREE, given)
    html = made(task(("membrane", "cell")), given)["Segments"]
    rows = re.findall(r'<th scope="row">([\w-]+)</th><td class="number">([\d.]+)', html)
    assert rows == [("mean", "0.2500"), ("image-0", "0.5000"), ("image-1", "0.0000")]
    assert "Published" not in html
    challenge = answered([truth], [truth], dataset="isbi2012")
    html = made(task(("membrane", "cell")), challenge)["Segments"]
    assert "<td>0.000353</td><td>0.0382</td><td>0.0611</td>" in html and "not of one scale" in html


def test_training_images_show_every_class_first() -> None:
    given = [np.zeros((2, 2)), np.zeros((2, 2)), np.full((2, 2), VOID), np.array([[0, 1], [1, 2]])]
    raw = {"image": [example.encoded(np.zeros(64))] * 4, "mask": [pictures.png(mask) for mask in given]}
    section = semantic_segmentation.training(THREE, ["a", "b", "c", "d"], raw)
    assert re.findall(r'alt="(\w): true mask"', str(section.html)) == ["a", "d", "b", "c"]
    np.testing.assert_array_equal(np.asarray(drawn(str(section.html))[3]), given[3])
    assert masks.pixels(raw["mask"][3]).max() == 2


def test_no_examples_no_sections() -> None:
    assert made(THREE, answered([], [])) == {}
