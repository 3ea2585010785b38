"""Part files are joined in the order of the inputs, however a runner spread them; formats of what no mlp answers."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.bulk import parts
from pipelines.bulk.answers import Csv, JsonLines, TfRecord
from pipelines.bulk.inputs import Problem
from pipelines.bulk.parts import Place, Writer
from serving import protos
from serving.server import tfrecord

PLACES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), unique=True)


@given(PLACES, st.integers(1, 3), st.randoms(use_true_random=False))
def test_any_spread_is_joined_in_order(found: list[tuple[int, int]], workers: int, random) -> None:
    form = JsonLines(("y",), ())
    with tempfile.TemporaryDirectory() as folder:
        writers = [Writer(f"{folder}/parts", form) for _ in range(workers)]
        for work, row in found:
            outcome = Problem("bad") if row == 5 else {"y": np.float32(work)}
            random.choice(writers).write(Place(work, row, f"{work}-{row}"), outcome)
        for writer in writers:
            writer.close()
        named = [part for writer in writers for part in writer.parts]
        random.shuffle(named)
        parts.write_report(named, f"{folder}/report")
        read = parts.read_report(f"{folder}/report")
        parts.join(read, form, f"{folder}/out")
        keys = [json.loads(line)["key"] for line in Path(folder, "out").read_text().splitlines()]
    assert keys == [f"{work}-{row}" for work, row in sorted(found)]
    assert sum(part.failed for part in read) == sum(row == 5 for _, row in found)
    assert sum(part.predicted for part in read) == sum(row != 5 for _, row in found)
    assert {tuple(problem) for part in read for problem in part.problems} <= {(key, "bad") for key in keys}


OUTCOME = {
    "mask_bytes": b"\xff\x00",
    "text": 'Zürich, "7"'.encode(),
    "box": np.array([[1.5, 2.0]], np.float32),
    "count": np.int64(3),
    "sure": np.bool_(True),
}
OUTPUTS = tuple(sorted(OUTCOME))


def test_json_lines() -> None:
    line = JsonLines(OUTPUTS, ()).encode("ä\udcff", OUTCOME)
    assert "Zürich".encode() in line and line.endswith(b"\n")
    assert json.loads(line) == {
        "key": "ä\udcff",
        "box": [[1.5, 2.0]],
        "count": 3,
        "mask_bytes": {"b64": "/wA="},
        "sure": True,
        "text": 'Zürich, "7"',
    }


def test_csv() -> None:
    form = Csv(OUTPUTS, ("a", "b"))
    content = form.header() + form.encode("1", OUTCOME) + form.encode("2", Problem("bad,\nworse"))
    assert list(csv.reader(io.StringIO(content.decode(), newline=""))) == [
        ["key", "box", "count", "mask_bytes", "sure", "text", "error"],
        ["1", "[[1.5, 2.0]]", "3", '{"b64": "/wA="}', "true", 'Zürich, "7"', ""],
        ["2", "", "", "", "", "", "bad,\nworse"],
    ]


def test_csv_of_classes_that_are_known_only_later() -> None:
    outcome = {"classes": np.array([b"a", b"b"], object), "probabilities": np.array([0.25, 0.75]), "label": b"b"}
    outputs = tuple(sorted(outcome))
    assert Csv(outputs, ("a", "b")).header() == b"key,label,probabilities.a,probabilities.b,error\n"
    assert Csv(outputs, ("a", "b")).encode("1", outcome) == b"1,b,0.25,0.75,\n"
    unnamed = Csv(outputs, ())
    assert unnamed.header() == b"key,classes,label,probabilities,error\n"
    assert unnamed.encode("1", outcome) == b'1,,b,"{""a"": 0.25, ""b"": 0.75}",\n'


def test_tf_examples() -> None:
    content = io.BytesIO(
        TfRecord(OUTPUTS, ()).encode("ä\udcff", OUTCOME) + TfRecord((), ()).encode("2", Problem("bad"))
    )
    first, second = map(protos.example_pb2.Example.FromString, tfrecord.records(content))
    feature = first.features.feature
    assert set(feature) == {"key", *OUTPUTS}
    assert list(feature["key"].bytes_list.value) == [b"\xc3\xa4\xff"]
    assert list(feature["box"].float_list.value) == [1.5, 2.0]
    assert list(feature["count"].int64_list.value) == [3]
    assert list(feature["sure"].int64_list.value) == [1]
    assert list(feature["text"].bytes_list.value) == [OUTCOME["text"]]
    assert list(feature["mask_bytes"].bytes_list.value) == [OUTCOME["mask_bytes"]]
    assert set(second.features.feature) == {"key", "error"}
