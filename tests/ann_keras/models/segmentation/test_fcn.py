"""The three networks: sizes, bilinear upsampling, the sum of skips, and what the one hands to the next."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import initial_weights
from ann_keras.models.segmentation import fcn, fcn8s, fcn16s, fcn32s
from ann_keras.models.segmentation.stitching import shift_and_stitch
from ann_keras.task import Feature

CLASSES = 3
NETWORKS = (fcn32s, fcn16s, fcn8s)


def build(module: ModuleType) -> keras.Model:
    image = keras.Input((None, None, 3), name="image")
    return module.build(module.TINY, {"image": image}, Feature("logits", "tensor", (None, None, CLASSES)))


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("module", NETWORKS)
def test_the_logits_are_as_large_as_the_image(module: ModuleType) -> None:
    model = build(module)
    for size in ((1, 1), (5, 40), (64, 33)):
        logits = np.asarray(model({"image": images(2, *size, 3)}))
        assert logits.shape == (2, *size, CLASSES) and np.isfinite(logits).all()


def test_a_constant_heat_map_gives_constant_logits() -> None:
    """All three interpolate: where every score is the bias, so is every pixel's logit, also at the borders."""
    for module in NETWORKS:
        model = build(module)
        bias = np.array([-1.0, 2.0, 0.5], "float32")
        score = model.get_layer("score")
        score.set_weights([np.zeros_like(score.get_weights()[0]), bias])
        logits = np.asarray(model({"image": images(1, 50, 70, 3)}))
        np.testing.assert_allclose(logits, np.broadcast_to(bias, logits.shape), atol=1e-6)


def test_upsampling_is_linear_between_the_scores() -> None:
    """Factor 2: pixel centres lie a quarter to either side of a score's, and the outermost scores go on."""
    heat_map, image = keras.Input((1, 2, 1)), keras.Input((2, 4, 3))
    model = keras.Model([heat_map, image], fcn.upsample(heat_map, 2, image))
    logits = np.asarray(model([np.array([0.0, 8.0]).reshape(1, 1, 2, 1), np.zeros((1, 2, 4, 3))]))
    np.testing.assert_allclose(logits[0, :, :, 0], [[0, 2, 6, 8]] * 2)


def test_skips_are_fused_by_sum() -> None:
    """Scores 4 doubled bilinearly, plus 3 times the finer map, plus the bias 1."""
    heat_map, pool = keras.Input((1, 1, 1)), keras.Input((2, 2, 1))
    model = keras.Model([heat_map, pool], fcn.fuse(heat_map, pool, "pool4", "upscore2"))
    given = [np.full((1, 1, 1, 1), 4.0), np.array([[0.0, 1.0], [2.0, 3.0]]).reshape(1, 2, 2, 1)]
    np.testing.assert_allclose(np.asarray(model(given))[0, :, :, 0], 4.0)
    model.get_layer("score_pool4").set_weights([np.full((1, 1, 1, 1), 3.0), np.ones(1)])
    np.testing.assert_allclose(np.asarray(model(given))[0, :, :, 0], [[5, 8], [11, 14]])


def test_what_is_learned() -> None:
    """The doubling of a heat map is, the last step to the image is not (Long et al. 2015, section 4.3)."""
    names = {weight.path.split("/")[0] for weight in build(fcn8s).trainable_weights}
    assert {"upscore2", "upscore_pool4", "score_pool3", "score_pool4", "score", "fc6", "block5_conv1"} <= names
    assert "upscore8" not in names


@pytest.mark.parametrize(("coarse", "fine"), [(fcn32s, fcn16s), (fcn16s, fcn8s)])
def test_a_staged_network_starts_with_the_answers_of_the_one_before(
    coarse: ModuleType, fine: ModuleType, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    before = build(coarse)
    for weight in before.trainable_weights:  # as if it had been trained
        weight.assign(weight + 0.05 * keras.random.normal(weight.shape))
    before.save(tmp_path / "model.keras")
    after = build(fine)
    told = initial_weights.transfer(after, tmp_path)
    assert "score_pool" in told.split("anew: ")[1] and "block" not in told.split("anew: ")[1]
    x, labels = {"image": images(2, 64, 96, 3)}, np.random.default_rng(1).integers(0, CLASSES, (2, 64, 96))
    scores = [fcn.heat_map(model)[0](x["image"]) for model in (before, after)]
    doubled = keras.layers.UpSampling2D(2, interpolation="bilinear")(scores[0])
    np.testing.assert_allclose(scores[1], doubled, rtol=1e-4, atol=1e-4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Two linear steps are nearly one.
    assert float(loss(labels, after(x))) == pytest.approx(float(loss(labels, before(x))), rel=0.02)


def test_a_heat_map_is_stitched() -> None:
    network, stride = fcn.heat_map(build(fcn8s))
    assert stride == 8
    stitched = tf.function(lambda image: shift_and_stitch(network, image, stride))(images(1, 9, 13, 3))
    assert stitched.shape == (1, 9, 13, CLASSES) and np.isfinite(stitched).all()
    with pytest.raises(ValueError, match="other has no heat map; expected one of fcn32s, fcn16s, fcn8s"):
        fcn.heat_map(keras.Model(network.inputs, network.outputs, name="other"))
