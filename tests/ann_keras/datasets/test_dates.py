"""The embedded dates."""

from __future__ import annotations

import datetime
import pickle
import subprocess
import sys

import numpy as np
import pytest

from ann_keras import registry
from ann_keras.data import read_rows
from ann_keras.datasets import dates, near_duplicates
from ann_keras.datasets.splits import Plan


def test_every_row_is_its_date() -> None:
    dataset = dates.Dates(6000)
    shards = pickle.loads(pickle.dumps(dataset.shards()))
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 5000), (5000, 6000)]
    index = dataset.index()
    rows = list(shards[1].read())
    assert [row.key for row in rows] == index.keys[5000:].tolist()
    assert (rows[0].key, rows[-1].key) == ("dates/5000", "dates/5999")
    for number, row in enumerate(rows, 5000):
        written = dates.written(6000, 0)[number]
        assert row.values == {"source": written.source.encode(), "target": written.target.encode()}
        assert datetime.date.fromisoformat(written.target).toordinal() == index.groups[number]  # type: ignore[index]
        assert not row.problem


def test_what_it_says_of_itself() -> None:
    dataset = registry.open_dataset("dates")
    assert {name: feature.kind for name, feature in dataset.features.items()} == {"source": "text", "target": "text"}
    written = dates.written(dates.COUNT, 0)
    assert len({row.source for row in written}) == len(written) == len(np.unique(dataset.index().keys)) == 20_000
    years = {row.date.year for row in written}
    assert (min(years), max(years), len(years)) == (1900, 2099, 200)
    english = [row.source for row in written if "day" in row.source.lower()]
    assert 0.07 < np.mean([source.islower() for source in english]) < 0.13
    assert dates.written(100, 0) == written[:100] != dates.written(100, 1)


def test_a_day_is_on_one_side_alone() -> None:
    rows = read_rows(registry.open_dataset("dates"), Plan())
    days = {name: {row.values["target"] for row in split} for name, split in rows.items()}
    assert not days["train"] & days["test"] and not days["train"] & days["eval"] and not days["eval"] & days["test"]
    for name, share in (("train", 0.7), ("eval", 0.15), ("test", 0.15)):
        assert abs(len(rows[name]) - share * dates.COUNT) <= 3


def test_different_days_are_no_near_duplicates() -> None:
    written = dates.written(dates.COUNT, 0)
    group = near_duplicates.groups([row.source for row in written])
    assert len(np.unique(group)) < len(written)
    assert all(written[number].date == written[first].date for number, first in enumerate(group))


def test_the_fingerprint_changes_with_what_is_written() -> None:
    assert dates.Dates(50).fingerprint() == dates.Dates(50).fingerprint()
    assert len({dates.Dates(*given).fingerprint() for given in ((50,), (51,), (50, 1))}) == 3


@pytest.mark.parametrize("count", [0, dates.MOST + 1])
def test_wrong_counts(count: int) -> None:
    with pytest.raises(ValueError, match=f"count={count}: expected 1 to 200000 dates"):
        dates.Dates(count)


def test_it_imports_no_tensorflow() -> None:
    code = (
        "import sys; from ann_keras.datasets import dates\n"
        "next(dates.Dates(5).shards()[0].read()); dates.Dates(5).index()\n"
        "assert not {'tensorflow', 'tensorflow_datasets', 'keras'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
