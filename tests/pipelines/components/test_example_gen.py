"""The ExampleGen alone: what it writes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils, standard_artifacts

from ann_keras import registry
from ann_keras.datasets import csv_records, digits, images, splits
from ann_keras.datasets.base import Dataset, DatasetError, Index, Row, Shard, label_classes
from ann_keras.datasets.splits import Plan
from ann_keras.task import Feature
from pipelines.components import example_gen, example_shards

SPEC = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "key": tf.io.FixedLenFeature([], tf.string),
}


def run(dataset: str, uri: Path, plan: Plan = Plan(), max_bad_fraction: float = 0.0) -> Any:  # noqa: B008
    """Runs the executor; returns the artifact."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(uri)
    context = BaseBeamExecutor.Context(beam_pipeline_args=["--runner=FnApiRunner"])
    properties = {"dataset": dataset, "plan": json.dumps(plan.to_dict()), "max_bad_fraction": max_bad_fraction}
    example_gen.Executor(context).Do({}, {"examples": [artifact]}, properties | {"fingerprint": "", "sources": ""})
    return artifact


def read(uri: Path, split: str) -> list[dict[str, Any]]:
    files = sorted(str(path) for path in (uri / f"Split-{split}").iterdir())
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").map(
        lambda one: tf.io.parse_single_example(one, SPEC)
    )
    return list(records.as_numpy_iterator())


def write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind in ("cat", "dog"):
        for number in range(20):
            write(tmp_path / "data" / kind / f"{number:02d}.{('png', 'jpg', 'bmp', 'gif')[number % 4]}", number)
    return tmp_path / "data"


def test_digits(tmp_path: Path) -> None:
    artifact = run("digits", tmp_path)
    index = digits.load().index()
    split = splits.Plan().assign(index)
    for name in example_gen.SPLITS:
        found = read(tmp_path, name)
        assert {row["key"].decode(): int(row["label"]) for row in found} == dict(
            zip(index.keys[split == name].tolist(), index.labels[split == name].tolist(), strict=True)
        )
        assert tf.io.decode_png(found[0]["image"]).shape == (8, 8, 1)
    assert artifact_utils.decode_split_names(artifact.split_names) == ["train", "eval", "test"]
    assert examples_utils.get_payload_format_string(artifact) == "FORMAT_TF_EXAMPLE"
    assert examples_utils.get_file_format(artifact) == "tfrecords_gzip"
    counts = example_gen.read_counts(str(tmp_path))
    assert sum(counts.counts["train"].values()) == 1258
    assert counts.counts["eval"]["5"] in (27, 28)
    assert (counts.classes, counts.image, counts.bad_count) == (list("0123456789"), [8, 8, 1], 0)
    assert counts.licence == "CC BY 4.0"
    assert not (tmp_path / "temporary").exists()


def test_files_are_numbered_by_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "SHARD_ROWS", 100)
    run("digits", tmp_path)
    names = [path.name for path in sorted((tmp_path / "Split-eval").iterdir())]
    assert names == [f"data_tfrecord-{number:05d}-of-{len(names):05d}.gz" for number in range(len(names))]
    assert len(names) > 10


def test_shards_do_not_change_the_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("digits", tmp_path / "one", Plan(folds=3, fold=1))
    monkeypatch.setattr(digits, "SHARD_ROWS", 77)
    run("digits", tmp_path / "many", Plan(folds=3, fold=1))
    for split in example_gen.SPLITS:
        keys = [{row["key"] for row in read(tmp_path / name, split)} for name in ("one", "many")]
        assert keys[0] == keys[1]
        assert len(keys[0]) > 150


def test_unreadable_images_fail_the_run_by_name(folder: Path, tmp_path: Path) -> None:
    for number in range(5):
        path = folder / "dog" / f"{number:02d}.{('png', 'jpg', 'bmp', 'gif')[number % 4]}"
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DatasetError) as caught:
        run(f"images:{folder}", tmp_path / "out")
    message = str(caught.value)
    assert message.startswith(
        "5 of 40 examples cannot be read, more than max_bad_fraction=0 allows: dog/00.png: a trun"
    )
    assert message.endswith("and 2 more")
    assert "\n" not in message
    with pytest.raises(DatasetError, match=r"max_bad_fraction=0\.12 "):
        run(f"images:{folder}", tmp_path / "out", max_bad_fraction=0.12)


def test_unreadable_images_are_left_out_up_to_the_fraction(folder: Path, tmp_path: Path) -> None:
    (folder / "dog" / "01.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    artifact = run(f"images:{folder}", tmp_path / "out", max_bad_fraction=0.025)
    assert artifact.get_int_custom_property("bad_count") == 1
    bad = json.loads((tmp_path / "out" / "bad_examples.json").read_text())
    assert bad == [["dog/01.jpg", "a truncated or corrupt JPEG"]]
    counts = example_gen.read_counts(str(tmp_path / "out"))
    assert counts.bad_first == [("dog/01.jpg", "a truncated or corrupt JPEG")]
    keys = [row["key"] for split in example_gen.SPLITS for row in read(tmp_path / "out", split)]
    assert len(keys) == len(set(keys)) == 39
    assert b"dog/01.jpg" not in keys


def test_a_split_that_is_left_empty(tmp_path: Path) -> None:
    for kind in ("cat", "dog"):
        for number in range(4):
            write(tmp_path / "data" / "train" / kind / f"{number}.png", number)
            write(tmp_path / "data" / "test" / kind / f"{number}.png", number)
    for kind in ("cat", "dog"):
        for path in (tmp_path / "data" / "test" / kind).iterdir():
            path.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="no readable example is left for the split 'test'"):
        run(f"images:{tmp_path / 'data'}", tmp_path / "out", max_bad_fraction=0.9)


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(example_shards, "to_example", full)
    with pytest.raises(DatasetError, match=f"no space left to write {tmp_path}"):
        run("digits", tmp_path)


def test_a_dataset_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    shard = digits.DigitsShard(0, 3)
    wire = {"image": "string", "label": "int64"}
    files = {"train": str(tmp_path / "part")}
    work = example_shards.Work(shard, bytes(4), files, str(tmp_path), wire, tuple("0123456789"))
    assert "3 examples where there were 4" in example_shards.write_shard(work).failure
    assert not (tmp_path / "part").exists()


def write_table(path: Path, rows: int = 60, bad: str = "") -> Path:
    lines = [
        f"{row / 8},{'' if row % 7 == 0 else row},{'xyz'[row % 3] if row % 5 else 'NA'},{row % 4}"
        for row in range(rows)
    ]
    lines[3] = bad or lines[3]
    path.write_text("\n".join(["a,key,text,target", *lines, ""]))
    return path


def parsed(uri: Path, spec: dict[str, Any]) -> dict[str, dict[bytes, Any]]:
    """Split -> key -> example."""
    found: dict[str, dict[bytes, Any]] = {}
    for split in example_gen.SPLITS:
        files = sorted(str(path) for path in (uri / f"Split-{split}").iterdir())
        records = tf.data.TFRecordDataset(files, compression_type="GZIP")
        examples = records.map(lambda one: tf.io.parse_single_example(one, spec)).as_numpy_iterator()
        found[split] = {example.pop("key"): example for example in examples}
    return found


def test_a_table_with_a_number_as_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 128)
    monkeypatch.setattr(example_shards, "ENCODED_ROWS", 3)
    name = f"csv:{write_table(tmp_path / 'x.csv')}?label=a"
    run(name, tmp_path / "out")
    dataset = registry.open_dataset(name)
    assert len(dataset.shards()) > 3
    spec = {role: tf.io.FixedLenFeature([], feature.wire_dtype) for role, feature in dataset.features.items()} | {
        "key": tf.io.FixedLenFeature([], tf.string)
    }
    found = parsed(tmp_path / "out", spec)
    split = Plan().assign(dataset.index())
    assert {name: len(rows) for name, rows in found.items()} == {"train": 42, "eval": 9, "test": 9}
    rows = [row for shard in dataset.shards() for row in shard.read()]
    for place, row in enumerate(rows):
        np.testing.assert_equal(found[split[place]][row.key.encode()], row.values)
    # 0, 7, 14 and so on have no number, every fifth has no text.
    assert sum(np.isnan(row["key_2"]) for rows in found.values() for row in rows.values()) == 9
    assert sum(row["text"] == b"" for rows in found.values() for row in rows.values()) == 12
    counts = example_gen.read_counts(str(tmp_path / "out"))
    assert counts.counts == {"train": {"examples": 42}, "eval": {"examples": 9}, "test": {"examples": 9}}
    assert (counts.classes, counts.image, counts.bad_count) == ([], [], 0)


def test_a_table_with_classes_and_unreadable_rows(tmp_path: Path) -> None:
    name = f"csv:{write_table(tmp_path / 'x.csv', bad='two,1,x,3')}?label=target&as=label"
    run(name, tmp_path / "out", max_bad_fraction=0.02)
    counts = example_gen.read_counts(str(tmp_path / "out"))
    assert counts.classes == ["0", "1", "2", "3"]
    assert counts.bad_count == len(counts.bad_first) == 1
    with pytest.raises(DatasetError, match=r"1 of 60 examples cannot be read.*x.csv line 5: column 'a' holds 'two'"):
        example_gen.check(counts, 0.0)
    totals = {label: sum(counted[label] for counted in counts.counts.values()) for label in counts.classes}
    assert totals == {"0": 15, "1": 15, "2": 15, "3": 14}


def test_tables_and_rows_make_the_same_examples() -> None:
    dataset = registry.open_dataset("diabetes")
    wire = {role: feature.wire_dtype for role, feature in dataset.features.items()}
    (shard,) = dataset.shards()
    (table,) = shard.tables()  # type: ignore[attr-defined]
    by_column = list(example_shards.to_examples(table, np.array([5, 0, 441]), wire))
    rows = list(shard.read())
    by_row = [example_shards.to_example(rows[place], wire) for place in (5, 0, 441)]
    assert [tf.train.Example.FromString(one) for one in by_column] == [
        tf.train.Example.FromString(one) for one in by_row
    ]


def test_pairs_of_texts_without_a_label(tmp_path: Path) -> None:
    lines = [f"dog {row % 30}\tchien {row}" for row in range(59)]
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join([*lines, "cat\t", "שלום 🎉\tpaix"]))
    name = f"text:{path}"
    run(name, tmp_path / "out", max_bad_fraction=0.02)
    spec = {role: tf.io.FixedLenFeature([], tf.string) for role in ("source", "target", "key")}
    found = parsed(tmp_path / "out", spec)
    rows = [row for split in found.values() for row in split.values()]
    assert sorted(f"{row['source'].decode()}\t{row['target'].decode()}" for row in rows) == sorted(
        [*lines, "שלום 🎉\tpaix"]
    )
    sources = [{row["source"] for row in split.values()} for split in found.values()]
    assert not sources[0] & sources[1] and not sources[0] & sources[2] and not sources[1] & sources[2]
    counts = example_gen.read_counts(str(tmp_path / "out"))
    assert [set(counted) for counted in counts.counts.values()] == [{"examples"}] * 3
    assert sum(counted["examples"] for counted in counts.counts.values()) == 60
    with pytest.raises(DatasetError, match=r"1 of 61 examples cannot be read.*pairs.tsv line 60: the target is empty"):
        example_gen.check(counts, 0.0)


def test_a_table_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    (shard,) = registry.open_dataset("iris").shards()
    wire = {"petal_width_cm": "float32", "label": "int64"}
    work = example_shards.Work(
        shard, bytes(151), {"train": str(tmp_path / "part")}, str(tmp_path), wire, ("a", "b", "c")
    )
    assert "150 examples where there were 151" in example_shards.write_shard(work).failure
    assert not (tmp_path / "part").exists()


def test_a_feature_cannot_be_called_key(tmp_path: Path) -> None:
    dataset = digits.load()
    dataset.features = {**dataset.features, "key": dataset.features["image"]}
    with pytest.raises(DatasetError, match="a feature cannot be called 'key'"):
        example_gen.assign(dataset, Plan(), str(tmp_path), str(tmp_path))


def test_the_component() -> None:
    component = example_gen.StratifiedExampleGen(dataset="digits", fingerprint="f", plan=Plan(seed=3))
    assert Plan.from_dict(json.loads(component.exec_properties["plan"])) == Plan(seed=3)
    assert component.exec_properties["max_bad_fraction"] == 0.0
    assert component.outputs["examples"].type is standard_artifacts.Examples
    with pytest.raises(ValueError, match="max_bad_fraction=1"):
        example_gen.StratifiedExampleGen(dataset="digits", fingerprint="f", plan=Plan(), max_bad_fraction=1)


class Scenes(Dataset):
    """Rows without a label: an image, its mask, a text and a tensor whose number of rows varies."""

    name = "scenes"
    features = {
        "image": Feature("image", "image", (2, 2, 1), "uint8"),
        "mask": Feature("mask", "mask", (2, 2), "uint8", ("ground", "car")),
        "place": Feature("place", "text", dtype="string"),
        "boxes": Feature("boxes", "tensor", (None, 4)),
    }

    def fingerprint(self) -> str:
        return "scenes"

    def index(self) -> Index:
        contains = np.ones((40, 2), bool)
        contains[:, 1] = np.arange(40) % 4 == 0
        keys = np.array([f"scenes/{row}" for row in range(40)])
        return Index(keys, np.zeros(40, np.int64), np.full(40, "", object), ("ground", "car"), contains)

    def shards(self) -> list[Shard]:
        return [ScenesShard(0, 25), ScenesShard(25, 40)]


@dataclass(frozen=True)
class ScenesShard(Shard):
    start: int
    stop: int

    def read(self) -> Iterator[Row]:
        for row in range(self.start, self.stop):
            mask = np.array([[0, 0], [0, int(row % 4 == 0)]], np.uint8)
            values = {"image": images.encode_png(mask), "mask": images.encode_png(mask)}
            place = "Zürich" if row % 2 else b"Ulm"
            yield Row(f"scenes/{row}", values | {"place": place, "boxes": np.full((row % 3, 4), row, np.float32)})


def test_rows_without_a_label(tmp_path: Path) -> None:
    for split in example_gen.SPLITS:
        (tmp_path / f"Split-{split}").mkdir()
    (tmp_path / "temporary").mkdir()
    works = example_gen.assign(Scenes(), Plan(), str(tmp_path), str(tmp_path / "temporary"))
    counts = example_shards.merge(map(example_shards.write_shard, works), label_classes(Scenes.features))
    assert counts.counts == {"train": {"examples": 28}, "eval": {"examples": 6}, "test": {"examples": 6}}
    assert (counts.classes, counts.failure) == ([], "")
    texts = {name: tf.io.FixedLenFeature([], tf.string) for name in ("image", "mask", "place", "key")}
    found = parsed(tmp_path, texts | {"boxes": tf.io.VarLenFeature(tf.float32)})
    cars = {
        split: sum(tf.io.decode_png(row["mask"]).numpy().any() for row in rows.values())
        for split, rows in found.items()
    }
    assert cars["train"] == 7 and cars["eval"] + cars["test"] == 3 and min(cars.values()) > 0
    rows = {key: row for split in found.values() for key, row in split.items()}
    assert rows[b"scenes/5"]["place"].decode() == "Zürich"
    assert rows[b"scenes/4"]["place"] == b"Ulm"
    assert rows[b"scenes/5"]["boxes"].tolist() == [5.0] * 8
    assert rows[b"scenes/6"]["boxes"].tolist() == []
