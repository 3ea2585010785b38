"""A class for every pixel, in tiles and in strips: the same as for the image whole."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.layers.receptive_field import receptive_field
from ann_keras.models.segmentation import segnet, unet
from ann_keras.tasks import tiling
from tests.ann_keras.models.segmentation.building import build

NETS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "unet-same": (unet, {"depth": 2, "padding": "same"}),
    "unet-valid": (unet, {"depth": 2, "padding": "valid"}),
    "unet-nearest": (unet, {"depth": 1, "up": "nearest", "batch_norm": False}),
    "segnet": (segnet, {"depth": 2}),
}


@functools.cache
def network(name: str) -> tuple[Any, int, int]:
    """Logits of an image, traced, and the net's margin and stride."""
    module, overrides = NETS[name]
    keras.utils.set_random_seed(0)
    model = build(module, classes=5, **overrides)
    field = receptive_field(model)
    traced = tf.function(
        lambda image: model({"image": image}, training=False),
        input_signature=[tf.TensorSpec([1, None, None, 3], tf.float32)],
    )
    return traced, field.margin, field.stride


def prepare(part: Any) -> Any:
    return tf.cast(part, tf.float32) / 128 - 1


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3)).astype(np.uint8)


@functools.cache
def tiled(name: str, tile: int) -> Any:
    logits_of, margin, stride = network(name)

    @functools.partial(tf.function, input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def found(image: Any) -> Any:
        return tiling.in_tiles(logits_of, image, prepare, tile, margin, stride)

    return found


def assert_same_as_whole(name: str, tile: int, height: int, width: int) -> None:
    image = picture(height, width)
    logits = network(name)[0](prepare(image)[tf.newaxis])[0].numpy()
    found = tiled(name, tile)(image).numpy()
    assert found.dtype == np.uint8
    assert found.shape == (height, width)
    # Where two classes are alike to the last bits, either is the answer.
    given = np.take_along_axis(logits, found[..., np.newaxis].astype(int), -1)[..., 0]
    np.testing.assert_allclose(given, logits.max(-1), rtol=1e-4, atol=1e-5)
    assert (found == logits.argmax(-1)).mean() > 0.999


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("size", [(1, 1), (61, 83), (64, 96)], ids=str)
def test_tiles_are_what_the_whole_image_is_answered(name: str, size: tuple[int, int]) -> None:
    assert_same_as_whole(name, 16, *size)


@settings(max_examples=15)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([4, 6, 16, 100]))
def test_any_size_in_any_tiles(height: int, width: int, tile: int) -> None:
    assert_same_as_whole("unet-same", tile, height, width)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
@settings(max_examples=40)
@given(st.integers(1, 140), st.integers(1, 140), st.sampled_from([16, 24, 50]))
def test_any_size_of_any_net(name: str, height: int, width: int, tile: int) -> None:
    assert_same_as_whole(name, tile, height, width)


def test_too_small_a_margin_is_seen() -> None:
    """What the tests above rest on: tiles that see less than the net depends on are answered otherwise."""
    logits_of, _, stride = network("unet-same")
    image = picture(61, 83)
    whole = network("unet-same")[0](prepare(image)[tf.newaxis])[0].numpy().argmax(-1)
    assert (tiling.in_tiles(logits_of, image, prepare, 16, 0, stride).numpy() != whole).mean() > 0.01


def test_the_network_never_sees_more_than_a_tile_and_its_margins() -> None:
    seen = []

    def noted(part: Any) -> Any:
        seen.append(part.shape[1:3])
        return part

    image = np.random.default_rng(0).integers(0, 256, (50, 41, 3)).astype(np.uint8)
    found = tiling.in_tiles(noted, tf.constant(image), prepare, tile=10, margin=3, stride=4)
    assert len(seen) == 5 * 4  # tiles of 12 pixels
    assert max(max(shape) for shape in seen) == 12 + 2 * 4
    np.testing.assert_array_equal(found, image.argmax(-1))


@pytest.mark.parametrize(("size", "stride", "expected"), [(0, 4, 0), (1, 4, 4), (4, 4, 4), (5, 4, 8), (7, 1, 7)])
def test_whole_steps(size: int, stride: int, expected: int) -> None:
    assert tiling.whole_steps(size, stride) == expected


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (200, 3), (64, 130), (129, 64)], ids=str)
@pytest.mark.parametrize("there", [(1, 1), (5, 9), (70, 8)], ids=str)
def test_enlarging_is_bilinear(there: tuple[int, int], size: tuple[int, int]) -> None:
    logits = np.random.default_rng(0).normal(size=(*there, 4)).astype("float32")
    found = tiling.enlarged(tf.constant(logits), *map(tf.constant, size)).numpy()
    expected = tf.image.resize(logits, size).numpy()
    assert found.shape == size
    given = np.take_along_axis(expected, found[..., np.newaxis].astype(int), -1)[..., 0]
    np.testing.assert_allclose(given, expected.max(-1), atol=1e-5)
    assert (found == expected.argmax(-1)).mean() > 0.99


def test_enlarging_by_hand() -> None:
    """From two columns to six, centres on centres: the second has shares of 0, 0, 1/3, 2/3, 1 and 1."""
    logits = np.array([[[1.0, 0], [0, 1.1]]], "float32")
    assert tiling.enlarged(tf.constant(logits), tf.constant(1), tf.constant(6)).numpy().tolist() == [[0, 0, 0, 1, 1, 1]]
    nearer = np.array([[[1.0, 0], [0, 3]]], "float32")
    # Equal at 1/4 of the way.
    assert tiling.enlarged(tf.constant(nearer), tf.constant(1), tf.constant(6)).numpy().tolist() == [[0, 0, 1, 1, 1, 1]]


PROGRAM = """
import io, resource, sys, time
import keras
import numpy as np
import tensorflow as tf
from PIL import Image

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
def asked(side):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((side, side)).save(buffer, "JPEG")
    return tf.constant([buffer.getvalue()])
small, large = asked(600), asked(4000)
answer(image=small)
before, started = peak(), time.monotonic()
found = answer(image=large)["mask_bytes"].numpy()[0]
print("grown", round(peak() - before), "of", round(before), "seconds", round(time.monotonic() - started, 1))
print("size", *tf.io.decode_png(found).shape)
"""


@pytest.mark.slow
def test_memory_for_a_large_image_is_bounded(tmp_path: Path) -> None:
    """4000 x 4000 pixels in tiles of 512, through the exported model in a process of its own."""
    from ann_keras import data, registry, training
    from serving.export import export

    triple = registry.resolve("unet", overrides={"width": 16, "depth": 4, "tile": 512})
    constants = data.Constants({"image_moments": np.array([0.5] * 3 + [0.3] * 3, "float32")})
    export(triple, training.build(triple), lambda raw: triple.task.preprocess(raw, constants), tmp_path / "1")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "1")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1200)
    print(done.stdout)
    grown, before = map(int, re.findall(r"grown (\d+) of (\d+)", done.stdout)[0])
    assert "size 4000 4000 1" in done.stdout
    # The whole image's first activations alone are 16 features of 4 bytes for 16 million pixels: 977 MiB, and several.
    assert grown < 700, f"{grown} MiB more than the {before} MiB of an image of 600 x 600 pixels"
