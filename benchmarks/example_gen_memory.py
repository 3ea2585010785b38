"""Peak memory of the ExampleGen as the images grow: 1x, 4x, 16x of fashion_mnist, each in a process of its own.

    python -m benchmarks.example_gen_memory [REPEATS...] [--rows N] [--tfx]

Prints the peak resident memory, the ratio of each step to the first, and the growth per image. `--rows` takes only so
many rows of the dataset a repetition. `--tfx` measures, for comparison, the same images through TFX's own way: every
example through Beam's Reshuffle and WriteToTFRecord. Needs fashion_mnist where TFDS finds it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ann_keras import registry
from ann_keras.datasets.base import Dataset, Index, Row, Shard
from benchmarks.pipeline_overhead import seconds

DATASET = "tfds:fashion_mnist"


@dataclass(frozen=True)
class RepeatedShard(Shard):
    """A shard whose keys carry the number of the repetition."""

    start: int
    stop: int
    shard: Shard
    repeat: int

    def read(self) -> Iterator[Row]:
        """Yields the rows."""
        for row in self.shard.read():
            yield dataclasses.replace(row, key=f"{self.repeat}/{row.key}")


class Repeated(Dataset):
    """A dataset `repeats` times over, with distinct keys; the first `rows` of it."""

    def __init__(self, dataset: Dataset, repeats: int, rows: int) -> None:
        self.name, self.features = f"{dataset.name} x {repeats}", dataset.features
        whole = dataset.index()
        self._shards = [shard for shard in dataset.shards() if shard.stop <= rows]
        self._rows = self._shards[-1].stop
        self._index, self._repeats = whole, repeats

    def fingerprint(self) -> str:
        """Nothing is cached here."""
        return ""

    def index(self) -> Index:
        """The rows of all repetitions, without an official split."""
        keys, labels = self._index.keys[: self._rows], self._index.labels[: self._rows]
        # Row by row, so that this wrapper itself holds no second copy.
        named = (f"{number}/{key}" for number in range(self._repeats) for key in keys)
        every = np.fromiter(named, dtype=f"U{keys.dtype.itemsize // 4 + 3}", count=self._repeats * len(keys))
        return Index(every, np.tile(labels, self._repeats), np.full(len(every), "", dtype=object))

    def shards(self) -> Sequence[Shard]:
        """The shards of all repetitions."""
        return [
            RepeatedShard(shard.start + self._rows * number, shard.stop + self._rows * number, shard, number)
            for number in range(self._repeats)
            for shard in self._shards
        ]


def measure(repeats: int, rows: int, tfx: bool) -> dict[str, float]:
    """Runs one ExampleGen in this process; returns images, MiB and seconds."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.types import standard_artifacts

    from ann_keras.datasets.splits import Plan
    from pipelines.components import example_gen

    dataset = Repeated(registry.open_dataset(DATASET), repeats, rows)
    images = dataset.shards()[-1].stop
    registry.open_dataset = lambda name: dataset  # the executor opens its dataset by name
    # What importing and the first image cost, before any growth.
    next(iter(dataset.shards()[0].read()))
    before = _peak()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        if tfx:
            _tfx_way(dataset, folder)
        else:
            artifact = standard_artifacts.Examples()
            artifact.uri = folder
            executor = example_gen.Executor(BaseBeamExecutor.Context(beam_pipeline_args=["--runner=FnApiRunner"]))
            fields = {"dataset": "", "plan": json.dumps(Plan().to_dict()), "max_bad_fraction": 0.0}
            executor.Do({}, {"examples": [artifact]}, fields)
    return {"images": images, "before": before, "peak": _peak(), "seconds": time.perf_counter() - start}


def _tfx_way(dataset: Dataset, folder: str) -> None:
    import apache_beam as beam
    from tfx.components.example_gen.write_split import WriteSplit

    from pipelines.components.example_shards import to_example

    wire = {role: feature.wire_dtype for role, feature in dataset.features.items()}
    with beam.Pipeline(argv=["--runner=FnApiRunner"]) as pipeline:
        examples = (
            pipeline | beam.Create(dataset.shards()) | beam.FlatMap(lambda shard: _examples(shard, to_example, wire))
        )
        _ = examples | WriteSplit(folder, 0)


def _examples(shard: Shard, to_example: Any, wire: dict[str, str]) -> Iterator[bytes]:
    for row in shard.read():
        yield to_example(row, wire)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measures each number of repetitions in a child and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", nargs="*", type=int, default=[1, 4, 16])
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--tfx", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.repeats[0], given.rows, given.tfx)))
        return
    first: dict[str, float] = {}
    for repeats in given.repeats:
        options = ["--rows", str(given.rows), "--child", *(["--tfx"] if given.tfx else [])]
        command = [sys.executable, "-m", "benchmarks.example_gen_memory", str(repeats), *options]
        found = json.loads(seconds(command)[1].splitlines()[-1])
        first = first or found
        more = found["images"] - first["images"]
        growth = f"{(found['peak'] - first['peak']) * 2**20 / more:7.0f} bytes per further image" if more else ""
        print(
            f"{repeats:3d}x  {found['images']:9,.0f} images  peak {found['peak']:6.0f} MiB "
            f"(before {found['before']:.0f})  ratio {found['peak'] / first['peak']:.3f}  "
            f"{found['images'] / found['seconds']:6.0f} images/s  {growth}",
            flush=True,
        )


if __name__ == "__main__":
    main()
