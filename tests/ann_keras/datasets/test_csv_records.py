"""Where records begin and end, against Python's csv."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras.datasets import csv_reading, csv_records
from ann_keras.datasets.base import DatasetError

FIELDS = st.text(alphabet='ab,"\r\n ;é', max_size=8)
ROWS = st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=12)


def cut_up(block: csv_records.Block) -> list[str]:
    bounds = zip(block.starts.tolist(), block.ends.tolist(), strict=True)
    return [block.data[start:end].decode() for start, end in bounds]


def parsed(block: csv_records.Block) -> list[list[str]]:
    return [next(csv.reader(io.StringIO(record, newline=""))) for record in cut_up(block)]


def records(path: Path) -> list[str]:
    return [record for block in csv_records.blocks(str(path), ",", 0, 1) for record in cut_up(block)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv")


@settings(max_examples=200)
@given(st.text(alphabet='ab,"\r\n ', max_size=30))
def test_any_text_is_cut_as_pythons_csv_cuts_it(text: str) -> None:
    block = csv_records.cut(text.encode(), ",", 0, 1, True)
    whole = text[: len(block.data)]
    expected = [row for row in csv.reader(io.StringIO(whole, newline="")) if row]
    assert parsed(block) == expected
    if len(whole) < len(text):
        # What is left over is one record with a quoted field that stays open: a quote more closes it.
        rest = list(csv.reader(io.StringIO(text[len(whole) :] + '"', newline="")))
        assert len(rest) == 1


@settings(max_examples=30)
@given(
    ROWS,
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.integers(60, 200),
)
def test_files_in_small_blocks(
    folder: Path, rows: list[list[str]], end: str, has_bom: bool, quoting: int, size: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL:
        # Python's writer leaves a lone CR unquoted there.
        rows = [[field.replace("\r", "\n") for field in row] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([["a", "b"], *rows])  # type: ignore[arg-type]
    path = folder / "rows.csv"
    path.write_bytes(csv_reading.BOM * has_bom + text.getvalue().encode())
    place = csv_reading.layout(str(path))
    assert (place.columns, place.delimiter, place.first_line) == (("a", "b"), ",", 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_records, "BLOCK_BYTES", size)
        blocks = list(csv_records.blocks(str(path), ",", place.begin, place.first_line))
    expected = [tuple(field.strip() or None for field in row) for row in rows]
    # Arrow is slow to start: it parses the whole, and Python each record of the small blocks.
    (whole,) = csv_records.blocks(str(path), ",", place.begin, place.first_line)
    cells = csv_reading.cells(whole, place, ("a", "b"))
    assert not cells.ragged
    assert list(zip(*(column.to_pylist() for column in cells.columns.values()), strict=True)) == expected
    cut = [one for block in blocks for one in parsed(block)]
    assert [tuple(field.strip() or None for field in row) for row in cut] == expected
    # Every line number is the one at which Python's reader stands before the record.
    reader = csv.reader(io.StringIO(text.getvalue(), newline=""))
    before = []
    for _ in range(len(rows) + 1):
        before.append(reader.line_num + 1)
        next(reader)
    if "\r" not in "".join(field for row in rows for field in row):
        lines = [line for block in blocks for line in block.lines(np.arange(len(block))).tolist()]
        assert lines == before[1:]


def test_a_range_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d,x\n" % number for number in range(1000))))
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 100)
    blocks = list(csv_records.blocks(str(path), ",", 0, 1))
    middle = blocks[7:10]
    end = middle[-1].offset + len(middle[-1].data)
    again = list(csv_records.blocks(str(path), ",", middle[0].offset, middle[0].first_line, end))
    assert b"".join(block.data for block in again) == b"".join(block.data for block in middle)
    assert again[0].first_line == middle[0].first_line
    assert sum(len(block) for block in blocks) == 1000


def test_a_quote_that_nothing_closes_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('a,b\n1,2\n3,"4\n5,6\n' + "7,8\n" * 100)
    with pytest.raises(DatasetError, match="record on line 3 opens a quoted field that nothing closes"):
        records(path)
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 64)
    with pytest.raises(DatasetError, match="record on line 3 is longer than"):
        records(path)


def test_stray_quotes_are_letters(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('5" pipe,1\n6" pipe,2\n"a ""b"" \n c",3\n')
    assert records(path) == ['5" pipe,1', '6" pipe,2', '"a ""b"" \n c",3']
    block = next(csv_records.blocks(str(path), ",", 0, 1))
    place = csv_reading.Layout(str(path), ",", ("a", "b"), 0, 1)
    assert csv_reading.cells(block, place, ("a",)).columns["a"] == pa.array(['5" pipe', '6" pipe', 'a "b" \n c'])


def test_what_is_not_utf8_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'a,b\n"1\n2",\xff\n')
    with pytest.raises(DatasetError, match=r"is not UTF-8 \(line 3\)"):
        next(csv_records.blocks(str(path), ",", 0, 1)).text(str(path))


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:-20])
    (tmp_path / "no.csv.gz").write_bytes(b"a,b\n")
    for name in ("cut.csv.gz", "no.csv.gz"):
        with pytest.raises(DatasetError, match="is not a whole gzip file"):
            records(tmp_path / name)
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        records(tmp_path / "none.csv")
