"""What the benchmarks of segmentation share, and the dense answers of a classifier of patches."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras.models.convolutional import lenet5
from ann_keras.models.segmentation import unet
from ann_keras.models.segmentation.fully_convolutional import convert_to_fully_convolutional
from ann_keras.task import VOID, Feature
from ann_keras.tasks.pixel_augmentation import cut_patches
from benchmarks.masks import Judged
from benchmarks.patch_or_full import PATCH, ask, dense
from benchmarks.trainings import Limit, Results, digest, overrides
from benchmarks.unet_step import plain


def test_figures_of_a_confusion_matrix_by_hand() -> None:
    """8 of 10 pixels; IoU 5 / 7 and 3 / 5."""
    judged = Judged(np.array([[5.0, 1], [1, 3]]), [], [], 0.0)
    assert judged.figures == pytest.approx({"pixel_accuracy": 0.8, "mean_iou": (5 / 7 + 3 / 5) / 2})
    assert judged.class_iou == pytest.approx([5 / 7, 3 / 5])


def test_results_are_found_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    asked = {"seed": 0, "settings": {"size": (2, 3)}}
    assert Results(path).find(asked) is None
    assert Results(path).add(asked, {"iou": 0.5}) == {"iou": 0.5}
    path.write_text(path.read_text() + '{"asked": {"seed": 1')
    again = Results(path)
    assert again.find(asked) == {"iou": 0.5}
    assert again.find({**asked, "seed": 1}) is None
    again.add({**asked, "seed": 1}, {"iou": 0.6})
    assert Results(path).find({**asked, "seed": 1}) == {"iou": 0.6}
    assert Results(path).find(asked) == {"iou": 0.5}
    assert len([line for line in path.read_text().splitlines() if line.endswith("}}")]) == 2
    assert json.loads(path.read_text().splitlines()[0])["asked"]["settings"]["size"] == [2, 3]


def test_a_limit_ends_training_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.5, 12.0])
    monkeypatch.setattr("benchmarks.masks.time.perf_counter", lambda: next(clock))
    limit, model = Limit(2), keras.Sequential()
    model.stop_training = False
    limit.set_model(model)
    limit.on_train_begin()
    limit.on_epoch_end(0)
    assert not model.stop_training
    limit.on_train_batch_end(0)
    limit.on_epoch_end(1)
    assert model.stop_training and limit.elapsed == 2


def test_settings_are_told_as_pairs() -> None:
    assert overrides(["a=1", "b=2=3"]) == {"a": "1", "b": "2=3"}
    with pytest.raises(SystemExit, match="--set a: expected KEY=VALUE"):
        overrides(["a"])


def test_what_a_network_was_trained_with_has_one_name() -> None:
    assert digest({"a": 1, "b": None}) == digest({"b": None, "a": 1}) != digest({"a": 2, "b": None})


def test_the_plain_unet_has_the_weights_of_ours() -> None:
    config = unet.Config(width=2, depth=2)
    inputs = {"image": keras.Input((None, None, 3), name="image")}
    ours = unet.build(config, inputs, Feature("logits", "tensor", (None, None, 4)))
    theirs = plain((8, 12, 3), 4, 2, 2, 0.2)
    shapes = [sorted(tuple(weight.shape) for weight in model.weights) for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert theirs.output_shape == (None, 8, 12, 4)


def test_dense_answers_are_those_for_the_patches() -> None:
    keras.utils.set_random_seed(0)
    inputs = {"image": keras.Input((PATCH, PATCH, 1), name="image")}
    network = lenet5.build(lenet5.Config(units=5), inputs, Feature("logits", "tensor", (3,)))
    image = np.random.default_rng(0).normal(size=(1, 34, 37, 1)).astype("float32")
    found = dense(convert_to_fully_convolutional(network), tf.constant(image)).numpy()
    assert found.shape == (1, 34, 37, 3)
    for row, column in ((0, 0), (33, 36), (1, 35), (17, 6)):
        mask = np.full((1, 34, 37), VOID, np.uint8)
        mask[0, row, column] = 2
        patch = cut_patches({"image": tf.constant(image), "mask": tf.constant(mask)}, [0, 0], 1, PATCH)
        assert patch["mask"][0, PATCH // 2, PATCH // 2] == 2
        np.testing.assert_allclose(found[0, row, column], network({"image": patch["image"]})[0], atol=1e-5)
    answer = ask(convert_to_fully_convolutional(network), {"image": tf.constant(image)})
    mask = tf.io.decode_png(answer["mask_bytes"][0])[..., 0].numpy()
    np.testing.assert_array_equal(mask, found[0].argmax(-1))
    assert answer["pixels"].numpy().tolist() == [np.bincount(mask.ravel(), minlength=3).tolist()]
