"""The Beam pipeline: works -> examples -> RunInference -> part files -> a report that names them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.bulk import parts, storage
from pipelines.bulk.answers import Format
from pipelines.bulk.handler import SavedModelHandler
from pipelines.bulk.inputs import Source, Work
from pipelines.bulk.parts import Part, Place

TOLD_SECONDS = 0.5
"""Between two counts."""


class Read(beam.DoFn):
    """Reads works."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def process(self, work: Work) -> Iterator[Any]:
        """Yields the `Place` and the example of each input."""
        for row, (key, example) in enumerate(self._source.read(work)):
            yield Place(work.number, row, key), example


class Write(beam.DoFn):
    """Writes answers to part files, which count only once Beam has taken the whole bundle.

    Args:
        folder: of the files.
        form: of the answers.
        total: number of inputs, where it is known.
    """

    def __init__(self, folder: str, form: Format, total: int | None) -> None:
        self._folder, self._form, self._total = folder, form, total
        self._count, self._told = 0, 0.0

    def start_bundle(self) -> None:
        """Begins a new part."""
        self._writer = parts.Writer(self._folder, self._form)

    def process(self, answered: Any) -> None:
        """Writes one answer, a `Place` and an outcome."""
        self._writer.write(*answered)
        self._count += 1
        if time.monotonic() - self._told > TOLD_SECONDS:
            self._told = time.monotonic()
            self._tell()

    def finish_bundle(self) -> Iterator[Any]:
        """Yields the parts of the bundle."""
        self._writer.close()
        self._tell()
        window = GlobalWindow()
        for part in self._writer.parts:
            yield WindowedValue(part, window.max_timestamp(), [window])

    def _tell(self) -> None:
        """Tells whoever listens, which is nobody where this is no process of the driver."""
        from pipelines import progress

        progress.tell(f"{self._count:,}{'' if self._total is None else f' of {self._total:,}'}")


def run(
    works: Sequence[Work],
    source: Source,
    handler: SavedModelHandler,
    form: Format,
    temporary: str,
    options: PipelineOptions,
) -> list[Part]:
    """Runs it to its end and returns the parts that it wrote below the folder `temporary`."""
    report = storage.join(temporary, "report")
    counts = [work.rows for work in works]
    total = None if None in counts else sum(count or 0 for count in counts)
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | "Works" >> beam.Create(works)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(Read(source))
            | "Answer" >> RunInference(KeyedModelHandler(handler))
            | "Write" >> beam.ParDo(Write(storage.join(temporary, "parts"), form, total))
            | "Gather" >> beam.combiners.ToList()
            | "Report" >> beam.Map(_report, report)
        )
    return parts.read_report(report)


def _report(found: Iterable[Any], path: str) -> None:
    parts.write_report(found, path)
