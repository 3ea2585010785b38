"""ExampleGen over any registered dataset: stratified splits, and shards that their workers read and write alone.

TFX's own ExampleGen sends every image through Beam's shuffle, which a local runner holds in memory. Here the driver
reads an index without images, assigns the splits, and sends out shards; the worker that gets one writes its files
under `Split-<name>/` and returns counts. Only those, and what could not be read, come back.
"""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import apache_beam as beam
import numpy as np
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_component, base_beam_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, channel, component_spec, standard_artifacts

from ann_keras import registry
from ann_keras.datasets.base import Dataset, DatasetError, Shard, label_classes, named_index
from ann_keras.datasets.splits import Plan
from pipelines.components.example_shards import KEY, SPLITS, Counts, Work, merge, write_shard

__all__ = ["KEY", "SPLITS", "Counts", "Executor", "StratifiedExampleGen", "read_counts"]

COUNTS_FILE, BAD_FILE = "counts.json", "bad_examples.json"
BAD_NAMED = 3
"""So many unreadable examples stand in the error."""


def read_counts(uri: str) -> Counts:
    """The counts in an Examples artifact that this component wrote."""
    with fileio.open(os.path.join(uri, COUNTS_FILE), "r") as file:
        fields = json.load(file)
    fields["bad_first"] = [(key, reason) for key, reason in fields["bad_first"]]
    return Counts(**fields)


class Executor(base_beam_executor.BaseBeamExecutor):
    """Assigns the splits and writes the shards with Beam."""

    def Do(self, input_dict: Any, output_dict: Any, exec_properties: dict[str, Any]) -> None:  # noqa: N802 - TFX's name
        """Writes the examples, their counts and the list of what could not be read.

        Raises:
            DatasetError: for a class too small to split, an empty split, or more unreadable examples than are allowed.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict["examples"])
        dataset = registry.open_dataset(exec_properties["dataset"])
        temporary = os.path.join(artifact.uri, "temporary")
        for folder in (*(os.path.join(artifact.uri, f"Split-{split}") for split in SPLITS), temporary):
            fileio.makedirs(folder)
        plan = Plan.from_dict(json.loads(exec_properties["plan"]))
        works = assign(dataset, plan, artifact.uri, temporary)
        counts = self._write(works, temporary, dataset)
        fileio.rmtree(temporary)
        for name, content in ((COUNTS_FILE, asdict(counts)), (BAD_FILE, counts.bad_first)):
            with fileio.open(os.path.join(artifact.uri, name), "w") as file:
                file.write(json.dumps(content, indent=1))
        check(counts, exec_properties["max_bad_fraction"])
        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        artifact.set_int_custom_property("bad_count", counts.bad_count)
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, "tfrecords_gzip")

    def _write(self, works: Sequence[Work], temporary: str, dataset: Dataset) -> Counts:
        # A worker may be on another machine: what comes back is a file too.
        report = os.path.join(temporary, "tallies.json")
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(works)
                | "Spread" >> beam.Reshuffle()
                | "Write" >> beam.Map(write_shard)
                | "Gather" >> beam.combiners.ToList()
                | "Merge" >> beam.Map(_write_report, report)
            )
        with fileio.open(report, "r") as file:
            tallies = [Counts(**fields) for fields in json.load(file)]
        total = merge(tallies, label_classes(dataset.features))
        images = [feature for feature in dataset.features.values() if feature.kind == "image"]
        total.image = list(images[0].shape) if len(images) == 1 else []
        for name in ("name", "description", "licence", "citation"):
            setattr(total, name, getattr(dataset, name))
        return total


class StratifiedExampleGenSpec(component_spec.ComponentSpec):
    """Strings and numbers alone, so that it compiles for Kubeflow Pipelines v2."""

    PARAMETERS = {
        "dataset": component_spec.ExecutionParameter(type=str),
        "fingerprint": component_spec.ExecutionParameter(type=str),
        "plan": component_spec.ExecutionParameter(type=str),
        "max_bad_fraction": component_spec.ExecutionParameter(type=float),
        "sources": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, Any] = {}
    OUTPUTS = {"examples": component_spec.ChannelParameter(type=standard_artifacts.Examples)}


class StratifiedExampleGen(base_beam_component.BaseBeamComponent):
    """Examples of a registered dataset in the splits train, eval and test.

    Args:
        dataset: as `--dataset` spells it.
        fingerprint: of the dataset; part of the cache key.
        plan: how the splits are drawn.
        max_bad_fraction: largest share of unreadable examples that are left out; beyond it the run fails.
        sources: digests of the code that reads; part of the cache key.
    """

    SPEC_CLASS = StratifiedExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self, dataset: str, fingerprint: str, plan: Plan, max_bad_fraction: float = 0.0, sources: str = "{}"
    ) -> None:
        if not 0 <= max_bad_fraction < 1:
            raise ValueError(f"max_bad_fraction={max_bad_fraction}: expected at least 0 and less than 1")
        spec = StratifiedExampleGenSpec(
            dataset=dataset,
            fingerprint=fingerprint,
            plan=json.dumps(plan.to_dict(), sort_keys=True),
            max_bad_fraction=float(max_bad_fraction),
            sources=sources,
            examples=channel.Channel(type=standard_artifacts.Examples),
        )
        super().__init__(spec=spec)


def assign(dataset: Dataset, plan: Plan, uri: str, temporary: str) -> list[Work]:
    """Reads the index, draws the splits and numbers each split's files; a DatasetError names an empty split."""
    splits = plan.assign(named_index(dataset))
    codes = np.full(len(splits), -1, np.int8)
    for code, split in enumerate(SPLITS):
        codes[splits == split] = code
    found: list[tuple[Shard, np.ndarray, list[int]]] = []
    for shard in dataset.shards():
        rows = codes[shard.start : shard.stop]
        present = [int(code) for code in np.unique(rows) if code >= 0]
        if present:
            found.append((shard, rows, present))
    files = collections.Counter(code for _, _, present in found for code in present)
    for code, split in enumerate(SPLITS):
        if not files[code]:
            raise DatasetError(f"dataset {dataset.name!r}: no example is left for the split {split!r}")
    wire = {role: feature.wire_dtype for role, feature in dataset.features.items()}
    if KEY in wire:
        raise DatasetError(f"dataset {dataset.name!r}: a feature cannot be called {KEY!r}, which names the examples")
    numbered: collections.Counter[int] = collections.Counter()
    works = []
    for shard, rows, present in found:
        paths = {}
        for code in present:
            name = f"data_tfrecord-{numbered[code]:05d}-of-{files[code]:05d}.gz"
            paths[SPLITS[code]] = os.path.join(uri, f"Split-{SPLITS[code]}", name)
            numbered[code] += 1
        works.append(Work(shard, rows.tobytes(), paths, temporary, wire, label_classes(dataset.features)))
    return works


def check(counts: Counts, max_bad_fraction: float) -> None:
    """Raises a DatasetError if a shard failed, too many examples are unreadable, or they leave a split empty."""
    if counts.failure:
        raise DatasetError(counts.failure)
    good = sum(number for counted in counts.counts.values() for number in counted.values())
    total = good + counts.bad_count
    if counts.bad_count > max_bad_fraction * total:
        named = "; ".join(f"{key}: {reason}" for key, reason in counts.bad_first[:BAD_NAMED])
        more = f"; and {counts.bad_count - BAD_NAMED} more" if counts.bad_count > BAD_NAMED else ""
        raise DatasetError(
            f"{counts.bad_count} of {total} examples cannot be read, more than max_bad_fraction={max_bad_fraction:g} "
            f"allows: {named}{more}"
        )
    for split, counted in counts.counts.items():
        if not any(counted.values()):
            raise DatasetError(f"dataset {counts.name!r}: no readable example is left for the split {split!r}")


def _write_report(tallies: list[Counts], path: str) -> None:
    with fileio.open(path, "w") as file:
        file.write(json.dumps([asdict(tally) for tally in tallies]))
