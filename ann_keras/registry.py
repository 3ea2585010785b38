"""The names that can be asked for: plain dicts of dotted paths, looked up by name and imported lazily."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ann_keras import settings
from ann_keras.datasets.base import Dataset
from ann_keras.task import Task

TASKS = {
    "image_classification": "ann_keras.tasks.image_classification",
    "classification": "ann_keras.tasks.classification",
    "regression": "ann_keras.tasks.regression",
    "semantic_segmentation": "ann_keras.tasks.semantic_segmentation",
    "sequence_to_sequence": "ann_keras.tasks.sequence_to_sequence",
}

MODELS = {
    "knn": "ann_keras.models.classic.knn",
    "perceptron": "ann_keras.models.feed_forward.perceptron",
    "linear": "ann_keras.models.feed_forward.linear",
    "mlp": "ann_keras.models.feed_forward.mlp",
    "lenet5": "ann_keras.models.convolutional.lenet5",
    "fcn32s": "ann_keras.models.segmentation.fcn32s",
    "fcn16s": "ann_keras.models.segmentation.fcn16s",
    "fcn8s": "ann_keras.models.segmentation.fcn8s",
    "unet": "ann_keras.models.segmentation.unet",
    "segnet": "ann_keras.models.segmentation.segnet",
    "nin_segmenter": "ann_keras.models.segmentation.nin_segmenter",
    "seq2seq": "ann_keras.models.sequence.seq2seq",
    "seq2seq_attention": "ann_keras.models.sequence.seq2seq_attention",
    "transformer": "ann_keras.models.sequence.transformer",
}

DATASETS = {
    "digits": "ann_keras.datasets.digits",
    "breast_cancer": "ann_keras.datasets.breast_cancer",
    "wine": "ann_keras.datasets.wine",
    "iris": "ann_keras.datasets.iris",
    "diabetes": "ann_keras.datasets.diabetes",
    "shapes": "ann_keras.datasets.shapes",
    "dates": "ann_keras.datasets.dates",
    "camvid": "ann_keras.datasets.builders.camvid",
    "isbi2012": "ann_keras.datasets.builders.isbi2012",
    "multi30k": "ann_keras.datasets.builders.multi30k",
    "tfds": "ann_keras.datasets.tfds_source",
    "images": "ann_keras.datasets.image_folder",
    "masks": "ann_keras.datasets.mask_folder",
    "csv": "ann_keras.datasets.csv_file",
    "text": "ann_keras.datasets.text_files",
}
"""A name, or the scheme of `scheme:argument`."""

LABS = {
    "gaussian_mean": "ann_keras.labs.gaussian_mean",
    "squares_or_cross_entropy": "ann_keras.labs.squares_or_cross_entropy",
    "perceptron_or_logistic": "ann_keras.labs.perceptron_or_logistic",
    "universal_approximation": "ann_keras.labs.universal_approximation",
    "width_and_data": "ann_keras.labs.width_and_data",
    "random_labels": "ann_keras.labs.random_labels",
    "optimism": "ann_keras.labs.optimism",
    "validation_luck": "ann_keras.labs.validation_luck",
    "stratified_split": "ann_keras.labs.stratified_split",
    "early_stopping": "ann_keras.labs.early_stopping",
    "ridge_and_lasso": "ann_keras.labs.ridge_and_lasso",
    "weight_prior": "ann_keras.labs.weight_prior",
    "gamma_by_cross_validation": "ann_keras.labs.gamma_by_cross_validation",
    "dropout_ensemble": "ann_keras.labs.dropout_ensemble",
    "vanishing_gradients": "ann_keras.labs.vanishing_gradients",
    "dying_relus": "ann_keras.labs.dying_relus",
    "sparse_activation": "ann_keras.labs.sparse_activation",
    "initialisation": "ann_keras.labs.initialisation",
    "momentum": "ann_keras.labs.momentum",
    "adaptive_rates": "ann_keras.labs.adaptive_rates",
    "saddle_points": "ann_keras.labs.saddle_points",
    "batch_normalisation": "ann_keras.labs.batch_normalisation",
    "filters": "ann_keras.labs.filters",
    "shifted_neighbours": "ann_keras.labs.shifted_neighbours",
    "linear_templates": "ann_keras.labs.linear_templates",
}
"""Experiments of `ann lab`, in the order of the course."""

SCHEMES = {
    "multi30k": "multi30k[:SOURCE-TARGET]",
    "tfds": "tfds:NAME",
    "images": "images:PATH",
    "masks": "masks:PATH",
    "csv": "csv:PATH",
    "text": "text:PATH",
}
"""How the datasets that take an argument are spelt; one in brackets may be left out."""


@dataclass(frozen=True)
class Triple:
    """A task, a model and a dataset that fit together, with all their settings.

    Attributes:
        model_name, dataset_name: as they were asked for.
        task: bound to the dataset's features.
        model: the model's module: `Config`, `TINY`, `build`.
        dataset: the source of examples.
        config: settings of the model; task_config: of the task; training: of the fit.
    """

    model_name: str
    dataset_name: str
    task: Task
    model: ModuleType
    dataset: Dataset
    config: Any
    task_config: Any
    training: Any

    @property
    def memory_mb(self) -> int:
        """Largest preprocessed split in MiB that is held in memory."""
        if self.training.memory_mb is not None:
            return int(self.training.memory_mb)
        large = self.task.batch_tokens or any(feature.kind == "image" for feature in self.task.features)
        return 4096 if large else 16

    @property
    def settings(self) -> dict[str, Any]:
        """All settings in one flat dict; `resolve` with it gives this triple again."""
        return settings.as_dict(self.config, self.task_config, self.training)


def resolve(
    model: str,
    dataset: str | None = None,
    task: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Triple:
    """Looks a triple up and checks that its parts fit, before anything long begins.

    Args:
        model: a key of MODELS.
        dataset: a key of DATASETS or `scheme:argument`; None for the model's task's default, which is embedded.
        task: a key of TASKS; None for the only one that fits both.
        overrides: settings by name, as `--set` gives them.

    Raises:
        ValueError: in one line, naming the bad value and the legal ones.
    """
    module = load("model", model, MODELS)
    # Settings are checked before the dataset is opened, which may take long.
    candidates = _configured(module, _tasks(model, module, task), overrides or {})
    dataset_name = dataset or candidates[0][0].DEFAULT_DATASET
    source = open_dataset(dataset_name)
    problems = []
    for task_module, (config, task_config, training) in candidates:
        fitting = _labelled(source, task_module) if task is not None else source
        missing = task_module.missing_roles(fitting.features)
        if not missing:
            if hasattr(task_module, "check"):
                task_module.check(module, task_config, config)
            bound = task_module.bind(fitting.features, task_config)
            named = fitting.name if fitting is not source else dataset_name
            return Triple(model, named, bound, module, fitting, config, task_config, training)
        problems.append(f"{task_module.__name__.rsplit('.', 1)[1]} needs {', '.join(missing)}")
    have = ", ".join(f"{role} ({feature.kind})" for role, feature in source.features.items()) or "none"
    raise ValueError(f"dataset {dataset_name!r} does not fit {model}: {'; '.join(problems)}; its features are {have}")


def _labelled(source: Dataset, task: ModuleType) -> Dataset:
    """The dataset with its label as the task wants it, where the data can be read both ways: a column of whole numbers.

    Raises:
        ValueError: where the label cannot be read so.
    """
    kind = task.ROLES.get("label")
    label = source.features.get("label")
    if label is None or kind in (None, label.kind) or not hasattr(source, "labelled"):
        return source
    found: Dataset = source.labelled(kind)
    return found


def _tasks(model: str, module: ModuleType, task: str | None) -> list[ModuleType]:
    """The tasks that a model may be asked to do, or the one that was named."""
    tasks = [load("task", name, TASKS) for name in (module.TASKS if task is None else (task,))]
    if task is not None and task not in module.TASKS:
        raise ValueError(f"{model} does not fit the task {task!r}; it fits {', '.join(module.TASKS)}")
    return tasks


def _configured(
    module: ModuleType, tasks: list[ModuleType], overrides: Mapping[str, Any]
) -> list[tuple[ModuleType, list[Any]]]:
    """The tasks that know all of `overrides`, each with the settings of model, task and training."""
    training = getattr(module, "TRAINING", settings.Training())
    # A model may prefer other settings of its task; the user's go before.
    wanted = {**getattr(module, "TASK_SETTINGS", {}), **overrides}
    configured, errors = [], []
    for task in tasks:
        try:
            configured.append((task, settings.apply([module.Config(), task.Config(), training], wanted)))
        except ValueError as error:
            errors.append(error)
    if not configured:
        raise errors[0]
    return configured


def open_dataset(name: str) -> Dataset:
    """Opens a dataset by name or `scheme:argument`.

    Raises:
        ValueError: for an unknown name, a missing argument, or a source that cannot be read.
    """
    scheme, _, argument = name.partition(":")
    spelling = SCHEMES.get(scheme, "")
    fits = "[" in spelling or bool(argument) == bool(spelling)
    if scheme not in DATASETS or not fits:
        legal = [SCHEMES.get(known, known) for known in DATASETS]
        raise ValueError(f"unknown dataset {name!r}; the datasets are {', '.join(legal)}")
    module = importlib.import_module(DATASETS[scheme])
    opened: Dataset = module.load(argument) if argument else module.load()
    return opened


def load(kind: str, name: str, table: Mapping[str, str]) -> ModuleType:
    """Imports the module registered as `name`; a ValueError lists the legal names."""
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}; the {kind}s are {', '.join(table)}")
    return importlib.import_module(table[name])


def describe(table: Mapping[str, str]) -> list[dict[str, Any]]:
    """Name, first sentence and tasks of every entry, read from the source without importing it."""
    entries = []
    for name, path in table.items():
        sentence = (ast.get_docstring(_parsed(path)) or "").split("\n\n")[0].replace("\n", " ")
        entry: dict[str, Any] = {"name": SCHEMES.get(name, name) if table is DATASETS else name, "summary": sentence}
        found = constants(path)
        if "TASKS" in found:
            entry["tasks"] = list(found["TASKS"])
        entries.append(entry)
    return entries


def constants(path: str) -> dict[str, Any]:
    """The literals that a registered module assigns to names, read from its source without importing it."""
    found = {}
    for node in _parsed(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(ValueError):
                found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def _parsed(path: str) -> ast.Module:
    return ast.parse(_source(path))


def _source(path: str) -> str:
    # Only the first package is imported (it is empty), so that no parent package can pull in TensorFlow.
    package, _, rest = path.partition(".")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"no package {package!r}")
    location = spec.submodule_search_locations[0]
    with open(f"{location}/{rest.replace('.', '/')}.py", encoding="utf-8") as file:
        return file.read()
