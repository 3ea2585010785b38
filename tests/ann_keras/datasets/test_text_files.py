"""Pairs of texts in files: every layout, keys, shards, and what is wrong with a line or a file."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from ann_keras import data, registry
from ann_keras.datasets import pairs, text_files, text_reading
from ann_keras.datasets.base import Dataset, DatasetError, Row
from ann_keras.datasets.splits import Plan


def write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(line + end for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def read(dataset: Dataset) -> list[Row]:
    return [row for shard in dataset.shards() for row in pickle.loads(pickle.dumps(shard)).read()]


def texts(dataset: Dataset) -> list[tuple[str, str]]:
    return [(row.values["source"].decode(), row.values["target"].decode()) for row in read(dataset)]


def test_tab_separated(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "a cat\tune chatte\tCC0", "a dog\tun chien")
    dataset = registry.open_dataset(f"text:{path}")
    assert dataset.name == f"text:{path}"
    assert texts(dataset) == [("a cat", "une chatte"), ("a dog", "un chien")]
    assert texts(text_files.load(f"{path}@2-1")) == [("une chatte", "a cat"), ("un chien", "a dog")]
    third = read(text_files.load(f"{path}@1-3"))
    assert [row.problem for row in third] == ["", "pairs.tsv line 2 has no column 3"]
    assert set(dataset.index().official) == {""}


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_two_files_a_split(gz: str, tmp_path: Path) -> None:
    for split, count in (("train", 4), ("dev", 2), ("test_2016", 3)):
        for language in ("en", "de", "fr"):
            write(tmp_path / f"{split}.{language}{gz}", *(f"{split} {row} {language}" for row in range(count)))
    write(tmp_path / "README.md", "of the corpus")
    dataset = text_files.load(f"{tmp_path}@fr-en")
    index = dataset.index()
    assert index.official.tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 3
    assert texts(dataset)[3:5] == [("train 3 fr", "train 3 en"), ("dev 0 fr", "dev 0 en")]
    assert [row.key for row in read(dataset)] == index.keys.tolist()
    # Another process opens it by its name.
    assert registry.open_dataset(dataset.name).fingerprint() == dataset.fingerprint()
    assert {name: len(rows) for name, rows in data.read_rows(dataset, Plan()).items()} == {
        "train": 4,
        "eval": 2,
        "test": 3,
    }


def test_one_pair_of_files_by_its_name_or_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "all.pt-BR", "um", "dois")
    write(tmp_path / "all.en", "one", "two")
    for argument in (str(tmp_path), str(tmp_path / "all"), f"{tmp_path / 'all'}@en-pt-BR"):
        assert texts(text_files.load(argument)) == [("one", "um"), ("two", "dois")]
    assert texts(text_files.load(f"{tmp_path}@pt-BR-en"))[0] == ("um", "one")
    assert text_files.load(str(tmp_path)).features["target"].description == "The text of 'pt-BR'."


def test_tab_separated_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", "a\tA", "b\tB")
    write(tmp_path / "test.tsv", "c\tC")
    assert texts(text_files.load(str(tmp_path))) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_keys_say_what_a_pair_holds_and_not_where_it_stands(tmp_path: Path) -> None:
    there = text_files.load(str(write(tmp_path / "there.tsv", "a\tA", "b\tB", "a\tA", "ab\t", "a\tB", "a\tA")))
    back = text_files.load(str(write(tmp_path / "back.tsv", "a\tB", "ab\t", "a\tA", "a\tA", "b\tB", "a\tA")))
    keys = there.index().keys
    assert sorted(keys) == sorted(back.index().keys)
    assert len(set(keys)) == 6
    assert [keys[2], keys[5]] == [f"{keys[0]}-1", f"{keys[0]}-2"]
    groups = there.index().groups
    assert groups is not None and groups.tolist() == [0, 1, 0, 3, 0, 0]


@pytest.mark.parametrize("gz", ["", ".gz"])
def test_shards_cover_every_row_in_order(gz: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reading, "MARK_ROWS", 10)
    monkeypatch.setattr(text_files, "SHARD_ROWS", 20)
    monkeypatch.setattr(text_files, "TABLE_ROWS", 7)
    lines = [f"line {row % 70} ä{'x' * (row % 9)}" for row in range(230)]
    write(tmp_path / f"train.en{gz}", *lines, end="\r\n")
    write(tmp_path / f"train.de{gz}", *(f"Zeile {row % 70}" for row in range(230)))
    write(tmp_path / f"test.en{gz}", *(f"test {row}" for row in range(20)))
    write(tmp_path / f"test.de{gz}", *(f"Test {row}" for row in range(20)))
    dataset = text_files.load(f"{tmp_path}@en-de")
    index, shards = dataset.index(), dataset.shards()
    # Of a .gz there are eight shards at the most, of 30 rows here.
    assert len(shards) == (8 + 1 if gz else 12 + 1)
    assert [shard.start for shard in shards] == [0, *(shard.stop for shard in shards[:-1])]
    assert shards[-1].stop == len(index) == 250
    for shard in shards:
        rows = list(pickle.loads(pickle.dumps(shard)).read())
        assert [row.key for row in rows] == index.keys[shard.start : shard.stop].tolist()
        for number, row in enumerate(rows, shard.start):
            assert row.values["source"].decode() == (lines[number] if number < 230 else f"test {number - 230}")
    assert len(set(index.keys)) == 250


BAD = {
    b"one\t\n": "bad.tsv line 2: the target is empty",
    b"\tuno\n": "bad.tsv line 2: the source is empty",
    b" \t\xc2\xa0\n": "bad.tsv line 2: the source and the target are empty",
    b"\x01\x7f\tuno\n": "bad.tsv line 2: the source is empty",
    b"\n": "bad.tsv line 2 is empty",
    b"one uno\n": "bad.tsv line 2 has no tab",
    b"one\tun\xf1o\n": "bad.tsv line 2: the target is not valid UTF-8 at its byte 3, 0xf1",
}


@pytest.mark.parametrize(("line", "problem"), BAD.items())
def test_a_bad_line_is_a_row_with_a_problem(line: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.tsv"
    path.write_bytes(b"two\tdos\n" + line + b"three\ttres")
    dataset = text_files.load(str(path))
    assert [row.problem for row in read(dataset)] == ["", problem, ""]
    assert len(dataset.index()) == 3
    with pytest.raises(DatasetError, match=r"cannot be read: bad.tsv line 2"):
        data.read(dataset)


def test_a_bad_line_of_two_files_names_the_file(tmp_path: Path) -> None:
    write(tmp_path / "all.en", "one", "", "three", "")
    (tmp_path / "all.de").write_bytes(b"eins\nzwei\n\xff\n\n")
    assert [row.problem for row in read(text_files.load(f"{tmp_path}@en-de"))] == [
        "",
        "all.en line 2 is empty",
        "all.de line 3 is not valid UTF-8 at its byte 1, 0xff",
        "all.en line 4 and all.de line 4 are empty",
    ]


def test_what_passes_unchanged(tmp_path: Path) -> None:
    kept = [
        "שלום עולם",
        "مرحبا \u200fبالعالم",
        "👩‍👩‍👧 ok",
        "a\x0bb\x1cc\x85d\u2028e\x00f",
        "word " * 2000,
        "a\rb",
        '"quoted',
    ]
    path = write(tmp_path / "kept.tsv", *(f"{text}\t{text}" for text in kept))
    assert texts(text_files.load(str(path))) == [(text, text) for text in kept]
    assert not any(row.problem for row in read(text_files.load(str(path))))


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert texts(text_files.load(str(write(tmp_path / "bom.tsv", "\ufeffa\tA")))) == [("a", "A")]


def test_unequal_numbers_of_lines(tmp_path: Path) -> None:
    write(tmp_path / "all.en", "one", "two", "three")
    write(tmp_path / "all.de", "eins", "zwei")
    expected = (
        f"{tmp_path}/all.en has 3 lines and {tmp_path}/all.de has 2 lines; each line of the one needs its partner"
    )
    with pytest.raises(DatasetError) as caught:
        text_files.load(f"{tmp_path}@en-de").index()
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no pair of texts that can be used: it is empty"),
        (b"one\ntwo\n", "no pair of texts that can be used: lone.tsv line 2 has no tab; give a file with a tab"),
        ("one\tuno\n".encode("utf-16"), "lone.tsv is UTF-16; save it as UTF-8"),
    ],
)
def test_files_without_pairs(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "lone.tsv").write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        text_files.load(str(tmp_path / "lone.tsv")).index()
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_broken_gz(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv.gz", *(f"{row}\t{row}" for row in range(1000)))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DatasetError, match=r"pairs.tsv.gz cannot be read: .*ended"):
        text_files.load(str(path)).index()


@pytest.mark.parametrize(
    ("files", "argument", "message"),
    [
        ([], "none", "none does not exist; give a file with a tab"),
        ([], "", " has no pairs of texts; give a file with a tab"),
        (["train.en"], "", "train.en has no partner in another language"),
        (["train.en", "train.de", "train.fr"], "", "which pair is not said; its languages are de and en and fr, as in"),
        (["train.en", "train.de"], "@en-fr", "@en-fr is none of its pairs; its languages are de and en"),
        (["train.en", "train.de", "val.en"], "", "has no file of the validation split in 'de'"),
        (["val.en", "val.de"], "", "has val.* but no train.*"),
        (
            ["train.en", "train.de", "val.en", "val.de", "dev.en", "dev.de"],
            "",
            "both dev.* and val.* for the validation",
        ),
        (["train.en", "train.en.gz"], "", "has both train.en and train.en.gz; keep one"),
        (["a.en", "a.de", "b.en", "b.de"], "", "has a.*, b.*; give a file"),
        (["train.tsv", "test.txt"], "", "has no .tsv of the test split"),
        (["a.tsv"], "a.tsv@en-de", "a.tsv@en-de: in one file the order is one of columns, such as @2-1"),
    ],
)
def test_layouts_that_do_not_fit(files: list[str], argument: str, message: str, tmp_path: Path) -> None:
    for name in files:
        write(tmp_path / name, "a")
    with pytest.raises(DatasetError) as caught:
        text_files.load(f"{tmp_path}{argument}" if argument.startswith("@") else str(tmp_path / argument))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_the_fingerprint_changes_with_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "a\tA")
    dataset = text_files.load(str(path))
    before, keys = dataset.fingerprint(), dataset.index().keys
    write(path, "a\tA", "b\tB")
    assert dataset.fingerprint() != before
    assert len(dataset.index().keys) == len(keys) + 1 == dataset.shards()[-1].stop


def test_features() -> None:
    features = pairs.features("one", "other")
    assert {name: (one.kind, one.wire_dtype, one.description) for name, one in features.items()} == {
        "source": ("text", "string", "one"),
        "target": ("text", "string", "other"),
    }


@pytest.mark.slow
def test_multi30k_as_a_folder(data_dir: Path) -> None:
    dataset = text_files.load(f"{data_dir / 'multi30k'}@cs-fr")
    shard = dataset.shards()[-1]
    rows = list(shard.read())
    lines = gzip.decompress((data_dir / "multi30k" / "test_2016_flickr.cs.gz").read_bytes()).decode().split("\n")
    assert [row.values["source"].decode() for row in rows] == lines[:1000]
    index = dataset.index()
    assert np.unique(index.official, return_counts=True)[1].tolist() == [1000, 29_000, 1014]
    assert len(set(index.keys)) == 31_014
