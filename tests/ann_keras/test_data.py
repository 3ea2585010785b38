"""Splits as batches, and the script's analysis pass."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras import data, registry
from ann_keras.data import Split
from ann_keras.datasets.base import DatasetError, Row
from ann_keras.datasets.splits import Plan
from ann_keras.task import Feature, Task, Tensors
from tests.ann_keras.examples import Noise

ROWS = 37


def numbers(rows: int = ROWS, memory_mb: int = 64) -> Split:
    """Rows 0, 1, ...: "x" is [row, 2 * row], the label is the row."""
    records = tf.data.Dataset.range(rows)
    return Split(records, lambda row: {"x": tf.stack([row, 2 * row], 1), "label": row}, "label", rows, memory_mb)


def drawn(batches: tf.data.Dataset, steps: int) -> tuple[list[int], list[Any]]:
    """Labels and inputs of the first steps."""
    taken = list(batches.take(steps).as_numpy_iterator())
    return [int(row) for _, labels in taken for row in labels], [inputs for inputs, _ in taken]


@pytest.mark.parametrize("memory_mb", [64, 0], ids=["held", "streamed"])
def test_batches_are_all_rows_in_order(memory_mb: int) -> None:
    split = numbers(memory_mb=memory_mb)
    assert (split.arrays is None) == (memory_mb == 0)
    taken = list(split.batches(8).as_numpy_iterator())
    assert [len(labels) for _, labels in taken] == [8, 8, 8, 8, 5]
    assert split.steps(8) == 5
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in taken]), np.arange(ROWS))
    for inputs, labels in taken:
        assert set(inputs) == {"x"}
        np.testing.assert_array_equal(inputs["x"], np.stack([labels, 2 * labels], 1))


def test_rows_are_counted_where_nobody_says_how_many() -> None:
    split = Split(tf.data.Dataset.range(700).filter(lambda row: row % 2 == 0), lambda row: {"label": row}, "label")
    assert len(split) == 350
    np.testing.assert_array_equal(split.arrays["label"], np.arange(0, 700, 2))


def test_memory_bound_counts_all_preprocessed_bytes() -> None:
    # 2 ** 17 rows of 24 bytes are 3 MiB.
    assert numbers(2**17, memory_mb=2).arrays is None
    assert numbers(2**17, memory_mb=3).arrays is not None


@pytest.mark.parametrize("memory_mb", [64, 0], ids=["held", "streamed"])
def test_epochs_are_permutations_of_their_own(memory_mb: int) -> None:
    tf.random.set_seed(3)
    split, steps = numbers(memory_mb=memory_mb), 5
    rows, inputs = drawn(split.training_batches(8, seed=3), 3 * steps)
    epochs = [rows[start : start + ROWS] for start in range(0, 3 * ROWS, ROWS)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(ROWS))
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    assert epochs[0] != sorted(epochs[0])
    assert [len(batch["x"]) for batch in inputs] == 3 * [8, 8, 8, 8, 5]
    np.testing.assert_array_equal(np.concatenate([batch["x"][:, 1] for batch in inputs]), 2 * np.array(rows))
    assert drawn(split.training_batches(8, seed=3), 3 * steps)[0] == rows
    assert drawn(split.training_batches(8, seed=4), 3 * steps)[0] != rows
    # A resumed training sees what an uninterrupted one would have seen.
    assert drawn(split.training_batches(8, seed=3, epoch=1), 2 * steps)[0] == rows[ROWS:]


@settings(max_examples=15)
@given(
    rows=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 2**31 - 1), epoch=st.integers(0, 500)
)
def test_any_epoch_is_a_permutation(rows: int, batch_size: int, seed: int, epoch: int) -> None:
    split = numbers(rows)
    found, _ = drawn(split.training_batches(batch_size, seed, epoch), split.steps(batch_size))
    assert sorted(found) == list(range(rows))


def test_order_held_in_memory_owes_nothing_to_the_global_seed() -> None:
    orders = []
    for seed in (1, 2):
        tf.random.set_seed(seed)
        orders.append(drawn(numbers().training_batches(8, seed=3), 5)[0])
    assert orders[0] == orders[1]


@pytest.mark.parametrize("memory_mb", [64, 0], ids=["held", "streamed"])
def test_every_step_is_augmented_with_a_seed_of_its_own(memory_mb: int) -> None:
    def noted(tensors: Tensors, seed: Any) -> Tensors:
        return {**tensors, "seed": tf.tile(seed[tf.newaxis], [tf.shape(tensors["x"])[0], 1])}

    split = numbers(memory_mb=memory_mb)
    _, inputs = drawn(split.training_batches(8, 7, augment=noted), 10)
    assert [batch["seed"][0].tolist() for batch in inputs] == [[7, step] for step in range(10)]
    _, resumed = drawn(split.training_batches(8, 7, epoch=1, augment=noted), 5)
    assert [batch["seed"][0].tolist() for batch in resumed] == [[7, step] for step in range(5, 10)]


def asking(pixels: int = 3) -> Task:
    def preprocess(raw: Any, analyzers: Any) -> Tensors:
        value = raw["x"]
        return {"x": value - analyzers.mean(value, "x") / analyzers.mean(value**2, "square")}

    x = Feature("x", "number", (pixels,))
    return dataclasses.replace(
        registry.resolve("mlp").task, features=(x,), inputs=(x,), label=Feature("y", "label"), preprocess=preprocess
    )


@pytest.mark.parametrize("rows", [1, 255, 256, 1000])
def test_analysis_is_the_mean_over_all_rows(rows: int) -> None:
    x = np.random.default_rng(0).normal(5, 3, (rows, 3)).astype("float32")
    found = data.analyze(asking(), tf.data.Dataset.from_tensor_slices({"x": x})).found
    assert set(found) == {"x", "square"}
    np.testing.assert_allclose(found["x"], x.astype("float64").mean(0), rtol=1e-6)
    np.testing.assert_allclose(found["square"], (x.astype("float64") ** 2).mean(0), rtol=1e-6)
    assert found["x"].dtype == np.float32


def test_constants_answer_what_was_found() -> None:
    constants = data.Constants({"x": np.array([1.0, 2.0], "float32")})
    assert constants.mean(None, "x").numpy().tolist() == [1, 2]
    with pytest.raises(KeyError):
        constants.mean(None, "y")


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> registry.Triple:
    monkeypatch.setitem(registry.DATASETS, "noise", "tests.ann_keras.examples")
    return registry.resolve("mlp", "noise")


def test_loading_splits_as_the_plan_says(noise: registry.Triple) -> None:
    plan = Plan(seed=2, eval_fraction=0.2, test_fraction=0.3)
    loaded = data.load(noise, plan)
    index = noise.dataset.index()
    assigned = plan.assign(index)
    for name in ("train", "eval", "test"):
        split, rows = getattr(loaded, name), loaded.rows[name]
        assert [row.key for row in rows] == index.keys[assigned == name].tolist()
        assert split.arrays["label"].tolist() == index.labels[assigned == name].tolist()
    assert (len(loaded.train), len(loaded.eval), len(loaded.test)) == (30, 12, 18)
    images = loaded.train.arrays["image"]
    assert images.shape == (30, 6, 5, 1)
    np.testing.assert_allclose((images.mean(), images.std()), (0, 1), atol=1e-5)


def test_what_is_held_is_what_is_streamed(noise: registry.Triple) -> None:
    streaming = registry.resolve("mlp", "noise", overrides={"memory_mb": 0})
    held, streamed = data.load(noise), data.load(streaming)
    assert held.train.arrays is not None
    assert streamed.train.arrays is None
    for one, other in zip(held.train.batches(7), streamed.train.batches(7), strict=True):
        np.testing.assert_array_equal(one[0]["image"], other[0]["image"])
        np.testing.assert_array_equal(one[1], other[1])


def test_analysis_sees_the_training_split_alone(noise: registry.Triple) -> None:
    loaded = data.load(noise)
    evaluated = loaded.eval.arrays["image"]
    assert abs(evaluated.mean()) > 1e-4
    raw = {"image": tf.constant([row.values["image"] for row in loaded.rows["eval"]])}
    np.testing.assert_allclose(loaded.transform(raw)["image"], evaluated, atol=1e-6)


def test_an_unreadable_row_is_named(noise: registry.Triple, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = noise.dataset.shards()[1]
    broken = dataclasses.replace(shard)
    rows = list(shard.read())
    rows[3] = Row("noise/19", {}, "a truncated or corrupt PNG")
    monkeypatch.setattr(type(shard), "read", lambda self: iter(rows) if self == broken else iter([*_read(self)]))
    with pytest.raises(DatasetError, match=r"^noise: noise/19 cannot be read: a truncated or corrupt PNG$"):
        data.load(noise)


def _read(shard: Any) -> list[Row]:
    return [Row(f"noise/{row}", {"image": b"", "label": row % 3}) for row in range(shard.start, shard.stop)]


def test_an_empty_split_is_named(noise: registry.Triple) -> None:
    with pytest.raises(DatasetError, match="no example is left for the test split"):
        data.read_rows(Noise(rows=6, classes=2), Plan(test_fraction=0.01, small_classes="best_effort"))


@pytest.mark.parametrize("memory_mb", [64, 0], ids=["held", "streamed"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_each_example_is_weighed_once(memory_mb: int, weighted: bool) -> None:
    """10 for each pixel of class 1 in the mask, added to the weight that preprocess gave or to 1."""
    given = []

    def transform(row: Any) -> Tensors:
        label = tf.cast(tf.stack([row, row + 1], 1) % 2, tf.uint8)
        tensors = {"x": row, "mask": label[:, tf.newaxis]}
        return {**tensors, "weight": tf.fill(tf.shape(tensors["mask"]), 0.5)} if weighted else tensors

    def weigh(label: np.ndarray, weight: np.ndarray) -> np.ndarray:
        assert (label.dtype, weight.dtype, label.shape, weight.shape) == (np.uint8, np.float32, (1, 2), (1, 2))
        given.append(int(label[0, 0]))
        return weight + np.float32(10) * label

    split = Split(tf.data.Dataset.range(5), transform, "mask", 5, memory_mb, weigh=weigh)
    first = 0.5 if weighted else 1
    for inputs, label, weight in split.batches(2).as_numpy_iterator():
        assert set(inputs) == {"x"}
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, first + 10.0 * label)
    if memory_mb:
        list(split.training_batches(2, seed=0).take(6))
        assert sorted(given) == [0, 0, 0, 1, 1]


def test_training_sees_inputs_label_and_weight_alone_and_the_label_in_its_dtype() -> None:
    x = Feature("x", "number")
    task = dataclasses.replace(asking(), inputs=(x,), label=Feature("mask", "mask", dtype="uint8"))
    given = {"x": tf.constant([1.0]), "mask": tf.constant([[3, 255]], tf.int64), "weight": 2, "more": 3}
    found = data.view(task, lambda raw: given)({})
    assert set(found) == {"x", "mask", "weight"}
    assert found["mask"].dtype == tf.uint8
    assert found["mask"].numpy().tolist() == [[3, 255]]
