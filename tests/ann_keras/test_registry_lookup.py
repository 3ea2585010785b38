"""Looking triples up, and what is said when that fails."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import dataclass
from typing import Any

import pytest

from ann_keras import registry, settings
from ann_keras.settings import setting


def said(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(ValueError) as caught:
        registry.resolve(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_names_list_the_known_ones() -> None:
    assert said("lenet") == f"unknown model 'lenet'; the models are {', '.join(registry.MODELS)}"
    embedded = "digits, breast_cancer, wine, iris, diabetes, shapes, dates, camvid, isbi2012"
    known = f"{embedded}, multi30k[:SOURCE-TARGET], tfds:NAME, images:PATH, masks:PATH, csv:PATH, text:PATH"
    for name in ("mnist", "tfds", "tfds:", "images:", "digits:8", "text", "dates:en", "multi30k-de", ""):
        if name:
            assert said("mlp", name) == f"unknown dataset {name!r}; the datasets are {known}"
    assert said("mlp", task="driving") == f"unknown task 'driving'; the tasks are {', '.join(registry.TASKS)}"


def test_an_argument_that_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, ...]] = []
    module = types.ModuleType("datasets.pairs")
    module.load = lambda *argument: given.append(argument)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets.pairs", module)
    monkeypatch.setitem(registry.DATASETS, "multi30k", "datasets.pairs")
    for name in ("multi30k", "multi30k:", "multi30k:de-fr"):
        registry.open_dataset(name)
    assert given == [(), (), ("de-fr",)]
    monkeypatch.setitem(registry.SCHEMES, "multi30k", "multi30k:PAIR")
    with pytest.raises(ValueError, match="unknown dataset 'multi30k'"):
        registry.open_dataset("multi30k")


def test_a_task_that_the_model_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TASKS, "driving", "ann_keras.tasks.image_classification")
    known = "image_classification, classification, regression"
    assert said("mlp", task="driving") == f"mlp does not fit the task 'driving'; it fits {known}"


def test_settings_are_checked_before_the_dataset_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "open_dataset", lambda name: pytest.fail("the dataset was opened"))
    assert said("mlp", overrides={"units": 0}) == "units=0: out of range, expected 1 to 65536"
    assert said("mlp", overrides={"epochs": "ten"}).startswith("epochs='ten': expected a whole number")
    message = said("mlp", overrides={"unit": 3})
    assert message.startswith("unknown setting 'unit'; the settings are ")
    assert {"units", "depth", "augment", "image_size", "epochs", "learning_rate"} <= set(
        message[33:].replace(",", "").split()
    )


def test_settings_of_task_and_data_that_do_not_go_together() -> None:
    assert said("mlp", overrides={"image_size": "8"}) == "image_size=(8,): expected height,width"


def test_a_dataset_without_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.ann_keras.examples import Noise

    dataset = Noise()
    dataset.features = {"image": dataset.features["label"]}
    monkeypatch.setattr(registry, "open_dataset", lambda name: dataset)
    assert said("mlp", "noise") == (
        "dataset 'noise' does not fit mlp: image_classification needs image (image), label (label); "
        "classification needs columns of numbers or texts, label (label); "
        "regression needs columns of numbers or texts, label (number); its features are image (label)"
    )


def test_overrides_go_before_the_models_own_settings() -> None:
    assert registry.resolve("lenet5").task_config.augment == "affine"
    triple = registry.resolve("lenet5", overrides={"augment": "none", "batch_size": "32", "units": "10"})
    assert (triple.task_config.augment, triple.training.batch_size, triple.config.units) == ("none", 32, 10)
    assert triple.task.augment is None
    assert triple.training.epochs == triple.model.TRAINING.epochs


@dataclass(frozen=True)
class Speed:
    speed: int = setting(3, "metres a second", low=1)


def test_the_task_follows_from_the_datasets_roles_and_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of two tasks: the first whose roles the dataset has, among those that know the settings."""
    driving = types.ModuleType("tasks.driving")
    driving.Config = Speed  # type: ignore[attr-defined]
    driving.DEFAULT_DATASET = "digits"  # type: ignore[attr-defined]
    driving.missing_roles = lambda features: ["road (tensor)"]  # type: ignore[attr-defined]
    driving.bind = lambda features, config: config  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tasks.driving", driving)
    monkeypatch.setitem(registry.TASKS, "driving", "tasks.driving")
    module = registry.load("model", "mlp", registry.MODELS)
    monkeypatch.setattr(module, "TASKS", ("driving", "image_classification"))
    assert registry.resolve("mlp").task.name == "image_classification"
    assert registry.resolve("mlp", overrides={"augment": "flip"}).task_config.augment == "flip"
    assert said("mlp", overrides={"speed": 2}).startswith(
        "dataset 'digits' does not fit mlp: driving needs road (tensor);"
    )
    driving.missing_roles = lambda features: []  # type: ignore[attr-defined]
    assert registry.resolve("mlp").task == Speed()
    assert registry.resolve("mlp", overrides={"speed": 2}).task == Speed(2)
    assert registry.resolve("mlp", task="image_classification").task.name == "image_classification"


def test_as_dict_holds_every_setting_once() -> None:
    triple = registry.resolve("mlp")
    assert triple.settings == settings.as_dict(triple.config, triple.task_config, triple.training)
    assert triple.settings["units"] == 256


def test_describe_imports_no_model() -> None:
    code = (
        "import sys; from ann_keras import registry\n"
        "for table in (registry.MODELS, registry.TASKS, registry.DATASETS):\n"
        "    for entry in registry.describe(table): print(entry)\n"
        "assert not {'tensorflow', 'keras', 'ann_keras.models'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for name in (*registry.MODELS, *registry.TASKS, "digits", "tfds:NAME", "images:PATH", "multi30k[:SOURCE-TARGET]"):
        assert f"'name': '{name}'" in result.stdout


def test_summaries_are_the_first_sentences() -> None:
    entries = {entry["name"]: entry for entry in registry.describe(registry.MODELS)}
    assert entries["linear"]["summary"].startswith("Linear models: one weighted sum of the inputs")
    assert entries["linear"]["tasks"] == ["image_classification", "classification", "regression"]
    assert all(entry["summary"].endswith(".") for entry in entries.values())
