"""U-Net against the paper (Ronneberger, Fischer and Brox 2015, section 2 and figure 1)."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ann_keras.layers.receptive_field import receptive_field
from ann_keras.models.segmentation import unet
from tests.ann_keras.models.segmentation.building import SIZES, answers, build, comes_back, learns_a_scene, noise


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("up", ["transposed", "nearest"])
def test_answers_at_every_pixel_of_any_image(padding: str, up: str) -> None:
    model = build(unet, padding=padding, up=up)
    assert model.output_shape == (None, None, None, 4)
    for size in SIZES:
        found = answers(model, noise(2, *size, 3))
        assert found.shape == (2, *size, 4)
        assert np.isfinite(found).all()


def test_parameters_are_the_papers() -> None:
    """Figure 1: k kernels of n features are n k^2 weights for each output feature, and one bias."""

    def convolution(side: int, before: int, after: int) -> int:
        return side * side * before * after + after

    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    expected = sum(convolution(3, before, after) + convolution(3, after, after) for before, after in down)
    for after in (512, 256, 128, 64):
        expected += convolution(2, 2 * after, after) + convolution(3, 2 * after, after) + convolution(3, after, after)
    expected += convolution(1, 64, 2)
    model = build(unet, 1, 2, tiny=False, width=64, padding="valid", batch_norm=False)
    assert model.count_params() == expected == 31_030_658
    convolutions = [layer for layer in model.layers if "Conv2D" in type(layer).__name__]
    assert len(convolutions) == 23


def test_margin_of_the_paper() -> None:
    """572 pixels give 388: 92 are lost on each side."""
    assert 2 * unet.margin(4) == 572 - 388
    assert [unet.margin(depth) for depth in range(4)] == [2, 8, 20, 44]  # 2, then twice as many and 4


def test_sizes_of_the_maps_are_the_papers() -> None:
    """Figure 1, for an answer of 388x388: the numbers beside the blue boxes."""
    config = unet.Config(width=1, padding="valid", batch_norm=False, dropout=0.0)
    model = unet.build(config, {"image": keras.Input((388, 388, 1), name="image")}, unet.Feature("y", "tensor", (2,)))
    sizes = {layer.name: layer.output.shape[1] for layer in model.layers if not isinstance(layer, keras.layers.ReLU)}
    assert sizes["margin"] == 572
    assert [sizes[f"down{level}b"] for level in range(4)] == [568, 280, 136, 64]
    assert [sizes[f"pool{level}"] for level in range(4)] == [284, 140, 68, 32]
    assert sizes["bottom4b"] == 28
    assert [sizes[f"crop{level}"] for level in range(4)] == [392, 200, 104, 56]
    assert [sizes[f"up{level}b"] for level in range(4)] == [388, 196, 100, 52]
    assert sizes["scores"] == sizes["logits"] == 388


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_tile_answers_as_the_whole_away_from_its_border(padding: str) -> None:
    model = build(unet, padding=padding)
    seen = receptive_field(model)
    assert seen.stride == 4
    whole, start, side = noise(1, 130, 120, 3), 40, 60
    tile = whole[:, start : start + side, start : start + side]
    inner = slice(seen.margin, side - seen.margin)
    expected = answers(model, whole)[:, start : start + side, start : start + side]
    found = answers(model, tile)
    np.testing.assert_allclose(found[:, inner, inner], expected[:, inner, inner], atol=1e-5)
    assert np.abs(found - expected).max() > 1e-2  # at the border it cannot


def test_valid_computes_on_the_mirrored_image() -> None:
    """The answer inside an image that was mirrored by hand is the answer to the image itself."""
    model = build(unet, depth=1, padding="valid")
    image = noise(1, 20, 24, 3)
    by_hand = np.pad(image, [(0, 0), (10, 10), (10, 10), (0, 0)], mode="reflect")
    np.testing.assert_allclose(answers(model, by_hand)[:, 10:30, 10:34], answers(model, image), atol=1e-5)


def test_same_pads_no_more_than_the_poolings_ask() -> None:
    model = build(unet)
    padded = keras.Model(model.inputs, model.get_layer("padding").output)
    sizes = [tuple(padded({"image": noise(1, *size, 3)}).shape[1:3]) for size in [(8, 12), (9, 11), (1, 1)]]
    assert sizes == [(8, 12), (12, 12), (4, 4)]


def test_weights_begin_with_the_papers_variance() -> None:
    """2 / N: 576 nodes feed a neuron of a 3x3 convolution on 64 features."""
    keras.utils.set_random_seed(0)
    model = build(unet, width=64, depth=1)
    assert np.std(model.get_layer("down0b").kernel) == pytest.approx((2 / 576) ** 0.5, rel=0.02)
    assert np.std(model.get_layer("up0").kernel) == pytest.approx((1 / 128) ** 0.5, rel=0.03)


def test_dropout_ends_the_contracting_path() -> None:
    names = [layer.name for layer in build(unet, depth=3, dropout=0.5).layers if "dropout" in layer.name]
    assert names == ["dropout2", "dropout3"]


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_comes_back_from_its_file(padding: str, tmp_path: Path) -> None:
    comes_back(build(unet, padding=padding, up="nearest"), tmp_path / "unet.keras")


@pytest.mark.slow
@pytest.mark.parametrize(("padding", "batch_norm", "width"), [("same", True, 4), ("valid", False, 8)])
def test_learns_a_scene_by_heart(padding: str, batch_norm: bool, width: int) -> None:
    learns_a_scene(unet, padding=padding, batch_norm=batch_norm, width=width)
