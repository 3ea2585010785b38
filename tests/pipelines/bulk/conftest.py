"""A pushed mlp, the same digits as a folder, a table and tf.Examples, and the command line in this process."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import cli
from serving import protos
from serving.server import tfrecord
from tests.pipelines.conftest import Answer

COUNT = 300
"""More than one work has, and no multiple of a batch."""


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With serving/mlp/1, which has seen a few digits."""
    from ann_keras import data, registry, training
    from serving.export import export

    root = tmp_path_factory.mktemp("root")
    triple = registry.resolve("mlp", overrides={"units": 16, "depth": 1})
    loaded = data.load(triple)
    model = training.build(triple)
    model.compile("adam", **triple.task.compile_args())
    model.fit(loaded.train.batches(64), shuffle=False, verbose=0)
    (root / "serving" / "mlp").mkdir(parents=True)
    export(triple, model, loaded.transform, root / "serving" / "mlp" / "1")
    return root


@dataclass(frozen=True)
class Inputs:
    """The same pictures three times: their bytes, and by format the path and the keys that stand for them."""

    pictures: list[bytes]
    paths: dict[str, Path]
    keys: dict[str, list[str]]


def write_records(path: Path, records: list[bytes]) -> None:
    path.write_bytes(b"".join(map(tfrecord.framed, records)))


def example(picture: bytes) -> bytes:
    made = protos.example_pb2.Example()
    made.features.feature["image"].bytes_list.value.append(picture)
    return made.SerializeToString()


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    from ann_keras.datasets.digits import DigitsShard

    folder = tmp_path_factory.mktemp("inputs")
    pictures = [row.values["image"] for row in DigitsShard(0, COUNT).read()]
    names = [f"{number // 100}/{number:04d}.png" for number in range(COUNT)]
    for name, picture in zip(names, pictures, strict=True):
        (folder / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "pictures" / name).write_bytes(picture)
    (folder / "pictures" / "README.txt").write_text("no picture")
    (folder / "pictures" / ".hidden.png").write_bytes(b"no picture either")
    with open(folder / "table.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["note", "image"])
        for number, (name, picture) in enumerate(zip(names, pictures, strict=True)):
            inline = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
            table.writerow(['over\ntwo lines, "quoted"', f"pictures/{name}" if number % 3 else inline])
    write_records(folder / "digits.tfrecord", list(map(example, pictures)))
    numbers = list(map(str, range(COUNT + 1)))
    return Inputs(
        pictures,
        {"folder": folder / "pictures", "csv": folder / "table.csv", "tfrecord": folder / "digits.tfrecord"},
        {"folder": names, "csv": numbers[1:], "tfrecord": numbers[:-1]},
    )


@dataclass(frozen=True)
class Read:
    """An output as every format tells it: a label and shares for each key, or an error."""

    keys: list[str]
    labels: list[str]
    shares: np.ndarray
    errors: dict[str, str]


def read(path: Path) -> Read:
    rows = {".jsonl": _read_jsonl, ".csv": _read_csv, ".tfrecord": _read_tfrecord}[path.suffix](path)
    good = [row for row in rows if not row[3]]
    return Read(
        [row[0] for row in rows],
        [row[1] for row in good],
        np.array([row[2] for row in good]),
        {row[0]: row[3] for row in rows if row[3]},
    )


Row = tuple[str, str, list[float], str]


def _read_jsonl(path: Path) -> list[Row]:
    found = map(json.loads, path.read_text().splitlines())
    return [
        (row["key"], row.get("label", ""), list(row.get("probabilities", {}).values()), row.get("error", ""))
        for row in found
    ]


def _read_csv(path: Path) -> list[Row]:
    with open(path, newline="") as file:
        table = csv.DictReader(file)
        assert table.fieldnames == ["key", "label", *(f"probabilities.{digit}" for digit in range(10)), "error"]
        return [
            (row["key"], row["label"], [float(row[f"probabilities.{digit}"] or 0) for digit in range(10)], row["error"])
            for row in table
        ]


def _read_tfrecord(path: Path) -> list[Row]:
    import tensorflow as tf

    rows = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        texts = [b"".join(feature[name].bytes_list.value).decode() for name in ("key", "label", "error")]
        rows.append((texts[0], texts[1], list(feature["probabilities"].float_list.value), texts[2]))
    return rows


Run = Callable[..., Answer]


@pytest.fixture
def predict(root: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`ann predict mlp --root ROOT ...` in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANN_TRACEBACK", raising=False)

    def run(*arguments: Any, model: str = "mlp") -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main(["predict", model, "--root", str(root), *map(str, arguments)])
        out, err = capfd.readouterr()
        return Answer(ended.value.code or 0, out, err)

    return run
