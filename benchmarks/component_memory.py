"""Peak memory after each data component of the pipeline as the images grow: what TFX's local runner itself holds.

    python -m benchmarks.component_memory [REPEATS...]

Runs ExampleGen, StatisticsGen, ExampleValidator and Transform over 1x and 4x fashion_mnist, each in its own process,
and prints the peak resident memory so far after each component, with the growth per further image.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import sys
import tempfile
from typing import Any

from ann_keras import registry
from benchmarks.example_gen_memory import DATASET, Repeated
from benchmarks.pipeline_overhead import seconds


class Peaks:
    """A listener that notes the peak after each component."""

    def __init__(self) -> None:
        self.found: dict[str, float] = {}

    def start(self, node: str, why: str) -> None:
        """A component begins."""

    def detail(self, text: str) -> None:
        """What it is at."""

    def fail(self, node: str, seconds: float) -> None:
        """A component raised."""

    def finish(self, node: str, seconds: float, reused: bool) -> None:
        """A component ended: MiB so far."""
        self.found[node] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(repeats: int) -> dict[str, Any]:
    """Runs the data components in this process."""
    from tfx.orchestration import metadata
    from tfx.orchestration.pipeline import Pipeline

    from pipelines import factory
    from pipelines.runners import beam, local

    triple = registry.resolve("linear", DATASET)
    dataset = Repeated(triple.dataset, repeats, len(triple.dataset.index()))
    registry.open_dataset = lambda name: dataset  # ExampleGen opens its dataset by name
    peaks = Peaks()
    with tempfile.TemporaryDirectory() as root:
        paths = factory.Paths(root, "linear")
        made = factory.Components(dataclasses.replace(triple, dataset=dataset), paths, factory.Options())
        pipeline = Pipeline(
            pipeline_name="data",
            pipeline_root=paths.pipeline,
            components=made.data(),
            metadata_connection_config=metadata.sqlite_metadata_connection_config(paths.metadata),
            beam_pipeline_args=beam.beam_args(()),
        )
        local.run(pipeline, peaks)
    return {"images": dataset.shards()[-1].stop, "peaks": peaks.found}


def main() -> None:
    """Measures each number of repetitions in a child and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repeats", nargs="*", type=int, default=[1, 4])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.repeats[0])))
        return
    first: dict[str, Any] = {}
    for repeats in given.repeats:
        command = [sys.executable, "-m", "benchmarks.component_memory", str(repeats), "--child"]
        found = json.loads(seconds(command)[1].splitlines()[-1])
        first = first or found
        more = found["images"] - first["images"]
        print(f"{repeats}x  {found['images']:,} images")
        for name, peak in found["peaks"].items():
            growth = f"{(peak - first['peaks'][name]) * 2**20 / more:7.0f} bytes per further image" if more else ""
            print(f"  {name:<22} {peak:6.0f} MiB  ratio {peak / first['peaks'][name]:.3f}  {growth}", flush=True)


if __name__ == "__main__":
    main()
