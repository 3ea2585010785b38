"""Part files: what workers write, each answer with the place of its input, and how the driver joins them in order."""

from __future__ import annotations

import dataclasses
import heapq
import json
import struct
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from operator import itemgetter
from typing import Any, NamedTuple

from pipelines.bulk import storage
from pipelines.bulk.answers import Format
from pipelines.bulk.handler import Outcome
from pipelines.bulk.inputs import Problem

NAMED = 3
"""So many of the inputs that have no answer are named for each part."""
_PLACE = struct.Struct("<QQ")


class Place(NamedTuple):
    """Where an input stands among all: its work, its place in that, and its key."""

    work: int
    row: int
    key: str


@dataclasses.dataclass
class Part:
    """A file of answers whose places ascend.

    Attributes:
        path: the file.
        work: of its answers.
        predicted: answers in it.
        failed: inputs in it that have none; problems: key and reason of the first of them.
    """

    path: str
    work: int
    predicted: int = 0
    failed: int = 0
    problems: list[tuple[str, str]] = dataclasses.field(default_factory=list)


class Writer:
    """Writes what comes as parts: a new one for another work, and where the order of places breaks."""

    def __init__(self, folder: str, form: Format) -> None:
        self._folder, self._form = folder, form
        self._file: Any = None
        self._last = (-1, -1)
        self.parts: list[Part] = []

    def write(self, place: Place, outcome: Outcome) -> None:
        """Writes one."""
        from serving.server import tfrecord

        if self._file is None or place.work != self.parts[-1].work or place[:2] <= self._last:
            self._begin(place.work)
        self._last = place[:2]
        part = self.parts[-1]
        if isinstance(outcome, Problem):
            part.failed += 1
            if len(part.problems) < NAMED:
                part.problems.append((place.key, outcome.reason))
        else:
            part.predicted += 1
        payload = self._form.encode(place.key, outcome)
        self._file.write(tfrecord.framed(_PLACE.pack(*self._last) + payload))

    def _begin(self, work: int) -> None:
        self.close()
        path = storage.join(self._folder, f"{work:08d}-{uuid.uuid4().hex}")
        self._file = storage.write(path)
        self.parts.append(Part(path, work))

    def close(self) -> None:
        """Ends the last part."""
        if self._file is not None:
            self._file.close()
            self._file = None


def write_report(parts: Iterable[Part], path: str) -> None:
    """Names the parts that count: a worker whose result was lost leaves others."""
    with storage.write(path) as file:
        file.write(json.dumps([dataclasses.asdict(part) for part in parts]).encode())


def read_report(path: str) -> list[Part]:
    """The parts in the order of the works."""
    with storage.read(path) as file:
        parts = [Part(**fields) for fields in json.loads(file.read())]
    return sorted(parts, key=lambda part: part.work)


def join(parts: Sequence[Part], form: Format, path: str) -> None:
    """Writes one file with all answers in the order of the inputs, however many there are."""
    by_work: dict[int, list[Part]] = {}
    for part in parts:
        by_work.setdefault(part.work, []).append(part)
    with storage.write(path) as file:
        file.write(form.header())
        for work in sorted(by_work):
            with ExitStack() as stack:
                runs = [_records(stack.enter_context(storage.read(part.path))) for part in by_work[work]]
                for _, payload in heapq.merge(*runs, key=itemgetter(0)):
                    file.write(payload)


def _records(file: Any) -> Iterator[tuple[tuple[int, int], bytes]]:
    from serving.server import tfrecord

    for record in tfrecord.records(file):
        work, row = _PLACE.unpack_from(record)
        yield (work, row), record[_PLACE.size :]
