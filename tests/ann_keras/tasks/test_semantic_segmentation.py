"""Semantic segmentation: what it binds to, and its functions against values worked out by hand."""

from __future__ import annotations

import dataclasses
import functools
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ann_keras import data, registry, settings, training
from ann_keras.datasets import masks, shapes
from ann_keras.datasets.images import encode_png
from ann_keras.models.segmentation import fcn8s, fcn16s, fcn32s, nin_segmenter, segnet, stitching, unet
from ann_keras.task import VOID, Feature, Task
from ann_keras.tasks.semantic_segmentation import Config, bind, check, judge, missing_roles, postprocess
from serving.export import export
from tests.ann_keras.models.segmentation.building import build

CLASSES = ("ground", "cat", "Dog 2")


def features(shape: tuple[int | None, ...] = (2, 2, 3), classes: tuple[str, ...] = CLASSES) -> dict[str, Feature]:
    return {
        "image": Feature("image", "image", shape, "uint8"),
        "mask": Feature("mask", "mask", shape[:2], "uint8", classes),
    }


def bound(shape: tuple[int | None, ...] = (2, 2, 3), **overrides: Any) -> Task:
    (config,) = settings.apply([Config()], overrides)
    return bind(features(shape), config)


def pngs(*pictures: Any) -> tf.Tensor:
    return tf.constant([encode_png(np.array(picture, np.uint8)) for picture in pictures])


def constants(**found: Any) -> data.Constants:
    moments = np.array([0.0] * 3 + [1.0] * 3, "float32")
    return data.Constants({"image_moments": moments, **{name: np.array(one, "float32") for name, one in found.items()}})


def test_missing_roles_are_named_with_their_kinds() -> None:
    assert missing_roles(features()) == []
    assert missing_roles({"image": features()["image"]}) == ["mask (mask)"]
    assert missing_roles({"mask": Feature("mask", "label")}) == ["image (image)", "mask (mask)"]


WRONG = [
    ({"image_size": "5"}, "image_size=(5,): expected height,width"),
    ({"cells": "cow"}, "cells='cow': the classes are ground, cat, Dog 2"),
    ({"patches": 2, "crop": 8}, "patches=2 with crop=8: a step sees patches or a window, not both"),
]


@pytest.mark.parametrize(("overrides", "message"), WRONG, ids=str)
def test_settings_that_do_not_fit_are_one_line(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        bound(**overrides)
    assert str(caught.value) == message


def test_one_class_is_too_few() -> None:
    with pytest.raises(ValueError, match=r"^semantic segmentation needs two classes or more, the masks have 1$"):
        bind(features(classes=("ground",)), Config())


@pytest.mark.parametrize("model", [fcn32s, fcn16s, fcn8s, unet, segnet, nin_segmenter], ids=lambda one: one.__name__)
def test_shift_and_stitch_wants_a_heat_map(model: ModuleType) -> None:
    config = Config(inference="shift_and_stitch")
    if "fcn" in model.__name__:
        check(model, config, model.Config())
    else:
        with pytest.raises(ValueError, match=r"inference='shift_and_stitch': \w+ has no coarse heat map; fcn32s, "):
            check(model, config, model.Config())
    check(model, Config(), model.Config())


def test_what_it_asks_for() -> None:
    task = bound((None, 7, None))
    assert task.inputs[0].shape == (None, None, 3)
    assert task.outputs.shape == (None, None, 3)
    names = [metric.name for metric in task.evaluation.metrics]
    assert names[0] == "mean_iou"
    assert names[-3:] == ["iou_ground", "iou_cat", "iou_dog_2"]
    assert task.evaluation.metrics[0].lower == pytest.approx(1 / 3)
    assert bound(min_mean_iou=0.7).evaluation.metrics[0].lower == 0.7
    assert (task.augment, task.weigh) == (None, None)
    assert bound(brightness=0.1).augment is not None


def test_preprocessing_by_hand() -> None:
    """One class in each column, one pixel void; the picture standardised by mean 0.5 and deviation 0.5."""
    pixels = np.zeros((2, 2, 3))
    pixels[0, 0] = (255, 0, 51)
    mask = [[0, 2], [0, VOID]]
    moments = [0.5] * 3 + [0.5] * 3  # the mean square is the variance and the squared mean
    found = bound().preprocess({"image": pngs(pixels), "mask": pngs(mask)}, constants(image_moments=moments))
    np.testing.assert_allclose(found["image"][0, 0, 0], [1, -1, -0.6], atol=1e-5)
    np.testing.assert_allclose(found["moments"], [[0.5] * 6], atol=1e-6)
    assert found["mask"].dtype == tf.int64
    assert found["mask"].numpy().tolist() == [mask]
    assert found["truth"].numpy().tolist() == pngs(mask).numpy().tolist()
    assert found["encoded"].numpy().tolist() == pngs(pixels).numpy().tolist()
    # No pixel is a cat: the largest class's name stands in its place.
    assert found["contains"].numpy().tolist() == [[b"ground", b"ground", b"Dog 2"]]
    assert "weight" not in found


def test_without_the_mask_as_a_server_asks() -> None:
    found = bound().preprocess({"image": pngs(np.zeros((5, 4, 3)))}, constants())
    assert set(found) == {"image", "encoded", "moments"}
    assert found["image"].shape == (1, 2, 2, 3)


def test_masks_are_resized_to_the_nearest_pixel() -> None:
    mask = np.repeat(np.repeat([[0, 1], [2, VOID]], 3, 0), 3, 1)
    found = bound().preprocess({"image": pngs(np.zeros((6, 6, 3))), "mask": pngs(mask)}, constants())
    assert found["mask"].numpy().tolist() == [[[0, 1], [2, VOID]]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # 1 / (3 share), of 0.5, 0.3 and 0.0001, which is taken for 1/300.
        ("inverse", [1 / 1.5, 1 / 0.9, 100]),
        # The median share is 0.3.
        ("median", [0.3 / 0.5, 1, 0.3 * 300]),
    ],
)
def test_class_weights_by_hand(kind: str, expected: list[float]) -> None:
    raw = {"image": pngs(np.zeros((2, 2, 3))), "mask": pngs([[0, 1], [2, VOID]])}
    task = bound(class_weights=kind)
    found = task.preprocess(raw, constants(class_shares=[0.5, 0.3, 0.0001]))["weight"]
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, [[expected[:2], [expected[2], 0]]], rtol=1e-4)


def test_shares_are_those_of_the_training_split() -> None:
    raw = {"image": pngs(*np.zeros((2, 2, 2, 3))), "mask": pngs([[0, 1], [2, VOID]], [[0, 0], [0, 0]])}
    found = data.analyze(bound(class_weights="inverse"), tf.data.Dataset.from_tensor_slices(raw)).found
    np.testing.assert_allclose(found["class_shares"], [5 / 8, 1 / 8, 1 / 8])


def test_weight_map_reaches_training() -> None:
    """A row of background between two cells: w(x) = 1 + w0 exp(-(1 + 1)^2 / (2 sigma^2))."""
    task = bound(weight_map=True, w0=3, sigma=2, cells="cat")
    assert task.weigh is not None
    label = np.array([[1, 0, 1], [1, 0, 1], [2, VOID, 1]], np.uint8)
    found = task.weigh(label, np.ones((3, 3), "float32"))
    assert found.dtype == np.float32
    assert found[0, 1] == pytest.approx(1 + 3 * np.exp(-4 / 8))
    assert found[0, 0] == 1
    assert found[2, 1] == 0


def test_loss_and_metrics_are_fresh() -> None:
    first, second = bound().compile_args(), bound().compile_args()
    assert first["loss"] is not second["loss"]
    assert [metric.name for metric in first["metrics"]] == [
        "mean_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou",
    ]  # fmt: skip


def test_answers_by_hand() -> None:
    found = postprocess({"mask_bytes": tf.constant([b"png"]), "pixels": tf.constant([[1, 0, 3]])}, classes=CLASSES)
    assert found["mask_bytes"].numpy().tolist() == [b"png"]
    assert found["classes"].numpy().tolist() == [[b"ground", b"cat", b"Dog 2"]]
    assert found["shares"].numpy().tolist() == [[0.25, 0, 0.75]]


def test_judging_a_batch_of_several_sizes() -> None:
    truths = np.array([[0, 1], [1, VOID]]), np.array([[2, 2, 2]])
    answers = np.array([[0, 1], [0, 2]]), np.array([[2, 1, 2]])
    found = judge({"mask_bytes": pngs(*answers)}, {"truth": pngs(*truths)}, classes=3, tolerance=0.2)
    assert found["confusion"].numpy().tolist() == [
        [[1, 0, 0], [1, 1, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 1, 2]],
    ]
    assert found["boundary"].shape == (2, 3, 4)


@functools.cache
def seeing() -> keras.Model:
    """A model that answers class 0, 1 or 2 where red, green or blue is most: its logits are the colours."""
    image = keras.Input((None, None, 3), name="image")
    logits = keras.layers.Activation("linear")(image)
    return keras.Model({"image": image}, logits)


def asked(encoded: list[bytes], **overrides: Any) -> tuple[list[np.ndarray], np.ndarray]:
    task = bound((16, 16, 3), **{"standardize": False, **overrides})
    found = task.answer(seeing(), task.preprocess({"image": tf.constant(encoded)}, constants()))
    return [masks.pixels(one) for one in found["mask_bytes"].numpy()], found["shares"].numpy()


def blocks(height: int, width: int) -> np.ndarray:
    """The class of every pixel: quarters of red, green, green and blue."""
    rows, columns = np.mgrid[:height, :width]
    return (rows >= (height + 1) // 2).astype(int) + (columns >= (width + 1) // 2)


def coloured(mask: np.ndarray) -> np.ndarray:
    return (np.eye(3)[mask] * 200 + 20).astype(np.uint8)


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (37, 5), (50, 70)], ids=str)
def test_an_answer_has_the_images_own_size(size: tuple[int, int]) -> None:
    truth = blocks(*size)
    (found,), shares = asked([encode_png(coloured(truth))], tile=16)
    np.testing.assert_array_equal(found, truth)
    np.testing.assert_allclose(shares[0], np.bincount(truth.ravel(), minlength=3) / truth.size, rtol=1e-6)


@pytest.mark.parametrize("size", [(16, 16), (1, 1), (37, 5), (50, 70), (200, 64)], ids=str)
def test_a_resized_answer_has_it_too(size: tuple[int, int]) -> None:
    truth = blocks(*size)
    (found,), _ = asked([encode_png(coloured(truth))], image_size="24,20")
    assert found.shape == size
    # Where the image is made smaller, boundaries are blurred by a pixel of the network's grid or two.
    assert (found == truth).mean() > 0.85


def test_images_of_several_sizes_in_one_batch() -> None:
    sizes = [(3, 4), (40, 20), (16, 16)]
    found, _ = asked([encode_png(coloured(blocks(*size))) for size in sizes])
    assert [one.shape for one in found] == sizes


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


TRUTH = blocks(40, 24)
RGB = Image.fromarray(coloured(TRUTH))
ENCODED = {
    "rgb png": saved(RGB),
    "rgba png": saved(RGB.convert("RGBA")),
    "palette png": saved(RGB.convert("P", palette=Image.Palette.ADAPTIVE)),
    "jpeg": saved(RGB, "JPEG", quality=100, subsampling=0),
    "bmp": saved(RGB, "BMP"),
    "gif": saved(RGB, "GIF"),
}


@pytest.mark.parametrize("name", ENCODED)
def test_formats_of_colour(name: str) -> None:
    (found,), _ = asked([ENCODED[name]])
    np.testing.assert_array_equal(found, TRUTH)


GREY = {
    "grey png": saved(RGB.convert("L")),
    "grey and alpha png": saved(RGB.convert("LA")),
    "16-bit png": saved(Image.fromarray(np.asarray(RGB.convert("L")).astype(np.uint16) * 256 + 77)),
    "1-bit png": saved(RGB.convert("1", dither=Image.Dither.NONE)),
    "grey jpeg": saved(RGB.convert("L"), "JPEG", quality=100),
    "rgb png": ENCODED["rgb png"],
}


@pytest.mark.parametrize("name", GREY)
def test_formats_for_a_net_of_one_channel(name: str) -> None:
    """It answers 1 where grey is above 1/2: 220 of 255 in green are, in red or blue they are not."""
    image = keras.Input((None, None, 1), name="image")
    layer = keras.layers.Conv2D(2, 1)
    model = keras.Model({"image": image}, layer(image))
    layer.set_weights([np.array([[[[0.0, 1.0]]]]), np.array([0.5, 0.0])])
    (config,) = settings.apply([Config()], {"standardize": False})
    task = bind(features((8, 8, 1), ("dark", "bright")), config)
    (found,) = task.answer(model, task.preprocess({"image": tf.constant([GREY[name]])}, constants()))["mask_bytes"]
    np.testing.assert_array_equal(masks.pixels(found.numpy()), TRUTH == 1)


@pytest.mark.parametrize("name", GREY)
def test_formats_without_colour_for_a_net_of_three_channels(name: str) -> None:
    """Of grey the three channels are alike, and the first of three equal logits is the answer."""
    (found,), _ = asked([GREY[name]])
    np.testing.assert_array_equal(found, TRUTH if name == "rgb png" else 0 * TRUTH)


def test_half_precision_logits() -> None:
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model({"image": image}, keras.layers.Activation("linear", dtype="float16")(image))
    for overrides in ({}, {"image_size": "40,24"}):
        task = bound((16, 16, 3), standardize=False, **overrides)
        prepared = task.preprocess({"image": tf.constant([ENCODED["rgb png"]])}, constants())
        (found,) = task.answer(model, prepared)["mask_bytes"]
        np.testing.assert_array_equal(masks.pixels(found.numpy()), TRUTH)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["unet", "segnet", "nin_segmenter", "fcn32s", "fcn8s"])
def test_mixed_precision_trains_and_answers(model: str, tmp_path: Path) -> None:
    tiny = settings.as_dict(registry.load("model", model, registry.MODELS).TINY)
    overrides = {**tiny, "mixed_precision": True, "epochs": 3, "batch_size": 4}
    triple = dataclasses.replace(registry.resolve(model, overrides=overrides), dataset=shapes.Shapes(40))
    loaded = data.load(triple)
    found = training.fit(triple, loaded.train, loaded.eval)
    assert {layer.compute_dtype for layer in found.model.layers if layer.count_params()} == {"float16"}
    assert np.isfinite(found.history["loss"]).all()
    assert found.history["loss"][-1] < found.history["loss"][0]
    export(triple, found.model, loaded.transform, tmp_path / "saved")
    served = tf.saved_model.load(str(tmp_path / "saved")).signatures["serving_default"]
    picture = encode_png(np.zeros((45, 70, 3), np.uint8))
    assert masks.pixels(served(image=tf.constant([picture]))["mask_bytes"].numpy()[0]).shape == (45, 70)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(70, 45), (5, 6)], ids=str)
def test_shift_and_stitch_in_tiles_is_that_of_the_whole_image(size: tuple[int, int]) -> None:
    keras.utils.set_random_seed(0)
    model = build(fcn8s, classes=3)
    task = bound((16, 16, 3), standardize=False, inference="shift_and_stitch", tile=32)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    (found,) = tf.function(functools.partial(task.answer, model))(
        task.preprocess({"image": pngs(pixels)}, constants())
    )["mask_bytes"]
    coarse, factor = fcn8s.heat_map(model)
    whole = tf.function(functools.partial(stitching.shift_and_stitch, coarse, factor=factor))
    expected = whole(pixels[np.newaxis].astype("float32") / 255)[0].numpy().argmax(-1)
    assert size == (5, 6) or len(np.unique(expected)) > 1  # another class somewhere, for there to be something to miss
    assert (masks.pixels(found.numpy()) == expected).mean() > 0.99
