"""An answer that is a mask, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.model_config import DESCRIPTION
from serving.playground import describe
from serving.process import ModelServer
from tests.browser import Browser
from tests.serving.playground.conftest import page_of

PALETTE = [[10, 20, 30], [200, 100, 0], [0, 0, 250]]


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model whose mask of any image has class 1 in the left half of the upper half, 2 beside it and 0 below."""
    import tensorflow as tf

    class Quarters(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
        def __call__(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            count = tf.shape(image)[0]
            mask = tf.image.resize(tf.constant([[[1], [2]], [[0], [0]]], tf.uint8), [8, 8], "nearest")
            return {
                "mask_bytes": tf.fill([count], tf.io.encode_png(mask)),
                "classes": tf.tile([["ground", "tree", "sky"]], [count, 1]),
                "shares": tf.tile([[0.5, 0.25, 0.25]], [count, 1]),
            }

    folder = tmp_path_factory.mktemp("masks")
    model = Quarters()
    tf.saved_model.save(model, str(folder / "1"), signatures={"serving_default": model.__call__})
    image = {"name": "image", "kind": "image", "shape": [8, 8, 3], "dtype": "uint8", "optional": False}
    described = {
        "task": "semantic_segmentation",
        "dataset": "quarters",
        "features": [{**image, "description": ""}],
        "classes": ["ground", "tree", "sky"],
        "palette": PALETTE,
    }
    Path(folder, "1", DESCRIPTION).parent.mkdir(exist_ok=True)
    Path(folder, "1", DESCRIPTION).write_text(json.dumps(described))
    return str(folder)


@pytest.fixture(scope="module")
def address(masks: str) -> Iterator[str]:
    with ModelServer({"masks": masks}, embedded=True) as server, page_of(server.rest_url, {"masks": masks}) as found:
        yield found


def test_the_page_is_told_the_colours(masks: str) -> None:
    found = describe.from_export(masks, "1")
    assert found is not None and found["palette"] == PALETTE


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_mask_is_shown_over_the_picture_in_colours(
    chromium: Browser, address: str, digits: list[tuple[Path, str]], tmp_path: Path, dark: bool
) -> None:
    page = chromium.open(address, dark=dark)
    page.until("document.querySelector('#fields').children.length")
    page.choose_file("[type=file]", digits[0][0])
    page.until("!document.querySelector('.sent img').hidden")
    page.click("#ask")
    page.until("document.querySelector('#mask')?.width === 8")
    colour = "[...document.querySelector('#mask').getContext('2d').getImageData({}, {}, 1, 1).data.slice(0, 3)]"
    shown = [page.evaluate(colour.format(x, y)) for x, y in ((0, 7), (0, 0), (7, 0))]
    assert shown == PALETTE
    assert page.evaluate("document.querySelectorAll('.mask canvas').length") == 2
    legend = page.evaluate("[...document.querySelectorAll('.legend li')].map(e => e.textContent)")
    assert legend == ["ground 50.0 %", "tree 25.0 %", "sky 25.0 %"]
    assert page.evaluate("document.querySelector('#raw')") is None
    page.screenshot(tmp_path / "mask.png")
    assert page.problems() == []
