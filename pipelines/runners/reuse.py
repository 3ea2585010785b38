"""Why a component could not be answered from the cache: what differs from its latest finished execution."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2

FINISHED = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
MANY = 3
"""Differences that are named; the others are counted."""


def explain(
    store: Any, context_name: str, execution_id: int, inputs: Mapping[str, list[Any]], properties: Mapping[str, Any]
) -> str:
    """Compares an execution that is about to run with the latest finished one of the same node.

    Args:
        store: ML Metadata's store.
        context_name: the node's context, "pipeline.node".
        execution_id: of the execution that is about to run.
        inputs: its artifacts by key.
        properties: its execution properties.

    Returns:
        one phrase, such as "learning_rate 0.001 -> 0.01" or "examples changed"; "" where nothing differs.
    """
    context = store.get_context_by_type_and_name("node", context_name)
    earlier = store.get_executions_by_context(context.id) if context is not None else []
    finished = [one for one in earlier if one.last_known_state in FINISHED and one.id != execution_id]
    if not finished:
        unfinished = any(one.id != execution_id for one in earlier)
        return "its earlier run did not finish" if unfinished else "first run"
    latest = max(finished, key=lambda one: one.id)
    differences = [*_property_differences(latest, properties), *_input_differences(store, latest, inputs)]
    more = f" and {len(differences) - MANY} more" if len(differences) > MANY else ""
    return ", ".join(differences[:MANY]) + more


def _property_differences(latest: Any, properties: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(properties):
        stored = latest.custom_properties.get(name) or latest.properties.get(name)
        before = _stored_value(stored) if stored is not None else None
        yield from _differences(name, _parsed(before), _parsed(properties[name]))


def _stored_value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value")) if value.WhichOneof("value") else None


def _parsed(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    """One phrase for each leaf that differs, by the last part of its path."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            inner = f"source of {key}" if name == "sources" else key
            yield from _differences(inner, _parsed(before.get(key)), _parsed(now.get(key)))
    elif before != now and str(before) != str(now):
        short = all(len(str(value)) <= 24 for value in (before, now))
        yield f"{name} {before} -> {now}" if short and not name.startswith("source of ") else f"{name} changed"


def _input_differences(store: Any, latest: Any, inputs: Mapping[str, list[Any]]) -> Iterator[str]:
    before: dict[str, set[int]] = {}
    for event in store.get_events_by_execution_ids([latest.id]):
        if event.type == metadata_store_pb2.Event.INPUT:
            before.setdefault(event.path.steps[0].key, set()).add(event.artifact_id)
    for key in sorted({*before, *inputs}):
        if before.get(key, set()) != {artifact.id for artifact in inputs.get(key, [])}:
            yield f"{key} changed"
