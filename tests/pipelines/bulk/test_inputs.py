"""How inputs are cut into works, and what is read from them."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import os
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ann_keras.task import Feature
from pipelines.bulk import inputs, lines, tables, values
from pipelines.bulk.inputs import Folder, Problem, Source, TfRecords
from pipelines.bulk.lines import Lines
from pipelines.bulk.tables import Csv
from serving.server import tfrecord
from tests.pipelines.bulk.conftest import write_records

IMAGE, SPEED, PLACE = Feature("image", "image"), Feature("speed", "number"), Feature("place", "tensor", (2,))


def read_all(source: Source) -> list[tuple[str, Any]]:
    """What workers read, each work by a source of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        works = list(source.works(temporary))
        assert [work.number for work in works] == list(range(len(works)))
        found = [list(type(source)(source.path, source.features).read(work)) for work in works]
    assert all(work.rows in (None, len(rows)) for work, rows in zip(works, found, strict=True))
    return [row for rows in found for row in rows]


SOURCE = Feature("source", "text")


@given(
    st.lists(st.binary(max_size=5).map(lambda line: line.replace(b"\n", b"").rstrip(b"\r")), max_size=20),
    st.integers(1, 4),
)
def test_lines_are_texts_of_any_bytes(texts: list[bytes], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(lines, "WORK_ROWS", size):
        path = Path(folder, "a.txt")
        path.write_bytes(b"".join(text + b"\n" for text in texts))
        source = Lines(str(path), (SOURCE,))
        source.check()
        found = read_all(source)
    assert found == [(str(number), {"source": text}) for number, text in enumerate(texts, start=1)]


def test_a_folder_of_texts_has_one_a_file_or_one_a_line(tmp_path: Path) -> None:
    for name, content in (("a.txt", b"one\r\ntwo"), ("b.txt", b"\xff"), ("c.npy", b"")):
        (tmp_path / name).write_bytes(content)
    (found, other) = read_all(Folder(str(tmp_path), (SOURCE,)))
    assert (found, other) == (("a.txt", {"source": b"one\r\ntwo"}), ("b.txt", {"source": b"\xff"}))
    keys = [key for key, _ in read_all(Lines(str(tmp_path), (SOURCE,)))]
    assert keys == ["a.txt:1", "a.txt:2", "b.txt:1"]


CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(CELL, max_size=20), st.integers(1, 4), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_tables_are_cut_between_rows_alone(notes: list[str], size: int, end: str, bom: bool) -> None:
    buffer = io.StringIO(newline="")
    table = csv.writer(buffer, lineterminator=end, quoting=csv.QUOTE_ALL)
    table.writerows([["note", "speed"], *([note, number] for number, note in enumerate(notes))])
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(tables, "WORK_ROWS", size):
        path = Path(folder, "a.csv")
        path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + buffer.getvalue().encode())
        source = Csv(str(path), (SPEED,))
        source.check()
        found = read_all(source)
    assert [key for key, _ in found] == [str(number + 1) for number in range(len(notes))]
    assert [example["speed"] for _, example in found] == list(range(len(notes)))


def test_cells(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"picture")
    np.save(tmp_path / "place.npy", [3, 4])
    inline = f"data:image/png;base64,{base64.b64encode(b'inline').decode()}"
    rows = [
        ["1.png", " 7 ", "[1, 2]"],
        [f" {inline}", "-1e3", "place.npy"],
        [str(tmp_path / "1.png"), "+.5", "[1, 2.5]"],
        ["2.png", "1", "[1, 2]"],
        ["", "1", "[1, 2]"],
        ["data:image/png,abc", "1", "[1, 2]"],
        ["data:image/png;base64,a!", "1", "[1, 2]"],
        ["1.png", "", "[1, 2]"],
        ["1.png", "fast", "[1, 2]"],
        ["1.png", "1", "[1, 2, 3]"],
        ["1.png", "1"],
        ["1.png", "1", "nope.npy"],
    ]
    with open(tmp_path / "a.csv", "w", newline="") as file:
        csv.writer(file).writerows([[" image", "speed", "place "], *rows])
    found = [example for _, example in read_all(Csv(str(tmp_path / "a.csv"), (IMAGE, SPEED, PLACE)))]
    assert [(one["image"], one["speed"], list(one["place"])) for one in found[:3]] == [
        (b"picture", 7, [1, 2]),
        (b"inline", -1000, [3, 4]),
        (b"picture", 0.5, [1, 2.5]),
    ]
    reasons = [one.reason for one in found[3:]]
    expected = [
        "2.png: No such file or directory",
        "image: neither a path nor a data: URI",
        "begins as data:image/png;base64, does",
        "",  # binascii's own words
        "number 'speed' is missing, and the model needs it",
        "number 'speed' is 'fast', which is no number",
        "of shape [2], not numbers of shape [3]",
        "2 cells under 3 columns",
        "nope.npy: No such file or directory",
    ]
    assert len(reasons) == len(expected)
    for reason, part in zip(reasons, expected, strict=True):
        assert part in reason and "\n" not in reason


def test_rows_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"speed\n1\n\n\x00\n3\n")
    source = Csv(str(tmp_path / "a.csv"), (SPEED,))
    found = dict(read_all(source))
    assert (found["1"]["speed"], found["3"]["speed"]) == (1, 3)
    assert found["2"].reason
    works = list(source.works(str(tmp_path)))
    (tmp_path / "a.csv").write_bytes(b"speed\n1\n")
    with pytest.raises(RuntimeError, match="changed while it was read"):
        list(source.read(works[0]))


def test_a_folder_of_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "b.npy", [1.0, 2.0])
    np.save(tmp_path / "a.npy", [1.0])
    np.save(tmp_path / "c.npy", np.array([object()]), allow_pickle=True)
    source = Folder(str(tmp_path), (PLACE,))
    source.check()
    (_, first), (_, second), (_, third) = read_all(source)
    assert list(second["place"]) == [1, 2]
    assert "of shape [2]" in first.reason and "allow_pickle" in third.reason


def test_files_by_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "WORK_ROWS", 2)
    names = ["A.PNG", "[1].jpg", "line\nbreak.gif", "s p/ü.bmp", os.fsdecode(b"\xff.png")]
    (tmp_path / "[x]" / "s p").mkdir(parents=True)
    for number, name in enumerate(names):
        (tmp_path / "[x]" / name).write_bytes(b"%d" % number)
    found = read_all(Folder(str(tmp_path / "[x]"), (IMAGE,)))
    assert found == [(name, {"image": b"%d" % names.index(name)}) for name in sorted(names)]


def test_pictures_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "LARGEST_FILE", 1 << 20)
    (tmp_path / "a.png").write_bytes(bytes((1 << 20) + 1))
    (tmp_path / "b.png").write_bytes(bytes(1 << 20))
    Image.new("1", (9000, 9000)).save(tmp_path / "c.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "d.png")
    found = dict(read_all(Folder(str(tmp_path), (IMAGE,))))
    assert found["a.png"] == Problem("larger than 1 MiB")
    assert found["b.png"] == {"image": bytes(1 << 20)}
    assert found["c.png"] == found["d.png"] == Problem("a picture of more than 64 megapixels")


def test_several_files_of_records(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    write_records(folder / "a-1.tfrecord", [b"1", b"", b"3"])
    packed = gzip.compress(tfrecord.framed(b"4")) + gzip.compress(tfrecord.framed(b"5"))
    (folder / "a-2.tfrecord.gz").write_bytes(packed)
    expected = [("1.tfrecord:0", b"1"), ("1.tfrecord:1", b""), ("1.tfrecord:2", b"3")]
    expected += [("2.tfrecord.gz:0", b"4"), ("2.tfrecord.gz:1", b"5")]
    for pattern, before in ((folder, "a-"), (folder / "a*", "a-"), (tmp_path / "*" / "*" / "a*", "in/deep/a-")):
        source = TfRecords(str(pattern), ())
        source.check()
        assert read_all(source) == [(before + key, record) for key, record in expected]


@pytest.mark.parametrize("cut", [1, 11, 13, 20])
def test_records_that_are_cut_short(cut: int, tmp_path: Path) -> None:
    whole = tfrecord.framed(b"12345") * 2
    for name, content in (("a.tfrecord", whole[: 21 + cut]), ("a.tfrecord.gz", gzip.compress(whole[: 21 + cut]))):
        (tmp_path / name).write_bytes(content)
        (key, record), (bad, problem) = read_all(TfRecords(str(tmp_path / name), ()))
        assert (key, record, bad) == ("0", b"12345", "1")
        assert "truncated record at 21; nothing after it" in problem.reason


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(os.urandom(1000)))
    content[20:200] = bytes(180)
    (tmp_path / "a.tfrecord.gz").write_bytes(content)
    ((key, problem),) = read_all(TfRecords(str(tmp_path / "a.tfrecord.gz"), ()))
    assert key == "0" and isinstance(problem, Problem)
