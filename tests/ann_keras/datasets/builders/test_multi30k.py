"""Multi30k: the real files, and small ones made here."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ann_keras import data, registry
from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.builders import multi30k
from ann_keras.datasets.splits import Plan
from tests.ann_keras.datasets.builders.test_folders import manual

__all__ = ["manual"]

COUNTS = {"train": 4, "val": 2, "test_2016_flickr": 3}


@pytest.fixture
def files(manual: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few sentences in TFDS's manual directory."""
    monkeypatch.setattr(multi30k.Multi30k, "COUNTS", COUNTS)
    folder = manual / "multi30k"
    folder.mkdir(parents=True)
    for name, count in COUNTS.items():
        for language in multi30k.LANGUAGES:
            content = "".join(f"{language} {name}\x85 {row}\n" for row in range(count))
            (folder / f"{name}.{language}.gz").write_bytes(gzip.compress(content.encode()))
    return folder


def test_pairs_and_official_splits(files: Path) -> None:
    dataset = registry.open_dataset("multi30k")
    rows = data.read_rows(dataset, Plan())
    assert {name: len(split) for name, split in rows.items()} == {"train": 4, "eval": 2, "test": 3}
    values = {name: text.decode() for name, text in rows["test"][2].values.items()}
    assert values == {"source": "en test_2016_flickr\x85 2", "target": "de test_2016_flickr\x85 2"}
    assert rows["eval"][0].key == "validation/00000000"
    assert dataset.licence == "For non-commercial research and education."
    assert "Elliott" in dataset.citation
    other = registry.open_dataset("multi30k:cs-fr")
    assert (dataset.name, other.name) == ("multi30k", "multi30k:cs-fr")
    assert registry.open_dataset("multi30k:en-de").name == "multi30k"
    assert next(other.shards()[0].read()).values["target"] == "fr train\x85 0".encode()


@pytest.mark.parametrize("pair", ["en", "en-xx", "en-en", "en-de-fr", "de_fr"])
def test_wrong_pairs(pair: str) -> None:
    with pytest.raises(DatasetError) as caught:
        registry.open_dataset(f"multi30k:{pair}")
    assert str(caught.value) == f"multi30k:{pair}: expected two of en, de, fr, cs, as in multi30k:en-de"


def test_a_file_that_is_missing_or_short(files: Path) -> None:
    place = files / "val.fr.gz"
    place.write_bytes(gzip.compress(b"one\n"))
    with pytest.raises(DatasetError, match=r"val.fr.gz has 1 lines, expected 2"):
        registry.open_dataset("multi30k")
    place.unlink()
    with pytest.raises(DatasetError, match=r"val.fr.gz does not exist"):
        registry.open_dataset("multi30k")


def test_neither_files_nor_network(manual: Path) -> None:
    expected = "^TFDS cannot download 'multi30k': no connection to github.com; .*ANN_DATA_DIR/multi30k"
    with pytest.raises(DatasetError, match=expected):
        registry.open_dataset("multi30k:de-fr")


@pytest.mark.slow
def test_multi30k(data_dir: Path, manual: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANN_DATA_DIR", str(data_dir))
    dataset = registry.open_dataset("multi30k:de-fr")
    rows = data.read_rows(dataset, Plan())
    assert {name: len(split) for name, split in rows.items()} == {"train": 29_000, "eval": 1014, "test": 1000}
    for name, language, role in (("test_2016_flickr", "de", "source"), ("test_2016_flickr", "fr", "target")):
        stored = gzip.decompress((data_dir / "multi30k" / f"{name}.{language}.gz").read_bytes())
        assert [row.values[role] for row in rows["test"]] == stored.split(b"\n")[:1000]
    # Of the 30,014 sources that are no test, some are the same but for case and punctuation.
    index = dataset.index()
    assert index.groups is not None and 29_800 < len(set(index.groups.tolist())) - 1000 < 30_014
    split = Plan(folds=5, fold=0).assign(index)
    for group in set(index.groups[split == "test"].tolist()):
        assert set(split[index.groups == group].tolist()) == {"test"}
