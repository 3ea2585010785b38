"""20,000 dates as people write them in eight languages and digits, with the same dates in ISO 8601.

They are written when they are read (see `date_forms`): no download, and nothing on disk. Days are those of the years
1900 to 2099. A year of two digits is one from 1950 to 2049.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ann_keras.datasets import pairs
from ann_keras.datasets.base import Dataset, Index, Table, TableShard
from ann_keras.datasets.date_forms import FORMS
from ann_keras.datasets.tables import row_keys

COUNT = 20_000
MOST = 200_000
"""So many differ from each other with ease."""
SHARD_ROWS = 5000
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
SMALL_LETTERS = 0.1
"""Share of the sources that have no capitals."""


@dataclass(frozen=True)
class Written:
    """A date, and how somebody wrote it."""

    source: str
    date: datetime.date

    @property
    def target(self) -> str:
        """The date in ISO 8601: YYYY-MM-DD."""
        return self.date.isoformat()


@dataclass(frozen=True)
class DatesShard(TableShard):
    """Dates [start, stop)."""

    start: int
    stop: int
    count: int
    seed: int

    def tables(self) -> Iterator[Table]:
        """Yields the rows as one table."""
        rows = written(self.count, self.seed)[self.start : self.stop]
        columns = {
            "source": np.array([row.source.encode() for row in rows], object),
            "target": np.array([row.target.encode() for row in rows], object),
        }
        yield Table(row_keys("dates", len(rows), self.start), columns)


class Dates(Dataset):
    """The embedded default of what answers a text with a text: no official split. No source stands there twice.

    Args:
        count: the number of dates, 1 to `MOST`.
        seed: another one writes others.

    Raises:
        ValueError: for another count.
    """

    name = "dates"
    description = "Dates as people write them in eight languages and in digits, and in ISO 8601."
    licence = "MIT"
    features = pairs.features("A date as somebody wrote it.", "The date in ISO 8601: YYYY-MM-DD.")

    def __init__(self, count: int = COUNT, seed: int = 0) -> None:
        if not 1 <= count <= MOST:
            raise ValueError(f"count={count}: expected 1 to {MOST} dates")
        self.count = count
        self.seed = seed

    def fingerprint(self) -> str:
        """The digest of all sources and targets."""
        digest = hashlib.blake2b(digest_size=8)
        for row in written(self.count, self.seed):
            digest.update(f"{row.source}\t{row.target}\n".encode())
        return digest.hexdigest()

    def index(self) -> Index:
        """Keys, and the days as groups: what is held out is dates that were never trained on in any form."""
        days = np.array([row.date.toordinal() for row in written(self.count, self.seed)], np.int64)
        keys, zeros = row_keys("dates", self.count), np.zeros(self.count, np.int64)
        return Index(keys, zeros, np.full(self.count, "", dtype=object), groups=days)

    def shards(self) -> Sequence[TableShard]:
        """Runs of `SHARD_ROWS` dates."""
        starts = range(0, self.count, SHARD_ROWS)
        return [DatesShard(start, min(start + SHARD_ROWS, self.count), self.count, self.seed) for start in starts]


def load() -> Dataset:
    """Opens the dates."""
    return Dates()


@functools.lru_cache(maxsize=2)
def written(count: int, seed: int) -> tuple[Written, ...]:
    """The first `count` dates of a seed; more of them begin with the same."""
    rng = np.random.default_rng(seed)
    days = (LAST - FIRST).days + 1
    found: dict[str, Written] = {}
    while len(found) < count:
        day, language, form, size = rng.random(4).tolist()
        date = FIRST + datetime.timedelta(int(day * days))
        forms = FORMS[int(language * len(FORMS))]
        chosen = forms[int(form * len(forms))]
        if chosen.fits(date):
            source = chosen.write(date).lower() if size < SMALL_LETTERS else chosen.write(date)
            found.setdefault(source, Written(source, date))
    return tuple(found.values())
