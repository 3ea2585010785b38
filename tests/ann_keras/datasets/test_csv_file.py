"""The user's own tables: names, types, labels, keys, and what is wrong with a row or a file."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ann_keras import registry
from ann_keras.datasets import csv_file, csv_records, csv_scan
from ann_keras.datasets.base import DatasetError, Row
from ann_keras.datasets.csv_file import CsvDataset, load

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        encoded = content.encode()
        path.write_bytes(gzip.compress(encoded) if name.endswith(".gz") else encoded)
        return str(path)

    return written


def rows(dataset: CsvDataset) -> list[Row]:
    return [row for shard in pickle.loads(pickle.dumps(dataset.shards())) for row in shard.read()]


def table(number: int = 40) -> str:
    lines = [f"{row},{row % 3 + 0.5},{'xyz'[row % 3]},{row % 2}" for row in range(number)]
    return "\n".join(["size,Weight (kg),kind,sold", *lines, ""])


def test_titanic(data_dir: Path) -> None:
    dataset = load(f"{data_dir}/tabular/titanic.csv?label=survived")
    assert dataset.features["label"].classes == ("0", "1")
    kinds = {name: feature.kind for name, feature in dataset.features.items()}
    assert [name for name, kind in kinds.items() if kind == "number"] == ["pclass", "age", "sibsp", "parch", "fare"]
    optional = [name for name, feature in dataset.features.items() if feature.optional]
    assert optional == ["age", "embarked", "deck", "embark_town"]
    assert dataset.features["deck"].distinct == 7
    assert np.bincount(dataset.index().labels).tolist() == [549, 342]
    read = rows(dataset)
    assert [row.key for row in read] == dataset.index().keys.tolist()
    assert not any(row.problem for row in read)
    assert read[1].values["age"] == 38.0
    assert read[0].values["deck"] == b""
    assert sum(np.isnan(row.values["age"]) for row in read) == 177
    shown = {row[0]: row[1:] for row in csv_file.describe(dataset)}
    assert shown["survived"] == ("label", "label, 2 classes", 0.0, 2, "0")
    assert shown["age"] == ("age", "number", 177 / 891, 88, "22.0")


def test_a_number_label_and_an_id(data_dir: Path) -> None:
    dataset = load(f"{data_dir}/tabular/mpg.csv?label=mpg")
    assert (dataset.features["label"].kind, dataset.features["label"].classes) == ("number", ())
    assert np.bincount(dataset.index().labels).min() >= 10
    assert [row.values["label"] for row in rows(dataset)][:3] == [18.0, 15.0, 18.0]
    assert "column 'name' has 305 different texts in 398 rows" in dataset.notes[0]


def test_the_name_opens_the_same(write: Write) -> None:
    path = write("a?b&c%.csv", table())
    schema = write("s&1.pbtxt", 'feature { name: "size" type: BYTES }')
    argument = f"{csv_file.quoted(path)}?label=sold&schema={csv_file.quoted(schema)}&as=number"
    dataset = load(argument)
    assert dataset.name == f"csv:{argument}"
    again = registry.open_dataset(dataset.name)
    assert again.fingerprint() == dataset.fingerprint()
    assert again.features == dataset.features
    assert list(dataset.features) == ["size", "label"]


def test_a_relative_path_becomes_absolute(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("x.csv", table())
    monkeypatch.chdir(Path(path).parent)
    assert load("x.csv?label=sold").name == f"csv:{path}?label=sold"


def test_the_fingerprint_is_of_the_file_and_the_schema(write: Write) -> None:
    path = write("x.csv", table())
    first = load(f"{path}?label=sold").fingerprint()
    assert load(f"{path}?label=kind").fingerprint() != first
    os.utime(path, ns=(1, 1))
    assert load(f"{path}?label=sold").fingerprint() != first


def test_keys_do_not_depend_on_the_order(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 128)
    header, *lines = (table() + "0,0.5,x,0\n" * 3).splitlines()
    there = load(write("x.csv", "\n".join([header, *lines])) + "?label=sold")
    back = load(write("y.csv", "\r\n".join([header, *reversed(lines)])) + "?label=sold")
    assert len(there.shards()) > 3
    for dataset in (there, back):
        assert [row.key for row in rows(dataset)] == dataset.index().keys.tolist()
        assert [shard.start for shard in dataset.shards()][1:] == [shard.stop for shard in dataset.shards()][:-1]
    assert sorted(there.index().keys) == sorted(back.index().keys)
    assert len(set(there.index().keys)) == 43
    assert there.index().keys[-1] == there.index().keys[0] + "-3"


def test_a_gz_file_has_few_shards(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 100)
    monkeypatch.setattr(csv_scan, "GZ_SHARDS", 3)
    packed = load(write("x.tsv.gz", table().replace(",", "\t")) + "?label=sold")
    plain = load(write("x.tsv", table().replace(",", "\t")) + "?label=sold")
    assert len(packed.shards()) == 3 < len(plain.shards())
    assert [row.values for row in rows(packed)] == [row.values for row in rows(plain)]


def test_a_folder_keeps_its_splits(write: Write) -> None:
    path = str(Path(write("f/train.csv", table(30))).parent)
    write("f/test.csv.gz", "sold,kind,size,Weight (kg)\n1,x,5,2.5\n")
    dataset = load(f"{path}?label=sold")
    assert dataset.index().official.tolist() == ["train"] * 30 + ["test"]
    assert rows(dataset)[-1].values == {"size": 5.0, "weight_kg": 2.5, "kind": b"x", "label": 1}
    write("f/validation.csv", "sold,size,kind\n1,2,x\n")
    with pytest.raises(DatasetError, match=r"validation.csv lacks the column 'Weight \(kg\)'"):
        load(f"{path}?label=sold")
    write("f/validation.csv", "sold,size,kind,Weight (kg)\n1,2,w,1\n")
    with pytest.raises(DatasetError, match="class 'w' of column 'kind' is not among the classes of train"):
        _ = load(f"{path}?label=kind").features
    write("f/other.csv", "a,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"other.csv is none of train\.\*, validation\.\*, test\.\*"):
        load(f"{path}?label=sold")


def test_rows_with_problems_are_named_by_line(write: Write) -> None:
    content = table(50).splitlines()
    content[3] = "two,1.5,x,0"
    content[5] = "inf,1.5,x,0"
    content[7] = "7,1.5,x"
    content[9] = "9,1.5,x,NA"
    content[11] = "11,,x,1"
    dataset = load(write("x.csv", "\n".join(content)) + "?label=sold")
    problems = {place + 2: row.problem for place, row in enumerate(rows(dataset)) if row.problem}
    assert problems == {
        4: "x.csv line 4: column 'size' holds 'two', which is no number; mend the row, or declare the column as "
        "BYTES in a schema file",
        6: "x.csv line 6: column 'size' holds 'inf', which is infinite; leave the field empty or mend it",
        8: "x.csv line 8: has 3 fields where the header has 4",
        10: "x.csv line 10: the label, column 'sold', is missing",
    }
    assert dataset.features["weight_kg"].optional
    assert np.isnan(rows(dataset)[10].values["weight_kg"])
    assert len(dataset.index()) == 50


def test_what_the_schema_requires(write: Write) -> None:
    path = write("x.csv", table(50).replace("\n7,1.5,y", "\n7,,y").replace("\n8,2.5,z", "\n8,2.5,"))
    schema = write(
        "s.pbtxt",
        'feature { name: "size" type: BYTES }\n'
        'feature { name: "Weight (kg)" type: FLOAT presence { min_fraction: 1 } }\n'
        'feature { name: "sold" type: BYTES }',
    )
    dataset = load(f"{path}?label=sold&schema={schema}")
    features = dataset.features
    assert (features["size"].kind, features["size"].optional, features["size"].distinct) == ("text", True, 50)
    assert (features["weight_kg"].kind, features["weight_kg"].optional) == ("number", False)
    assert list(features) == ["size", "weight_kg", "label"]
    assert features["label"].classes == ("0", "1")
    problem = "x.csv line 9: column 'Weight (kg)' is empty, where the schema says that it never is"
    assert [row.problem[: len(problem)] for row in rows(dataset) if row.problem] == [problem]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('feature { name: "shoe" type: INT }', "names the column 'shoe', which .*x.csv lacks"),
        ('feature { name: "size" }', "column 'size' has no type; give it INT, FLOAT or BYTES"),
        ("feature { nam", "is no Schema as a text proto"),
    ],
)
def test_schemas_that_cannot_be_used(write: Write, text: str, message: str) -> None:
    dataset = load(f"{write('x.csv', table())}?label=sold&schema={write('s.pbtxt', text)}")
    with pytest.raises(DatasetError, match=message):
        _ = dataset.features


def test_the_guess_as_a_file(write: Write) -> None:
    path = write(
        "x.csv", "".join(line + end for line, end in zip(table().splitlines(), [",c\n"] + [",k\n"] * 40, strict=True))
    )
    dataset = load(f"{path}?label=sold")
    assert dataset.notes == ("column 'c' is left out: it is 'k' in every row",)
    text = csv_file.schema_text(dataset)
    assert text.startswith("# column 'c' is left out")
    again = load(f"{path}?label=sold&schema={write('s.pbtxt', text)}")
    assert again.features == dataset.features
    mended = load(f"{path}?label=sold&schema={write('t.pbtxt', text.replace('INT', 'BYTES', 1))}")
    assert mended.features["size"].kind == "text"


def test_notes(write: Write) -> None:
    lines = [f'{2**24 + row},{row}a,"{row},5",{row % 2 or "b"},,{row % 2}' for row in range(60)]
    dataset = load(write("x.csv", "\n".join(["big,id,comma,half,none,y", *lines])) + "?label=y")
    assert dataset.notes == (
        "column 'none' is left out: all its values are missing",
        "column 'big' has whole numbers beyond 2**24, which float32 rounds",
        "column 'id' has 60 different texts in 60 rows: an id or free text? A schema file that does not name it "
        "leaves it out",
        "column 'comma' has 60 different texts in 60 rows: an id or free text? A schema file that does not name it "
        "leaves it out",
        "column 'comma' is read as texts: '0,5' has a comma for a decimal point",
        "column 'half' is read as texts, though 50% of them are numbers",
    )


def test_a_target_that_float32_rounds(write: Write) -> None:
    dataset = load(write("x.csv", "a,b\n" + "".join(f"{row % 5},{2**25 + row}\n" for row in range(30))) + "?label=b")
    assert dataset.notes == ("column 'b' has whole numbers beyond 2**24, which float32 rounds",)


def test_both_ways_to_read_a_label(write: Write) -> None:
    path = write("x.csv", "a,b\n" + "".join(f"{row},{row % 12}.0\n" for row in range(60)))
    number = load(f"{path}?label=b")
    assert number.features["label"].kind == "number"
    classes = number.labelled("label")
    assert classes.name == f"{number.name}&as=label"
    assert classes.features["label"].classes == tuple(str(value) for value in range(12))
    assert [row.values["label"] for row in rows(classes)] == [row % 12 for row in range(60)]
    assert classes.labelled("number").features == number.features
    with pytest.raises(DatasetError, match="holds 'x', which is no number"):
        load(write("y.csv", table()) + "?label=kind").labelled("number")


def test_rows_without_a_label_count_as_of_the_most_frequent_class(write: Write) -> None:
    content = "a,b\n" + "1,x\n2,y\n3,y\n" * 5 + "4,?\n"
    dataset = load(write("x.csv", content) + "?label=b")
    assert dataset.index().labels.tolist() == [0, 1, 1] * 5 + [1]


@pytest.mark.parametrize(
    ("content", "query", "message"),
    [
        ("a,b\n1,2\n", "", r"needs --label COLUMN; its columns are a, b$"),
        ("a,size\n1,2\n", "?label=sise", "has no column 'sise'; its columns are a, size; did you mean 'size'"),
        ("39,State-gov\n40,x\n", "?label=age", "some of these are numbers: a line of column names must come first"),
        ("a,b\n1,2\n", "?lable=b", "unknown setting 'lable'; the settings are label, schema, as"),
        ("a,b\n1,2\n", "?label=b&as=class", "as=class is unknown; a label is read as=label or as=number"),
        ("a,b\n1,2\n2,2\n", "?label=b", "label column 'b' is '2' in every row"),
        ("a,b\n1,x\n2,x\n", "?label=b", "label column 'b' is 'x' in every row"),
        ("a,b\n1,\n2,NA\n", "?label=b", "label column 'b' has no values"),
        ("a\n1\n2\n", "?label=a", "has no column beside the label"),
        ("a,b\n1\n2\n", "?label=a", "has no readable row: line 2 has 1 fields where the header has 2"),
        (
            "a,b\n" + "".join(f"{row % 7},n{row}\n" for row in range(1001)),
            "?label=b",
            "more than 1,000 different values",
        ),
        (
            "a,b\n" + "".join(f"{row % 7},{row}\n" for row in range(1001)),
            "?label=b&as=label",
            "has 1,001 different values",
        ),
    ],
)
def test_what_cannot_be_used(write: Write, content: str, query: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        _ = load(write("x.csv", content) + query).features
    assert "\n" not in str(caught.value)


def test_paths_that_cannot_be_used(write: Write, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none.csv does not exist"):
        load(f"{tmp_path}/none.csv?label=a")
    with pytest.raises(DatasetError, match=r"x.pdf: expected a name that ends in .csv, .tsv, .txt"):
        load(write("x.pdf", "a") + "?label=a")
    write("f/notes.md", "nothing")
    with pytest.raises(DatasetError, match=r"has no train.csv \(or .tsv, .txt, each also .gz\)"):
        load(f"{tmp_path}/f?label=a")
    write("f/train.csv", "a,b\n1,2\n")
    write("f/train.tsv", "a,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"has both train.csv and train.tsv"):
        load(f"{tmp_path}/f?label=a")
