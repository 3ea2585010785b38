"""TFDS builders with two texts, as pairs."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import tensorflow_datasets as tfds

from ann_keras.datasets import tfds_source
from ann_keras.datasets.base import Dataset, Row
from ann_keras.datasets.splits import Plan
from tests.ann_keras.datasets.test_tfds_source import prepare, small

TEXT = tfds.features.Text()


def read(dataset: Dataset) -> list[Row]:
    return [row for shard in dataset.shards() for row in pickle.loads(pickle.dumps(shard)).read()]


def pair(row: Row) -> tuple[bytes, bytes]:
    return row.values["source"], row.values["target"]


def test_a_translation(tmp_path: Path) -> None:
    features: Any = tfds.features.Translation(languages=("de", "en", "fr"))
    rows = {
        "train": [{"de": f"satz {row}", "en": f"sentence {row % 4}", "fr": "x"} for row in range(6)],
        "test": [{"de": "Ende 🎉", "en": "sentence 1", "fr": "x"}],
    }
    dataset = tfds_source.load(prepare(tmp_path, features, rows, supervised_keys=("en", "de")))
    assert {name: one.kind for name, one in dataset.features.items()} == {"source": "text", "target": "text"}
    found, index = read(dataset), dataset.index()
    assert pair(found[1]) == (b"sentence 1", b"satz 1") and pair(found[6]) == (b"sentence 1", "Ende 🎉".encode())
    assert (
        [row.key for row in found]
        == index.keys.tolist()
        == [*(f"train/0000000{row}" for row in range(6)), "test/00000000"]
    )
    assert index.official.tolist() == ["train"] * 6 + ["test"]
    # The official test split keeps to itself.
    assert index.groups is not None and index.groups.tolist() == [0, 1, 2, 3, 0, 1, 6]
    split = Plan(eval_fraction=0.3).assign(index)
    assert split[0] == split[4] and split[1] == split[5] and split[6] == "test"


def test_two_texts_without_supervised_keys_by_the_alphabet(tmp_path: Path) -> None:
    features = {"question": TEXT, "answer": TEXT, "label": tfds.features.ClassLabel(names=["a"])}
    rows = {"train": [{"question": "q", "answer": "a", "label": 0}]}
    dataset = tfds_source.load(prepare(tmp_path, features, rows))
    assert pair(read(dataset)[0]) == (b"a", b"q")
    assert set(dataset.features) == {"source", "target"}


def test_supervised_keys_choose_two_of_three_texts(tmp_path: Path) -> None:
    features = {"id": TEXT, "long": TEXT, "short": TEXT}
    rows = {"train": [{"id": "7", "long": "a long text", "short": "text"}]}
    dataset = tfds_source.load(prepare(tmp_path / "one", features, rows, supervised_keys=("long", "short")))
    assert pair(read(dataset)[0]) == (b"a long text", b"text")
    assert not tfds_source.load(prepare(tmp_path / "two", features, rows)).features


def test_an_image_with_two_texts_is_none(tmp_path: Path) -> None:
    features = {"image": tfds.features.Image(shape=(4, 5, 3)), "a": TEXT, "b": TEXT}
    rows = {"train": [{"image": small()["image"], "a": "a", "b": "b"}]}
    assert set(tfds_source.load(prepare(tmp_path, features, rows)).features) == {"image"}


def test_bad_pairs_have_a_problem(tmp_path: Path) -> None:
    values: list[tuple[Any, Any]] = [("", "a"), ("a", b"\xff"), (" ", "\x00"), ("a", "a")]
    features = {"en": TEXT, "de": TEXT}
    rows = {"train": [{"en": source, "de": target} for source, target in values]}
    dataset = tfds_source.load(prepare(tmp_path, features, rows, supervised_keys=("en", "de")))
    assert [row.problem for row in read(dataset)] == [
        "the source, 'en', is empty",
        "the target, 'de', is not valid UTF-8 at its byte 1, 0xff",
        "the source, 'en', and the target, 'de', are empty",
        "",
    ]


@pytest.mark.slow
def test_the_dates_are_a_builder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ann_keras.datasets.builders.dates  # noqa: F401
    from ann_keras.datasets import dates

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    dataset = tfds_source.load("dates/small")
    assert [pair(row) for row in read(dataset)] == [
        (row.source.encode(), row.target.encode()) for row in dates.written(200, 0)
    ]
    assert dataset.licence == "MIT"
