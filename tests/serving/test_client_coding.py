"""What people have into requests, and outputs into typed answers, by a model that gives every kind of them."""

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from ann_keras.task import Feature
from serving.client import Boxes, Classification, Mask, Number, Text, Translation, decode, encode
from serving.process import ModelServer
from tests.serving.peers import WAYS, opened

IMAGE = Feature("image", "image", (None, None, 3), "uint8")
AGE = Feature("age", "number")
MAYBE = Feature("maybe", "number", optional=True)
NOTE = Feature("note", "text")
WORDS = Feature("work_class", "text", description="Column 'Work class'.", optional=True)
GRID = Feature("grid", "tensor", (None, 2))
DIGIT = Feature("digit", "label", classes=("zero", "one", "two"))
CLASSES = ["road", "sky", "tree"]


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)), st.sampled_from([0, 1, 3, 4]))
def test_images_come_back_from_their_encoding(plane: np.ndarray, channels: int) -> None:
    image = np.repeat(plane[..., None], channels, -1) if channels else plane
    (packed,) = encode([IMAGE], [image])["image"]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(packed))).reshape(image.shape), image)


def test_encode_paths_bytes_and_mappings(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"whatever")
    items = [path, str(path), b"as is", {"image": b"by name"}]
    assert encode([IMAGE], items) == {"image": [b"whatever", b"whatever", b"as is", b"by name"]}


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_as_they_are_and_as_text(value: float) -> None:
    forms = [value, repr(value), np.float32(value), np.array(value)]
    assert encode([AGE], forms)["age"] == [np.float32(value)] * 4


def test_tensors(tmp_path: Path) -> None:
    grid = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "grid.npy", grid)
    forms = [grid, grid.tolist(), "[[0, 1], [2, 3], [4, 5]]", tmp_path / "grid.npy", str(tmp_path / "grid.npy")]
    for encoded in encode([GRID], forms)["grid"]:
        assert encoded.dtype == np.float32
        np.testing.assert_array_equal(encoded, grid)


def test_labels_by_name_and_by_index() -> None:
    assert encode([DIGIT], ["two", 2, np.int8(0)])["digit"] == [2, 2, 0]
    assert encode([Feature("digit", "label")], [12])["digit"] == [12]


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\u4e2d\n", encoding="utf-8")
    feature = Feature("source", "text")
    assert encode([feature], ["a.txt", b"b", path])["source"] == ["a.txt", b"b", "\u4e2d\n".encode()]
    assert encode([feature], ["", b"", b"\xff\x00"])["source"] == ["", b"", b"\xff\x00"]
    with pytest.raises(ValueError, match="text 'source' is a str, bytes or the Path of a file, not 3"):
        encode([feature], [3])
    with pytest.raises(ValueError, match=r"text '.*no\.txt' cannot be read: No such file"):
        encode([feature], [tmp_path / "no.txt"])


def test_several_features() -> None:
    assert encode([AGE, DIGIT], [{"age": 3, "digit": "one"}, {"digit": 2, "age": "4"}]) == {
        "age": [3.0, 4.0],
        "digit": [1, 2],
    }


def test_rows_by_any_name_of_their_columns() -> None:
    rows = [
        {"work_class": "Private", "age": 3, "maybe": 2},
        {"Work class": None, "age": 4},
        {"work class": "", "Age": 5, "maybe": float("nan")},
    ]
    found = encode([AGE, MAYBE, WORDS], rows)
    assert found["work_class"] == ["Private", "", ""]
    np.testing.assert_array_equal(found["age"], [3, 4, 5])
    np.testing.assert_array_equal(found["maybe"], [2, np.nan, np.nan])
    assert {value.dtype for value in (*found["age"], *found["maybe"])} == {np.dtype(np.float32)}
    with pytest.raises(ValueError, match=r"no feature is called 'Work clas'; did you mean 'Work class'\?"):
        encode([AGE, WORDS], [{"age": 3, "Work clas": "a"}])
    with pytest.raises(ValueError, match="'Work class' and 'work_class' both mean 'work_class'; give one of them"):
        encode([AGE, WORDS], [{"age": 3, "Work class": "a", "work_class": "a"}])


@pytest.mark.parametrize(
    ("feature", "item", "message"),
    [
        (IMAGE, "/no/such/file.png", "'/no/such/file.png' cannot be read: No such file"),
        (IMAGE, np.zeros((2, 2), np.float32), r"not float32 \[2, 2\]"),
        (IMAGE, np.zeros((2, 2, 7), np.uint8), r"not uint8 \[2, 2, 7\]"),
        (IMAGE, 3, "not 3"),
        (IMAGE, {"picture": b""}, "no feature is called 'picture'; there is image"),
        (IMAGE, {}, "image 'image' is missing, and the model needs it"),
        (AGE, "old", "number 'age' takes one number, not 'old'"),
        (AGE, None, "number 'age' is missing, and the model needs it"),
        (AGE, [1.0, 2.0], r"number 'age' takes one number, not numbers of shape \[2\]"),
        (AGE, float("nan"), r"number 'age' is missing \(NaN\), and the model needs it"),
        (AGE, float("-inf"), "number 'age' is infinite; give a finite one"),
        (AGE, "1e39", r"number 'age' is 1e\+39, beyond float32"),
        (MAYBE, float("inf"), "number 'maybe' is infinite"),
        (NOTE, {"note": ""}, r"text 'note' is missing \(empty\), and the model needs it"),
        (GRID, [[1.0, 2.0, 3.0]], r"tensor 'grid' takes numbers of shape \[any, 2\], not numbers of shape \[1, 3\]"),
        (GRID, [[1.0, 2.0], [3.0]], r"tensor 'grid' takes numbers of shape \[any, 2\], not \[\[1.0"),
        (GRID, "/no/such.npy", "tensor '/no/such.npy' cannot be read: No such file"),
        (DIGIT, "ten", "label 'digit' is one of zero, one, two, or index below 3, not 'ten'"),
        (DIGIT, 3, "not 3"),
        (DIGIT, True, "not True"),
        (Feature("digit", "label"), "ten", "label 'digit' is a class's index, not 'ten'"),
    ],
)
def test_encode_names_the_bad_value(feature: Feature, item: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode([feature], [item])


def test_encode_names_what_is_missing() -> None:
    with pytest.raises(ValueError, match="a mapping with a value for each of age, digit, not 3"):
        encode([AGE, DIGIT], [3])
    sound: Any = SimpleNamespace(name="noise", kind="sound")
    with pytest.raises(ValueError, match="kind 'sound' has no encoder; there is image, number"):
        encode([sound], [3])


def build_answers(folder: Path) -> None:
    """A SavedModel with a signature for every kind of answer to `x`, float32 [batch]."""
    import tensorflow as tf

    def label(x: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = tf.nn.softmax(tf.stack([x, 0 * x, -x], 1))
        names = tf.constant(CLASSES)
        return {
            "label": tf.gather(names, tf.argmax(probabilities, 1)),
            "classes": tf.tile(names[None], [tf.size(x), 1]),
            "probabilities": probabilities,
        }

    def number(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"value": x / 3, "low": x / 3 - 1, "high": x / 3 + 1}

    def only_number(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"value": x[:, None] / 3}

    def mask(x: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = tf.tile(tf.cast(x, tf.uint8)[:, None, None, None], [1, 4, 5, 1])
        return {"mask_bytes": tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.string)}

    def boxes(x: tf.Tensor) -> dict[str, tf.Tensor]:
        edges = tf.stack([x, x + 1, x + 2, x + 3], 1)
        return {
            "boxes": tf.stack([edges, edges / 3], 1),
            "scores": tf.stack([1 / (1 + x), 0 * x], 1),
            "labels": tf.tile(tf.constant([[1, 7]], tf.int64), [tf.size(x), 1]),
        }

    def named_boxes(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {**boxes(x), "labels": tf.tile(tf.constant([["cat", "dog"]]), [tf.size(x), 1])}

    def text(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"text": tf.strings.join(["\u4e2d ", tf.strings.as_string(x, 1)])}

    def other(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"twice": 2 * x, "name_bytes": tf.strings.as_string(x, 1)}

    module = tf.Module()
    spec = [tf.TensorSpec([None], tf.float32, name="x")]
    kinds = (label, number, only_number, mask, boxes, named_boxes, text, other)
    signatures = {one.__name__: tf.function(one, input_signature=spec, autograph=False) for one in kinds}
    tf.saved_model.save(module, str(folder), signatures=signatures)


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    base = tmp_path_factory.mktemp("answers")
    build_answers(base / "1")
    with ModelServer({"answers": base}, embedded=True) as server:
        yield server


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_of_answer(answering: ModelServer, way: str) -> None:
    with opened(way, answering, "answers") as client:

        def ask(signature: str) -> list[Any]:
            return decode({"classes": CLASSES}, client.predict({"x": [1, 2]}, signature_name=signature))

        first, second = ask("label")
        assert isinstance(first, Classification)
        assert (first.label, list(first.probabilities)) == ("road", CLASSES)
        exact = np.exp([2.0, 0.0, -2.0]) / np.exp([2.0, 0.0, -2.0]).sum()
        np.testing.assert_allclose(list(second.probabilities.values()), exact, rtol=1e-6)
        assert str(second) == "road  (road 86.7%, sky 11.7%, tree 1.6%)"

        third = float(np.float32(1 / 3))
        assert ask("number")[0] == Number(third, float(np.float32(third - 1)), float(np.float32(third + 1)))
        assert ask("only_number") == [Number(third), Number(float(np.float32(2 / 3)))]
        assert [str(one) for one in ask("number")] == [
            "0.333333  [-0.666667, 1.33333]",
            "0.666667  [-0.333333, 1.66667]",
        ]

        _, mask = ask("mask")
        assert isinstance(mask, Mask) and mask.classes == tuple(CLASSES)
        assert mask.pixels.dtype == np.uint8
        np.testing.assert_array_equal(mask.pixels, np.full((4, 5), 2))
        assert str(mask) == "5 x 4 pixels: tree 100.0%"

        boxes, _ = ask("boxes")
        assert isinstance(boxes, Boxes) and boxes.labels == ("sky", "7")
        edges = np.array([1, 2, 3, 4], np.float32)
        np.testing.assert_array_equal(boxes.boxes, [edges, edges / np.float32(3)])
        assert boxes.scores.tolist() == [0.5, 0.0]
        named, _ = ask("named_boxes")
        assert str(named).startswith("cat 50.0% at [1, 2, 3, 4]; dog 0.0% at [0.333333, ")

        assert ask("text") == [Text("\u4e2d 1.0"), Text("\u4e2d 2.0")]
        assert ask("other") == [{"twice": 2.0, "name_bytes": b"1.0"}, {"twice": 4.0, "name_bytes": b"2.0"}]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)), st.booleans())
def test_masks_come_back_from_png(pixels: np.ndarray, palette: bool) -> None:
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(list(range(256)) * 3)
    (mask,) = decode({}, {"mask_bytes": [png(image)]})
    assert isinstance(mask, Mask)
    np.testing.assert_array_equal(mask.pixels, pixels)


@given(st.dictionaries(st.text(), st.floats(0, 1), min_size=1), st.binary())
def test_classes_and_text_of_any_name(probabilities: dict[str, float], text: bytes) -> None:
    names = list(probabilities)
    columns = {"label": names[:1], "classes": [names], "probabilities": np.array([list(probabilities.values())])}
    assert decode({}, columns) == [Classification(names[0], probabilities)]
    assert decode({}, {"text": [text]}) == [Text(text.decode("utf-8", "replace"))]


TRANSLATED: dict[str, Any] = {
    "translation": ["Ein Mann."],
    "candidates": [["Ein Mann.", b"Mann."]],
    "scores": np.array([[-0.5, -1.25]], np.float32),
    "tokens": [["\u2581Ein", "<eos>", ""]],
    "source_tokens": [["<eos>", ""]],
    "alignment": np.array([[[0.75, 0], [1, 0], [0, 0]]], np.float32),
}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mask_bytes": [b"GIF89a"]}, "output 'mask_bytes' is no PNG: b'GIF89a'"),
        ({"mask_bytes": [png(Image.new("RGB", (2, 2)))]}, "one byte per pixel, not of mode RGB"),
        ({"value": np.zeros((1, 2))}, "output 'value' is one number an example, not array"),
        ({"value": ["a"]}, "output 'value' is one number an example, not 'a'"),
        (
            {"boxes": np.zeros((1, 2, 3)), "scores": np.zeros((1, 2)), "labels": [["a", "b"]]},
            r"not boxes \[2, 3\], scores \[2\], labels \[2\]",
        ),
        (
            {"label": ["a"], "classes": [["a"]], "probabilities": np.zeros((1, 2))},
            "2 probabilities stand beside 1 classes",
        ),
        (
            {**TRANSLATED, "scores": [[-1.0]]},
            "1 scores stand beside 2 candidates",
        ),
        ({**TRANSLATED, "alignment": np.zeros((1, 2, 2))}, r"\[tokens, source tokens\] = \[3, 2\], not \[2, 2\]"),
        ({"text": ["a"], "more": [1, 2]}, "no batch of one size: {'text': 1, 'more': 2}"),
    ],
)
def test_decode_names_the_bad_output(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode({}, columns)


def test_a_translation_without_what_fills_up_its_batch() -> None:
    (found,) = decode({}, TRANSLATED)
    assert isinstance(found, Translation)
    assert (str(found), found.candidates) == ("Ein Mann.", (("Ein Mann.", -0.5), ("Mann.", -1.25)))
    assert (found.tokens, found.source_tokens) == (("\u2581Ein", "<eos>"), ("<eos>",))
    np.testing.assert_array_equal(found.alignment, [[0.75], [1.0]])
    empty = {**TRANSLATED, "tokens": [["", "", ""]], "source_tokens": [["", ""]]}
    (found,) = decode({}, empty)
    assert isinstance(found, Translation) and found.alignment.shape == (0, 0)


def test_no_answers() -> None:
    assert decode({}, {}) == []
    assert decode({}, {"value": np.zeros(0)}) == []
