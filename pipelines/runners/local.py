"""Runs a pipeline here, one component after the other, and tells what was reused, what ran, why and for how long."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration.local import runner_utils
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable import cache_utils, launcher, runtime_parameter_utils
from tfx.types import artifact_utils

from pipelines import progress
from pipelines.exits import ComponentError
from pipelines.runners import reuse


class Listener(Protocol):
    """Who is told of the components."""

    def start(self, node: str, why: str) -> None:
        """A component begins."""

    def detail(self, text: str) -> None:
        """What it is at."""

    def finish(self, node: str, seconds: float, reused: bool) -> None:
        """A component ended well."""

    def fail(self, node: str, seconds: float) -> None:
        """A component raised."""


RECORDED = ("pushed_destination", "path")
"""Properties of artifacts that name what a component wrote outside of them: a pushed version, a report."""


@dataclass
class Outcome:
    """What a run came to.

    Attributes:
        seconds: by component, in the order of the run.
        reused: the components that were answered from the cache.
        outputs: node -> key -> artifacts.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    reused: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, list[Any]]] = field(default_factory=dict)


class _Launcher(launcher.Launcher):
    """TFX's launcher, which also says whether the cache answered, and if not, why."""

    context_name = why_not_cached = ""
    prepared: Any = None
    listener: Any = None

    def _prepare_execution(self) -> Any:
        with _cache_that_looks_outside():
            self.prepared = super()._prepare_execution()
        info = self.prepared.execution_info
        if self.prepared.is_execution_needed:
            with self._mlmd_connection as handle:
                why = reuse.explain(
                    handle.store, self.context_name, info.execution_id, info.input_dict, info.exec_properties
                )
            self.listener.start(self._pipeline_node.node_info.id, why or self.why_not_cached)
        return self.prepared


def run(pipeline: Pipeline, listener: Listener, times: str | Path | None = None) -> Outcome:
    """Runs every component whose result is not in the cache.

    Args:
        pipeline: with a connection to ML Metadata.
        listener: is told of every component.
        times: a JSON file that is kept up to date with the seconds by component, for the report.

    Raises:
        ComponentError: where a component raised; from its error.
    """
    compiled = compiler.Compiler().compile(pipeline)
    run_id = datetime.now().isoformat()
    runtime_parameter_utils.substitute_runtime_parameter(compiled, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
    deployment = runner_utils.extract_local_deployment_config(compiled)
    configured = deployment.metadata_connection_config
    connection = getattr(configured, configured.WhichOneof("connection_config"))
    outcome = Outcome()
    with progress.listening(listener):
        for node in compiled.nodes:
            _run_node(node.pipeline_node, compiled, deployment, connection, listener, outcome)
            if times is not None:
                _write_times(Path(times), outcome)
    return outcome


def _run_node(node: Any, compiled: Any, deployment: Any, connection: Any, listener: Any, outcome: Outcome) -> None:
    name = node.node_info.id
    started = time.monotonic()
    try:
        prepared, outputs = _launch(node, compiled, deployment, connection, listener)
    except BaseException as error:
        listener.fail(name, time.monotonic() - started)
        if not isinstance(error, Exception):
            raise
        raise ComponentError(f"{name} failed") from error
    # A node of TFX's own, such as a resolver, is no component that runs or is reused.
    if prepared is None:
        return
    seconds = time.monotonic() - started
    reused = not prepared.is_execution_needed
    outcome.seconds[name] = round(seconds, 3)
    outcome.outputs[name] = outputs
    if reused:
        outcome.reused.append(name)
    listener.finish(name, seconds, reused)


def _launch(
    node: Any, compiled: Any, deployment: Any, connection: Any, listener: Any
) -> tuple[Any, dict[str, list[Any]]]:
    """Launches one node; returns what its launcher prepared, None where it is a node of TFX's own, and its outputs."""
    name = node.node_info.id
    one = _Launcher(
        pipeline_node=node,
        mlmd_connection=metadata.Metadata(connection),
        pipeline_info=compiled.pipeline_info,
        pipeline_runtime_spec=compiled.runtime_spec,
        executor_spec=runner_utils.extract_executor_spec(deployment, name),
        custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, name),
    )
    one.context_name, one.listener = f"{compiled.pipeline_info.id}.{name}", listener
    cached = node.execution_options.caching_options.enable_cache
    one.why_not_cached = "its result is gone" if cached else "the cache is off"
    execution = one.launch().execution_id
    with metadata.Metadata(connection) as handle:
        # TFX only logs that it could not find the inputs of a node.
        (state,) = (found.last_known_state for found in handle.store.get_executions_by_id([execution]))
        if state not in reuse.FINISHED:
            raise RuntimeError("its inputs could not be resolved")
        return one.prepared, _outputs(handle.store, execution) if one.prepared is not None else {}


@contextlib.contextmanager
def _cache_that_looks_outside() -> Iterator[None]:
    """TFX reuses a result whose artifacts exist; this also looks for what was written outside of them."""
    ask = cache_utils.get_cached_outputs

    def ask_and_look(*given: Any, **named: Any) -> Any:
        found = ask(*given, **named)
        return None if found is not None and _gone(found) else found

    cache_utils.get_cached_outputs = ask_and_look
    try:
        yield
    finally:
        cache_utils.get_cached_outputs = ask


def _gone(outputs: Mapping[str, Sequence[Any]]) -> bool:
    """Whether something that artifacts name outside of themselves is there no longer."""
    recorded = (
        artifact.get_string_custom_property(name)
        for artifacts in outputs.values()
        for artifact in artifacts
        for name in RECORDED
    )
    return any(path and not os.path.exists(path) for path in recorded)


def _outputs(store: Any, execution_id: int) -> dict[str, list[Any]]:
    outputs: dict[str, list[Any]] = {}
    events = store.get_events_by_execution_ids([execution_id])
    made = {e.artifact_id: e.path.steps[0].key for e in events if e.type == metadata_store_pb2.Event.OUTPUT}
    artifacts = store.get_artifacts_by_id(list(made))
    types = store.get_artifact_types_by_id([artifact.type_id for artifact in artifacts])
    for artifact, kind in zip(artifacts, types, strict=True):
        outputs.setdefault(made[artifact.id], []).append(artifact_utils.deserialize_artifact(kind, artifact))
    return outputs


def _write_times(path: Path, outcome: Outcome) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"seconds": outcome.seconds, "reused": outcome.reused}))
    partial.replace(path)
