"""Why a component could not be answered from the cache."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from pipelines.runners import local, reuse

NODE = "lenet5.Trainer"


class Store:
    """ML Metadata with one node, and a way to add executions of it."""

    def __init__(self) -> None:
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(config)
        context = self.store.put_context_type(pb.ContextType(name="node"))
        (self.context,) = self.store.put_contexts([pb.Context(type_id=context, name=NODE)])
        self.kind = self.store.put_execution_type(pb.ExecutionType(name="Trainer"))
        self.examples = self.store.put_artifact_type(pb.ArtifactType(name="Examples"))

    def artifact(self) -> SimpleNamespace:
        (number,) = self.store.put_artifacts([pb.Artifact(type_id=self.examples, uri="/examples")])
        return SimpleNamespace(id=number)

    def execution(self, state: Any, properties: dict[str, Any], inputs: dict[str, list[Any]] | None = None) -> int:
        execution = pb.Execution(type_id=self.kind, last_known_state=state)
        for name, value in properties.items():
            field = "int_value" if isinstance(value, int) else "string_value"
            setattr(execution.custom_properties[name], field, value)
        (number,) = self.store.put_executions([execution])
        self.store.put_attributions_and_associations([], [pb.Association(execution_id=number, context_id=self.context)])
        events = []
        for key, artifacts in (inputs or {}).items():
            for artifact in artifacts:
                event = pb.Event(artifact_id=artifact.id, execution_id=number, type=pb.Event.INPUT)
                event.path.steps.add().key = key
                events.append(event)
        if events:
            self.store.put_events(events)
        return number

    def explain(self, properties: dict[str, Any], inputs: dict[str, list[Any]] | None = None) -> str:
        number = self.execution(pb.Execution.RUNNING, properties, inputs)
        return reuse.explain(self.store, NODE, number, inputs or {}, properties)


@pytest.fixture
def store() -> Store:
    return Store()


def config(sources: dict[str, str], **settings: Any) -> dict[str, str]:
    return {"custom_config": json.dumps({"triple": {"settings": settings}, "sources": sources})}


def test_nothing_to_compare_with(store: Store) -> None:
    assert store.explain({}) == "first run"
    assert store.explain({}) == "its earlier run did not finish"


def test_a_setting_is_told_with_both_values(store: Store) -> None:
    store.execution(pb.Execution.COMPLETE, config({}, learning_rate=0.001, epochs=3))
    assert store.explain(config({}, learning_rate=0.01, epochs=3)) == "learning_rate 0.001 -> 0.01"


def test_code_is_told_by_its_module(store: Store) -> None:
    store.execution(pb.Execution.CACHED, config({"ann_keras.task": "aaaa", "ann_keras.data": "cccc"}))
    changed = config({"ann_keras.task": "bbbb", "ann_keras.data": "cccc"})
    assert store.explain(changed) == "source of ann_keras.task changed"


def test_the_latest_finished_execution_counts(store: Store) -> None:
    store.execution(pb.Execution.COMPLETE, {"epochs": 1})
    store.execution(pb.Execution.COMPLETE, {"epochs": 2})
    store.execution(pb.Execution.FAILED, {"epochs": 9})
    assert store.explain({"epochs": 3}) == "epochs 2 -> 3"
    assert store.explain({"epochs": 2}) == ""


def test_inputs(store: Store) -> None:
    before, after, model = store.artifact(), store.artifact(), store.artifact()
    store.execution(pb.Execution.COMPLETE, {}, {"examples": [before], "model": [model]})
    assert store.explain({}, {"examples": [after], "model": [model]}) == "examples changed"
    assert store.explain({}, {"examples": [before]}) == "model changed"


def test_many_and_long_differences_are_cut_short(store: Store) -> None:
    store.execution(pb.Execution.COMPLETE, dict.fromkeys("abcde", 1))
    assert store.explain(dict.fromkeys("abcde", 2)) == "a 1 -> 2, b 1 -> 2, c 1 -> 2 and 2 more"
    store.execution(pb.Execution.COMPLETE, {"text": "x" * 30})
    assert store.explain({"text": "y" * 30}) == "text changed"


def test_what_lies_outside_of_an_artifact_is_looked_for(tmp_path: Path) -> None:
    from tfx.types.standard_artifacts import PushedModel

    pushed = PushedModel()
    assert not local._gone({"pushed_model": [pushed]})  # not blessed: nothing was pushed
    pushed.set_string_custom_property("pushed_destination", str(tmp_path / "7"))
    assert local._gone({"pushed_model": [pushed]})
    (tmp_path / "7").mkdir()
    assert not local._gone({"pushed_model": [pushed]})
