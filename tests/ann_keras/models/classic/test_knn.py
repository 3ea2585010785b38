"""The nearest neighbours, against hand-made cases and scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from ann_keras.models.classic import knn
from ann_keras.models.classic.knn import MARGIN, Neighbours
from ann_keras.tasks import image_classification
from tests.ann_keras.models.building import build


def stored(examples: Any, labels: Any, classes: int = 3, k: int = 3, block_mb: int = 256) -> Neighbours:
    """A layer that holds examples."""
    examples = np.asarray(examples, "float32")
    layer = Neighbours(classes, k, block_mb, stored=len(examples))
    layer.build((None, examples.shape[1]))
    layer.set_weights([examples, np.asarray(labels)])
    return layer


def votes(layer: Neighbours, queries: Any) -> np.ndarray:
    """What it answers in a graph, as the pipeline and a server ask."""
    return tf.function(layer)(tf.constant(queries, tf.float32)).numpy()


LINE = stored([[0.0], [1.0], [2.0], [10.0], [11.0]], [0, 0, 1, 2, 2])


def test_votes_by_hand() -> None:
    np.testing.assert_allclose(
        votes(LINE, [[0.4], [10.2], [5.8]]), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3], [1 / 3, 1 / 3, 1 / 3]]
    )


def test_equal_distances_go_to_the_earlier_example() -> None:
    layer = stored([[1.0], [-1.0], [1.0], [-1.0]], [0, 1, 2, 2], k=2)
    np.testing.assert_allclose(votes(layer, [[0.0], [0.9], [-0.9]]), [[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


def test_a_tie_of_votes_goes_to_the_lowest_class() -> None:
    model = fitted([[1.0], [2.0]], [2, 1], classes=3, k=2)
    logits = model({"image": np.zeros((1, 1, 1, 1), "float32")})
    answer = image_classification.postprocess(logits, classes=("a", "b", "c"))
    assert answer["label"].numpy().tolist() == [b"b"]
    np.testing.assert_allclose(answer["probabilities"], [[0, 0.5, 0.5]], atol=1e-6)


def test_more_neighbours_than_examples() -> None:
    layer = stored([[0.0], [1.0], [5.0]], [0, 1, 1], k=1000)
    np.testing.assert_allclose(votes(layer, [[0.0], [9.0]]), [[1 / 3, 2 / 3, 0]] * 2)


@pytest.mark.parametrize("rows", [0, 1, 2, 7])
def test_batches_of_any_size(rows: int) -> None:
    queries = np.linspace(0, 11, 7, dtype="float32")[:rows, None]
    for found in (votes(LINE, queries), np.asarray(LINE(queries))):
        assert found.shape == (rows, 3)
        np.testing.assert_allclose(found, votes(LINE, np.linspace(0, 11, 7)[:, None])[:rows])


def test_cancellation_does_not_change_the_order_of_candidates() -> None:
    """At 10,000 the expanded square loses all that tells these apart in 32 bits; the ranking in 64 bits does not."""
    examples = 1e4 + np.arange(8, dtype="float32")[:, None] / 64
    layer = stored(examples, np.arange(8), classes=8, k=1)
    assert votes(layer, examples).argmax(axis=1).tolist() == list(range(8))


@settings(max_examples=40)
@given(st.data(), st.integers(1, 12), st.integers(1, 20), st.integers(1, 15))
def test_whole_coordinates_give_exactly_the_votes_of_a_sort(drawn: Any, units: int, rows: int, k: int) -> None:
    point = st.lists(st.integers(-3, 3), min_size=units, max_size=units)
    examples = np.array(drawn.draw(st.lists(point, min_size=rows, max_size=rows)))
    labels = np.array(drawn.draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows)))
    query = np.array(drawn.draw(point))
    nearest = np.argsort(((examples - query) ** 2).sum(axis=1), kind="stable")[:k]
    expected = np.bincount(labels[nearest], minlength=3) / len(nearest)
    np.testing.assert_allclose(np.asarray(stored(examples, labels, k=k)(query[None].astype("float32")))[0], expected)


@pytest.mark.parametrize("k", [1, 5])
def test_the_same_answers_as_scikit_learn(k: int) -> None:
    pixels, labels = load_digits(return_X_y=True)
    pixels = pixels.astype("float32") / 16
    theirs = KNeighborsClassifier(k, algorithm="brute").fit(pixels[:1200], labels[:1200])
    ours = votes(stored(pixels[:1200], labels[:1200], 10, k), pixels[1200:]).argmax(axis=1)
    different = np.flatnonzero(ours != theirs.predict(pixels[1200:]))
    distances = ((pixels[:1200, None].astype("float64") - pixels[1200:][different]) ** 2).sum(axis=2)
    ordered = np.sort(distances, axis=0)[k - 1 : k + 1]
    assert (ordered[0] == ordered[1]).all()  # only where the k-th and the next are equally near
    assert len(different) <= 2


@pytest.mark.parametrize(("rows", "units"), [(1000, 10), (5, 2), (200_000, 784), (10, 3_000_000)])
def test_a_block_stays_within_its_memory(rows: int, units: int) -> None:
    layer = Neighbours(10, 5, 64, stored=rows)
    layer.units, layer.examples = units, np.broadcast_to(np.float32(0), (rows, units))
    queries = layer._block_rows()
    candidates = min(5 + MARGIN, rows)
    needed = queries * (4 * rows + candidates * units * 20)
    assert queries >= 1
    assert needed <= 64 * 2**20 or queries == 1
    assert needed + needed // queries > 64 * 2**20  # and no smaller than it need be


def test_queries_are_taken_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    examples, queries = rng.normal(size=(500, 4)).astype("float32"), rng.normal(size=(23, 4)).astype("float32")
    layer = stored(examples, np.arange(500) % 3)
    whole = votes(layer, queries)
    sizes = []
    search = Neighbours._votes

    def noted(self: Neighbours, block: Any, squares: Any) -> Any:
        sizes.append(block.shape[0])
        return search(self, block, squares)

    monkeypatch.setattr(Neighbours, "_votes", noted)
    monkeypatch.setattr(Neighbours, "_block_rows", lambda self: 5)
    np.testing.assert_array_equal(np.asarray(layer(queries)), whole)
    assert set(sizes) == {5}


def fitted(examples: Any, labels: Any, classes: int = 3, k: int = 3) -> keras.Model:
    """A model whose images have one row and one channel."""
    examples = np.asarray(examples, "float32")
    model = build(knn, (1, examples.shape[1], 1), classes, k=k)
    model.compile(**image_classification.compile_args())
    model.fit({"image": examples[:, None, :, None]}, np.asarray(labels))
    return model


POINTS = np.random.default_rng(1).normal(size=(40, 6)).astype("float32")
LABELS = np.arange(40) % 3


def memory(model: keras.Model) -> Neighbours:
    return model.get_layer("neighbours").layers[-1]


def test_fit_takes_what_fit_takes() -> None:
    arrays = fitted(POINTS, LABELS)
    images = {"image": POINTS[:, None, :, None]}
    batches = tf.data.Dataset.from_tensor_slices((images, LABELS)).batch(7)
    streamed, endless, weighted = (fitted(POINTS[:1], LABELS[:1]) for _ in range(3))
    streamed.fit(batches, validation_data=batches, verbose=0, epochs=3)
    endless.fit(batches.repeat(), steps_per_epoch=6, callbacks=None)
    weighted.fit([(images, LABELS, np.ones(40))])
    for model in (arrays, streamed, endless, weighted):
        np.testing.assert_array_equal(memory(model).examples, POINTS)
        np.testing.assert_array_equal(memory(model).labels, LABELS)
        assert [tuple(weight.shape) for weight in model.weights] == [(40, 6), (40,)]
        assert model.trainable_weights == []


def test_fit_measures_and_tells() -> None:
    model = fitted(POINTS[:1], LABELS[:1])
    images, seen = {"image": POINTS[:, None, :, None]}, []
    told = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: seen.append("begin"),
        on_epoch_end=lambda epoch, logs: seen.append((epoch, logs)),
        on_train_end=lambda logs: seen.append("end"),
    )
    history = model.fit(images, LABELS, validation_data=(images, LABELS), callbacks=[told])
    expected = model.evaluate(images, LABELS, verbose=0, return_dict=True)
    assert history.history == {f"val_{name}": [value] for name, value in expected.items()}
    assert seen == ["begin", (0, {f"val_{name}": value for name, value in expected.items()}), "end"]


def test_fit_again_replaces(tmp_path: Path) -> None:
    model = fitted(POINTS, LABELS)
    images = {"image": POINTS[:, None, :, None]}
    before = model.predict(images, verbose=0)
    model.fit({"image": images["image"][:2]}, np.array([2, 2]))
    assert (model.predict(images, verbose=0).argmax(axis=1) == 2).all()
    model.fit(images, LABELS)
    np.testing.assert_array_equal(model.predict(images, verbose=0), before)
    model.save(tmp_path / "knn.keras")
    again = keras.saving.load_model(tmp_path / "knn.keras")
    np.testing.assert_array_equal(again.predict(images, verbose=0), before)
    again.compile(**image_classification.compile_args())
    again.fit({"image": images["image"][:5]}, LABELS[:5])
    assert memory(again).stored == 5


def test_mixed_precision_searches_in_32_bits() -> None:
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        model = fitted(1 + POINTS[:8, :1] / 4096, np.arange(8), classes=8, k=1)
        images = {"image": (1 + POINTS[:8, :1] / 4096)[:, None, :, None]}
        assert model.predict(images, verbose=0).argmax(axis=1).tolist() == list(range(8))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
