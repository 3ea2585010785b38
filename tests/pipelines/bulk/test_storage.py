"""Inputs and outputs in a store that only Beam knows, as gs:// is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apache_beam.io.filesystem import CompressedFile, CompressionTypes, FileMetadata, FileSystem

from pipelines.bulk import storage
from tests.pipelines.bulk.conftest import COUNT, Inputs, Run, read


class Store(FileSystem):
    """Objects by name, without folders. They lie below `place`, which a test sets."""

    place = Path()

    @classmethod
    def scheme(cls) -> str:
        return "teststore"

    def _local(self, path: str) -> Path:
        return self.place / path.removeprefix("teststore://")

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join((basepath.rstrip("/"), *paths))

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        raise AssertionError("a store has no folders")

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for path in self.place.rglob("*"):
            name = f"teststore://{path.relative_to(self.place)}"
            if path.is_file() and name.startswith(dir_or_prefix):
                yield FileMetadata(name, path.stat().st_size, path.stat().st_mtime)

    def create(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> Any:
        self._local(path).parent.mkdir(parents=True, exist_ok=True)
        return open(self._local(path), "wb")

    def open(self, path: str, mime_type: str = "", compression_type: str = CompressionTypes.AUTO) -> Any:
        kind = self._get_compression_type(path, compression_type)
        file = open(self._local(path), "rb")  # noqa: SIM115 - the caller's
        return file if kind == CompressionTypes.UNCOMPRESSED else CompressedFile(file, kind)

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        raise NotImplementedError

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            os.replace(self._local(source), self._local(target))

    def exists(self, path: str) -> bool:
        return self._local(path).is_file()

    def size(self, path: str) -> int:
        return self._local(path).stat().st_size

    def last_updated(self, path: str) -> float:
        return self._local(path).stat().st_mtime

    def checksum(self, path: str) -> str:
        return str(self.size(path))

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            self._local(path).unlink()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the store's objects."""
    monkeypatch.setattr(Store, "place", tmp_path / "store")
    return tmp_path / "store"


def objects(store: Path) -> set[str]:
    return {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["folder", "csv", "tfrecord"])
def test_a_store(kind: str, predict: Run, inputs: Inputs, store: Path, tmp_path: Path) -> None:
    shutil.copytree(inputs.paths["folder"].parent, store / "bucket" / "in")
    before = objects(store)
    given = f"teststore://bucket/in/{inputs.paths[kind].name}"
    answer = predict("--input", given, "--output", "teststore://bucket/out/answers.csv")
    assert answer.code == 0, answer.err
    found = read(store / "bucket" / "out" / "answers.csv")
    assert (found.keys, len(found.labels)) == (inputs.keys[kind], COUNT)
    assert objects(store) - before == {"bucket/out/answers.csv"}
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_a_store_lacks(predict: Run, store: Path) -> None:
    store.mkdir()
    for given in ("teststore://bucket/in", "teststore://bucket/*.tfrecord", "csv:teststore://bucket/a.csv"):
        answer = predict("--input", given, "--output", "x.csv")
        assert (answer.code, answer.out) == (2, "")
        assert "there is no such f" in answer.err
    answer = predict("--input", "otherstore://bucket/in", "--output", "x.csv")
    assert (answer.code, answer.out) == (2, "")
    assert "otherstore://bucket/in" in answer.err


def test_below() -> None:
    assert storage.below("/a/b/c.csv", "/a/b/*.csv") == "c.csv"
    assert storage.below("/a/b/c.csv", "/a/*/c.csv") == "b/c.csv"
    assert storage.below("gs://a/b/c.csv", "gs://a/**") == "b/c.csv"
    assert storage.below("/a/b/c.csv", "/a/b/") == "c.csv"


def test_join() -> None:
    assert storage.join("/a", "b", "c") == "/a/b/c"
    assert storage.join("/a", "/b") == "/b"
    assert storage.join("gs://a/", "b") == "gs://a/b"
    assert storage.join("/a", "gs://b/c") == "gs://b/c"
