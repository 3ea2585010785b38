"""The battery: what every registered model must do with every task it names, on the task's default dataset."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ann_keras import registry, settings, training
from ann_keras.datasets.base import Dataset
from serving.export import export
from tests.ann_keras.examples import CASES, MARKED_CASES, Case, small

SIZES = [(8, 8, 1), (28, 28, 1), (33, 47, 3), (4, 4, 3), (32, 30, 3)]

COARSE = ("fcn32s",)
"""Models whose answers are interpolated between scores further apart than the objects of a scene are large: they cannot
know a scene by heart."""

every_name = pytest.mark.parametrize("case", CASES, ids=str)
every_case = pytest.mark.parametrize("case", MARKED_CASES)


def test_every_registered_name_is_covered() -> None:
    assert {case.model for case in CASES} == set(registry.MODELS)
    assert {case.task for case in CASES} == set(registry.TASKS)
    for name, path in registry.MODELS.items():
        assert registry.constants(path)["TASKS"] == registry.load("model", name, registry.MODELS).TASKS


@every_name
def test_docstring_cites_a_paper(case: Case) -> None:
    docstring = case.triple.model.__doc__
    assert re.search(r"\b[A-Z][a-zé-]+\b[^.]*\b(19|20)\d\d\b", docstring), "no author with a year"
    assert f"`ann run {case.model}`" in docstring


@every_name
def test_settings_are_described_and_do_not_overlap(case: Case) -> None:
    triple = case.triple
    groups = [dataclasses.fields(config) for config in (triple.config, triple.task_config, triple.training)]
    names = [field.name for fields in groups for field in fields]
    assert len(set(names)) == len(names)
    for field in (field for fields in groups for field in fields):
        assert field.metadata.get("help"), f"{field.name} was not made with settings.setting"
    for name, space in settings.search_space(triple.config).items():
        values = [space.low, space.high] if isinstance(space, settings.Range) else space
        for value in values:  # every value that a search may try is a legal one
            assert getattr(settings.apply([triple.config], {name: value})[0], name) == value


@every_name
def test_settings_round_trip(case: Case) -> None:
    triple = case.triple
    stored = json.loads(json.dumps(triple.settings))
    again = registry.resolve(triple.model_name, triple.dataset_name, triple.task.name, stored)
    for name in ("model_name", "dataset_name", "model", "config", "task_config", "training", "settings"):
        assert getattr(again, name) == getattr(triple, name)
    for name in ("name", "features", "label", "inputs", "outputs"):
        assert getattr(again.task, name) == getattr(triple.task, name)
    # Functions of the same arguments are no equals.
    ours, theirs = (dataclasses.replace(task.evaluation, judge=None) for task in (triple.task, again.task))
    assert ours == theirs
    assert again.config == triple.model.TINY


@every_case
def test_output_shape_and_finite_loss(case: Case) -> None:
    model, (inputs, labels) = training.build(case.triple), case.batch
    assert set(inputs) == {feature.name for feature in case.triple.task.inputs}
    outputs = model(inputs, training=True)
    assert outputs.shape == _filled(case.triple.task.outputs.shape, labels.shape)
    assert outputs.dtype == case.triple.task.outputs.dtype
    model.compile(**case.triple.task.compile_args())
    for value in model.evaluate(inputs, labels, verbose=0, return_dict=True).values():
        assert np.isfinite(value)


def _filled(answer: tuple[int | None, ...], label: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a batch of answers: sizes that are left open are those of the labels."""
    given = iter(label[1:])
    return (label[0], *(next(given) if size is None else size for size in answer))


def _with_images(dataset: Dataset, shape: tuple[int, int, int]) -> dict[str, Any]:
    shapes = {"image": shape, "mask": shape[:2]}
    return {
        role: dataclasses.replace(feature, shape=shapes[feature.kind]) if feature.kind in shapes else feature
        for role, feature in dataset.features.items()
    }


IMAGE_CASES = [
    pytest.param(case, id=str(case), marks=case.marks)
    for case in CASES
    if any(feature.kind == "image" for feature in case.triple.task.features)
]


@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("case", IMAGE_CASES)
def test_any_image_size_and_channel_count(case: Case, shape: tuple[int, int, int]) -> None:
    triple = case.triple
    bound = registry.load("task", case.task, registry.TASKS).bind(
        _with_images(triple.dataset, shape), triple.task_config
    )
    assert bound.inputs[0].shape in (shape, (None, None, shape[-1]))
    model = training.build(dataclasses.replace(triple, task=bound))
    image = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    outputs = np.asarray(model({"image": image}, training=False))
    assert outputs.shape == _filled(bound.outputs.shape, (3, *shape[:2]))
    assert np.isfinite(outputs).all()


@functools.cache
def _overfitted(case: Case) -> tuple[keras.Model, dict[str, float], dict[str, float]]:
    """The model after it learned one batch by heart, and its metrics before and after."""
    keras.utils.set_random_seed(0)
    model, (inputs, labels) = training.build(case.triple), case.batch
    model.compile(optimizer=keras.optimizers.Adam(1e-2), **case.triple.task.compile_args())
    before = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    # Many steps of one epoch: an epoch costs more than a step here.
    model.fit(tf.data.Dataset.from_tensors((inputs, labels)).repeat(), steps_per_epoch=150, shuffle=False, verbose=0)
    return model, before, model.evaluate(inputs, labels, verbose=0, return_dict=True)


@every_case
def test_learns_one_batch_by_heart(case: Case) -> None:
    _, before, after = _overfitted(case)
    assert after["loss"] < before["loss"] / 4
    if "accuracy" in after:
        assert after["accuracy"] == 1
    if "token_accuracy" in after:
        assert after["token_accuracy"] > 0.95
    if "pixel_accuracy" in after:
        shares = np.unique(case.batch[1], return_counts=True)[1] / case.batch[1].size
        # Below the entropy of the classes lies what knows where they are.
        assert after["loss"] < -0.8 * np.sum(shares * np.log(shares))
        assert after["pixel_accuracy"] > 0.9 or case.model in COARSE


@pytest.mark.slow
@every_case
def test_same_seed_same_weights(case: Case) -> None:
    triple = dataclasses.replace(
        case.triple, training=dataclasses.replace(case.triple.training, epochs=2, batch_size=16)
    )
    train, evaluation = small(case.data.train, 40), small(case.data.eval, 16)
    first, second = (training.fit(triple, train, evaluation, seed=5) for _ in range(2))
    for one, other in zip(first.model.get_weights(), second.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert first.history == second.history
    assert first.metrics == second.metrics


@every_case
def test_keras_file_answers_the_same(case: Case, tmp_path: Path) -> None:
    model, _, _ = _overfitted(case)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    inputs = next(iter(case.data.test.batches(64).as_numpy_iterator()))[0]
    np.testing.assert_allclose(again(inputs), model(inputs), rtol=1e-6, atol=1e-6)
    assert json.loads(again.to_json())["config"] == json.loads(model.to_json())["config"]


@every_case
def test_exported_signatures_answer_the_same(case: Case, tmp_path: Path) -> None:
    model, _, _ = _overfitted(case)
    task, transform, path = case.triple.task, case.data.transform, str(tmp_path / "saved")
    export(case.triple, model, transform, path)
    raw = {name: tf.constant(values) for name, values in case.raw.items()}
    inputs = _arrays(transform(raw))
    answers = _arrays(task.answer(model, inputs))
    requests = {
        "serving_default": (raw, answers),
        "examples": ({"examples": tf.constant(case.serialized)}, answers),
        "transform_features": ({"examples": tf.constant(case.serialized)}, inputs),
    }
    if task.label.kind == "label":
        classified = {"classes": answers["classes"], "scores": answers["probabilities"]}
        requests["classify"] = ({"inputs": tf.constant(case.serialized)}, classified)
    if task.label.kind == "number":
        outputs = {"outputs": answers[task.evaluation.prediction]}
        requests["regress"] = ({"inputs": tf.constant(case.serialized)}, outputs)
    if task.evaluation.judge is not None:
        prepared = transform({name: tf.constant(values) for name, values in case.labelled.items()})
        judged = _arrays(task.evaluation.judge(task.answer(model, prepared), prepared))
        sliced = {name: prepared[name].numpy() for name in task.evaluation.slices}
        examples = {"examples": tf.constant(case.serialized_labelled)}
        requests |= {"evaluate": (examples, judged), "slices": (examples, sliced)}
    loaded = tf.saved_model.load(path)
    assert set(loaded.signatures) == set(requests)
    served = _in_a_session(path, requests)
    for name, (request, expected) in requests.items():
        _assert_same(_arrays(loaded.signatures[name](**request)), expected)
        _assert_same(served[name], expected)


def _arrays(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in tensors.items()}


def _in_a_session(path: str, requests: dict[str, Any]) -> dict[str, dict[str, np.ndarray]]:
    """What the signatures answer where the SavedModel is loaded as TF Serving loads it."""
    v1 = tf.compat.v1
    found = {}
    with tf.Graph().as_default(), v1.Session() as session:
        definitions = v1.saved_model.loader.load(session, ["serve"], path).signature_def
        for name, (request, _) in requests.items():
            definition = definitions[name]
            method = name if name in ("classify", "regress") else "predict"
            assert definition.method_name == f"tensorflow/serving/{method}"
            assert set(definition.inputs) == set(request)
            feed = {definition.inputs[key].name: value.numpy() for key, value in request.items()}
            found[name] = session.run({key: info.name for key, info in definition.outputs.items()}, feed)
    return found


def _assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        assert found[name].shape == values.shape
        if values.dtype == object:
            assert found[name].tolist() == values.tolist()
        else:
            np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
