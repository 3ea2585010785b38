"""KerasTuner over the search spaces that configs declare."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import tensorflow as tf

from ann_keras import data, training, validation
from ann_keras.data import Split
from ann_keras.datasets import masks, tables
from ann_keras.datasets.base import Table
from ann_keras.datasets.splits import Plan
from ann_keras.registry import Triple
from ann_keras.resampling import Pool
from ann_keras.settings import Range, search_space
from ann_keras.task import Feature, Task
from pipelines import progress
from pipelines.components.example_shards import KEY
from serving.export import parsing_spec

JUDGED_FILE = "judged.json"
PARSED = 4096
"""Examples that are parsed at a time."""

Judge = Callable[[Triple, Path], list[dict[str, float]]]
"""Fits a triple, with a folder for unfinished work, and returns the metrics of each fit on what it did not see."""


def spaces(triple: Triple, search: Sequence[str] = ()) -> dict[str, Range | tuple[Any, ...]]:
    """The declared spaces of the model's and the training's settings.

    Args:
        triple: whose settings.
        search: names of those that are wanted; all where it is empty.

    Raises:
        ValueError: where nothing is declared, or not what is wanted.
    """
    declared = search_space(triple.config, triple.training)
    if not declared:
        raise ValueError(f"{triple.model_name} declares no search space; --tune has nothing to search")
    unknown = [name for name in search if name not in declared]
    if unknown:
        raise ValueError(f"{unknown[0]!r} has no search space; {triple.model_name} declares {', '.join(declared)}")
    return {name: space for name, space in declared.items() if not search or name in search}


def hyperparameters(wanted: Mapping[str, Range | tuple[Any, ...]]) -> keras_tuner.HyperParameters:
    """Spaces, as of `spaces`, as KerasTuner has them."""
    found = keras_tuner.HyperParameters()
    for name, space in wanted.items():
        if not isinstance(space, Range):
            found.Choice(name, list(space))
        elif isinstance(space.low, int) and isinstance(space.high, int):
            found.Int(name, space.low, space.high, sampling="log" if space.log else "linear")
        else:
            found.Float(name, space.low, space.high, step=space.step, sampling="log" if space.log else "linear")
    return found


def hold_out(train: Split, evaluation: Split, seed: int) -> Judge:
    """A judge that fits to one split and measures the other."""

    def judge(triple: Triple, directory: Path) -> list[dict[str, float]]:
        callbacks = [progress.Epochs(triple.training.epochs)]
        fit = training.fit(triple, train, evaluation, seed, directory / "fit", callbacks)
        return [fit.metrics["eval"]]

    return judge


def k_fold(examples: Pool, folds: int, plan: Plan) -> Judge:
    """A judge that fits and measures once for each stratified fold, all made anew from the fold's training rows."""

    def judge(triple: Triple, directory: Path) -> list[dict[str, float]]:
        leading = triple.task.evaluation.metrics[0].name

        def tell(done: int, total: int, metrics: Mapping[str, float]) -> None:
            progress.tell(f"fold {done}/{total}  {leading} {metrics[leading]:.4f}")

        found = validation.resample(triple, examples, "k_fold", folds, plan, directory / "folds", tell)
        return [{name: _number(one.values[fold]) for name, one in found.metrics.items()} for fold in range(folds)]

    return judge


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def pool(patterns: Sequence[str], task: Task) -> Pool:
    """The raw examples in TFRecord files, in memory.

    Args:
        patterns: of the files' names.
        task: names features and label.
    """
    paths = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    spec = parsing_spec((*task.features, task.label)) | {KEY: tf.io.FixedLenFeature([], tf.string)}
    batches = tf.data.TFRecordDataset(paths, "GZIP").batch(PARSED).map(lambda batch: tf.io.parse_example(batch, spec))
    read = list(batches.as_numpy_iterator())
    columns = {name: np.concatenate([batch[name] for batch in read]) for name in read[0]}
    keys = np.array([key.decode("utf-8", "surrogateescape") for key in columns.pop(KEY)])
    labels, contains = _strata(columns[task.label.name], task.label)
    return Pool(data.Rows(Table(keys, columns)), keys, labels, task.label.classes, contains=contains)


def _strata(values: np.ndarray, label: Feature) -> tuple[np.ndarray, np.ndarray | None]:
    """What examples are stratified by, as an index has it: the label of each, and the classes that it holds."""
    if label.kind == "mask":
        counts = [masks.counts(mask, len(label.classes)) for mask in values]
        return masks.index_of(np.stack(counts))
    return (values if label.classes else tables.strata(values)), None


class TripleTuner(keras_tuner.BayesianOptimization):
    """A search whose trials are fits of a triple, and which goes on after a kill from the trial that it was in.

    Args:
        resolve: settings by name -> the triple with these.
        judge: fits and measures; the mean over its fits is the score.
        seed: of the search.
        trials: how many sets of settings.
        directory: where trials are kept.
        search: names of the settings that are searched; all that declare a space where it is empty.
    """

    def __init__(
        self,
        resolve: Callable[[dict[str, Any]], Triple],
        judge: Judge,
        seed: int,
        trials: int,
        directory: Path,
        search: Sequence[str] = (),
    ) -> None:
        triple = resolve({})
        self._metric, self._spaces = triple.task.evaluation.metrics[0], spaces(triple, search)
        self._resolve, self._judge, self._trials = resolve, judge, trials
        super().__init__(
            hypermodel=lambda _: training.build(triple),
            objective=keras_tuner.Objective(
                f"val_{self._metric.name}", "max" if self._metric.higher_is_better else "min"
            ),
            max_trials=trials,
            hyperparameters=hyperparameters(self._spaces),
            tune_new_entries=False,
            seed=seed,
            directory=str(directory.parent),
            project_name=directory.name,
            max_consecutive_failed_trials=1,
        )

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Judges the trial's settings and returns the mean of each metric."""
        triple = self._resolve(trial.hyperparameters.values)
        directory = Path(self.get_trial_dir(trial.trial_id))
        with progress.trial(int(trial.trial_id) + 1, self._trials):
            found = self._judge(triple, directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / JUDGED_FILE).write_text(json.dumps(found))
        return {f"val_{name}": statistics.fmean(one[name] for one in found) for name in found[0]}

    def told(self) -> dict[str, Any]:
        """What the report shows of the search, as JSON has it: the metric, the spaces of numbers, and every trial with
        its score and its metrics by fold, the best first.
        """
        ranges = {name: space for name, space in self._spaces.items() if isinstance(space, Range)}
        return {
            "metric": self._metric.name,
            "spaces": {name: {"low": one.low, "high": one.high, "log": one.log} for name, one in ranges.items()},
            "trials": [
                {
                    "settings": trial.hyperparameters.values,
                    "score": trial.score,
                    "folds": json.loads((Path(self.get_trial_dir(trial.trial_id)) / JUDGED_FILE).read_text()),
                }
                for trial in self.oracle.get_best_trials(self._trials)
            ],
        }
