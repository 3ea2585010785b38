"""Image classification: what it binds to, and its functions against values worked out by hand."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ann_keras import data
from ann_keras.datasets import images
from ann_keras.settings import apply
from ann_keras.task import Feature
from ann_keras.tasks import image_classification
from ann_keras.tasks.image_classification import Config, augment, bind, distort, missing_roles, postprocess, preprocess

CLASSES = ("cat", "dog", "cow")


def features(shape: tuple[int | None, ...] = (2, 2, 1), classes: tuple[str, ...] = CLASSES) -> dict[str, Feature]:
    return {"image": Feature("image", "image", shape, "uint8"), "label": Feature("label", "label", classes=classes)}


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_missing_roles_are_named_with_their_kinds() -> None:
    assert missing_roles(features()) == []
    assert missing_roles({"image": features()["image"]}) == ["label (label)"]
    assert missing_roles({"image": Feature("image", "tensor"), "target": features()["label"]}) == [
        "image (image)",
        "label (label)",
    ]


@pytest.mark.parametrize(
    ("shape", "image_size", "expected"),
    [
        ((8, 9, 1), (), (8, 9, 1)),
        ((8, 9, 1), (5, 6), (5, 6, 1)),
        ((None, None, 3), (), (64, 64, 3)),
        ((None, 9, None), (), (64, 64, 3)),
        ((None, None, None), (10, 12), (10, 12, 3)),
    ],
)
def test_the_models_input(shape: tuple[int | None, ...], image_size: tuple[int, ...], expected: Any) -> None:
    task = bind(features(shape), Config(image_size=image_size))
    assert task.inputs[0].shape == expected
    assert task.outputs.shape == (3,)
    assert (task.features, task.label) == ((features(shape)["image"],), features()["label"])


def test_what_cannot_be_bound() -> None:
    with pytest.raises(ValueError, match=r"image_size=\(8, 8, 8\): expected height,width"):
        bind(features(), Config(image_size=(8, 8, 8)))
    with pytest.raises(ValueError, match="needs two classes or more, the data has 1"):
        bind(features(classes=("cat",)), Config())


def test_thresholds() -> None:
    accuracy = bind(features(classes=tuple("abcde")), Config(max_accuracy_drop=0.03)).evaluation.metrics[0]
    assert accuracy.name == "accuracy"
    assert accuracy.lower == pytest.approx(0.2 + 0.1 * 0.8)  # a tenth of the way from chance to perfect
    assert accuracy.change == 0.03
    assert bind(features(), Config(min_accuracy=0.0)).evaluation.metrics[0].lower == 0


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_every_format_is_decoded_to_a_share_of_255(kind: str) -> None:
    pixels = np.full((2, 3), 51, np.uint8)
    found = preprocess({"image": tf.constant([encoded(pixels, kind)])}, None, shape=(2, 3, 1), standardize=False)
    np.testing.assert_allclose(found["image"], np.full((1, 2, 3, 1), 0.2), atol=1e-6)
    assert set(found) == {"image"}


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
def test_colours_stay_in_their_channels(kind: str) -> None:
    pixels = np.full((16, 16, 3), (255, 0, 51), np.uint8)
    found = preprocess({"image": tf.constant([encoded(pixels, kind)])}, None, shape=(16, 16, 3), standardize=False)
    np.testing.assert_allclose(found["image"][0, 8, 8], [1, 0, 0.2], atol=0.02 if kind == "JPEG" else 1e-6)


def test_standardising_by_hand() -> None:
    """Two images of the channels (0, 1) and (1, 0.6): means 0.5 and 0.8, deviations 0.5 and 0.2."""
    batch = [encoded(np.full((2, 2, 3), colour, np.uint8)) for colour in ((0, 255, 0), (255, 153, 0))]
    constants = data.Constants({"image_moments": np.array([0.5, 0.8, 0.0, 0.5, 0.68, 0.0], "float32")})
    raw = {"image": tf.constant(batch), "label": tf.constant([2, 0], tf.int64)}
    found = preprocess(raw, constants, shape=(2, 2, 3), standardize=True)
    np.testing.assert_allclose(found["image"][0, 0, 0], [-1, 1, 0], atol=1e-4)
    np.testing.assert_allclose(found["image"][1, 1, 1], [1, -1, 0], atol=1e-4)
    assert found["label"].numpy().tolist() == [2, 0]


def test_moments_are_those_of_all_pixels() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 3, 4, 3), dtype=np.uint8)
    task = bind(features((3, 4, 3)), Config())
    records = tf.data.Dataset.from_tensor_slices({"image": [images.encode_png(image) for image in pixels]})
    found = data.analyze(task, records).found["image_moments"]
    scaled = pixels / 255
    np.testing.assert_allclose(found[:3], scaled.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found[3:], (scaled**2).mean((0, 1, 2)), rtol=1e-5)


def test_an_image_of_one_colour_is_not_divided_by_zero() -> None:
    task = bind(features(), Config())
    records = tf.data.Dataset.from_tensors({"image": encoded(np.full((2, 2), 7, np.uint8))})
    answer = task.preprocess(
        {"image": tf.constant([encoded(np.full((2, 2), 7, np.uint8))])}, data.analyze(task, records)
    )
    np.testing.assert_allclose(answer["image"], 0, atol=1e-3)


GRID = np.arange(12, dtype="float32").reshape(1, 3, 4, 1)


def moved(**by: float) -> np.ndarray:
    drawn = {name: tf.constant([by.get(name, 0.0)]) for name in ("right", "down", "wider", "higher", "shear")}
    return distort(tf.constant(GRID), **drawn).numpy()[0, :, :, 0]


def test_distortions_by_hand() -> None:
    grid = GRID[0, :, :, 0]
    np.testing.assert_allclose(moved(), grid)
    np.testing.assert_allclose(moved(right=0.25), grid[:, [1, 2, 3, 3]])  # one of four columns
    np.testing.assert_allclose(moved(down=-1 / 3), grid[[0, 0, 1]], atol=1e-5)  # one of three rows
    np.testing.assert_allclose(moved(right=0.125)[0], [0.5, 1.5, 2.5, 3])  # half a column
    # Twice as wide a window around the centre: columns -1.5, 0.5, 2.5, 4.5 of it.
    np.testing.assert_allclose(moved(wider=1.0)[0], [0, 0.5, 2.5, 3])
    np.testing.assert_allclose(moved(higher=1.0)[:, 0], [0, 4, 8])
    # A row up the window moves left, a row down right, the middle one not.
    np.testing.assert_allclose(moved(shear=1.0), [[0, 0, 1, 2], [4, 5, 6, 7], [9, 10, 11, 11]])


@pytest.mark.parametrize(
    "kind", [kind for kind in Config.__dataclass_fields__["augment"].metadata["choices"] if kind != "none"]
)
def test_augmenting_depends_on_the_seed_alone(kind: str) -> None:
    (config,) = apply([Config()], {"augment": kind})
    task = bind(features((6, 5, 3)), config)
    image = tf.constant(np.random.default_rng(0).random((32, 6, 5, 3), "float32"))
    label = tf.range(32)
    one, same, other = (task.augment({"image": image, "label": label}, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(one["image"], same["image"])
    assert np.abs(one["image"] - other["image"]).max() > 0.1
    assert np.abs(one["image"] - image).max() > 0.1
    assert one["image"].shape == image.shape
    np.testing.assert_array_equal(one["label"], label)
    assert float(tf.reduce_max(one["image"])) <= 1


def test_flips_mirror_about_half_of_the_images() -> None:
    image = np.random.default_rng(0).random((200, 2, 3, 1), "float32")
    found = augment({"image": tf.constant(image)}, [0, 0], kind="flip", distortion=0.0)["image"].numpy()
    mirrored = np.array([np.array_equal(one, other[:, ::-1]) for one, other in zip(found, image, strict=True)])
    kept = np.array([np.array_equal(one, other) for one, other in zip(found, image, strict=True)])
    assert (mirrored ^ kept).all()
    assert 70 < mirrored.sum() < 130


def test_no_augmentation() -> None:
    assert bind(features(), Config()).augment is None


def test_answers_by_hand() -> None:
    """Logits log 1, log 2, log 5 are the probabilities 1/8, 2/8, 5/8."""
    found = postprocess(tf.math.log([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]]), classes=CLASSES)
    np.testing.assert_allclose(found["probabilities"], [[0.125, 0.25, 0.625], [0.75, 0.125, 0.125]], rtol=1e-6)
    assert found["label"].numpy().tolist() == [b"cow", b"cat"]
    assert found["classes"].numpy().tolist() == 2 * [[b"cat", b"dog", b"cow"]]


@settings(max_examples=50)
@given(st.lists(st.tuples(*3 * [st.floats(-1e4, 1e4, width=32)]), max_size=5))
def test_answers_are_probabilities(rows: list[tuple[float, ...]]) -> None:
    logits = np.array(rows, "float32").reshape(-1, 3)
    found = {name: value.numpy() for name, value in postprocess(logits, classes=CLASSES).items()}
    assert found["probabilities"].shape == found["classes"].shape == logits.shape
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, rtol=1e-5)
    assert (found["probabilities"] >= 0).all()
    expected = [CLASSES[row].encode() for row in logits.argmax(axis=1)] if rows else []
    for label, best, row in zip(found["label"].tolist(), expected, found["probabilities"], strict=True):
        assert label == best or row[CLASSES.index(label.decode())] == row.max()


def test_half_precision_logits_give_full_precision_answers() -> None:
    found = postprocess(tf.constant([[0.0, 1.0, 2.0]], tf.float16), classes=CLASSES)
    assert found["probabilities"].dtype == tf.float32
    np.testing.assert_allclose(found["probabilities"], keras.ops.softmax(np.array([[0, 1, 2]], "float32")), rtol=1e-6)


def test_loss_and_metrics_by_hand() -> None:
    arguments = image_classification.compile_args()
    labels, logits = tf.constant([2, 1]), tf.math.log([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])
    expected = -(np.log(5 / 8) + np.log(1 / 8)) / 2
    assert float(arguments["loss"](labels, logits)) == pytest.approx(expected, rel=1e-5)
    found = {}
    for metric in arguments["metrics"]:
        metric.update_state(labels, logits)
        found[metric.name] = float(metric.result())
    assert found == {"accuracy": 0.5, "cross_entropy": pytest.approx(expected, rel=1e-5)}
    again = image_classification.compile_args()
    assert again["loss"] is not arguments["loss"]
    assert float(again["metrics"][0].result()) == 0


def test_settings_reach_the_functions() -> None:
    raw = {"image": tf.constant([encoded(np.full((2, 2), 51, np.uint8))])}
    plain = bind(features(), Config(standardize=False))
    np.testing.assert_allclose(plain.preprocess(raw, None)["image"], 0.2, atol=1e-6)
    assert dataclasses.replace(plain, augment=None) == plain
