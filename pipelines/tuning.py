"""KerasTuner over the search spaces that configs declare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner

from ann_keras import training
from ann_keras.data import Split
from ann_keras.registry import Triple
from ann_keras.settings import Range, search_space
from pipelines import progress


def hyperparameters(triple: Triple) -> keras_tuner.HyperParameters:
    """The declared spaces of the model's and the training's settings.

    Raises:
        ValueError: where nothing is declared.
    """
    spaces = search_space(triple.config, triple.training)
    if not spaces:
        raise ValueError(f"{triple.model_name} declares no search space; --tune has nothing to search")
    found = keras_tuner.HyperParameters()
    for name, space in spaces.items():
        if not isinstance(space, Range):
            found.Choice(name, list(space))
        elif isinstance(space.low, int) and isinstance(space.high, int):
            found.Int(name, space.low, space.high, sampling="log" if space.log else "linear")
        else:
            found.Float(name, space.low, space.high, step=space.step, sampling="log" if space.log else "linear")
    return found


class TripleTuner(keras_tuner.BayesianOptimization):
    """A search whose trials are fits of a triple, and which goes on after a kill from the trial that it was in.

    Args:
        resolve: settings by name -> the triple with these.
        train, evaluation: the splits; the search looks at the evaluation split alone.
        seed: of the search and of every fit.
        trials: how many fits.
        directory: where trials are kept.
    """

    def __init__(
        self,
        resolve: Callable[[dict[str, Any]], Triple],
        train: Split,
        evaluation: Split,
        seed: int,
        trials: int,
        directory: Path,
    ) -> None:
        triple = resolve({})
        metric = triple.task.evaluation.metrics[0]
        self._metric, self._resolve, self._seed, self._trials = metric.name, resolve, seed, trials
        self._splits = (train, evaluation)
        self._last: training.Fit | None = None
        super().__init__(
            hypermodel=lambda _: training.build(triple),
            objective=keras_tuner.Objective(f"val_{metric.name}", "max" if metric.higher_is_better else "min"),
            max_trials=trials,
            hyperparameters=hyperparameters(triple),
            tune_new_entries=False,
            seed=seed,
            directory=str(directory.parent),
            project_name=directory.name,
            max_consecutive_failed_trials=1,
        )

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Fits the trial's settings and returns the evaluation split's metrics."""
        triple = self._resolve(trial.hyperparameters.values)
        with progress.trial(int(trial.trial_id) + 1, self._trials):
            callbacks = [progress.Epochs(triple.training.epochs)]
            directory = Path(self.get_trial_dir(trial.trial_id)) / "fit"
            fit = training.fit(triple, *self._splits, self._seed, directory, callbacks)
        return {f"val_{name}": value for name, value in fit.metrics["eval"].items()}
