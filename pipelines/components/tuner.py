"""TFX's Tuner, which also leaves what each trial's folds found."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx.components import Tuner as TfxTuner
from tfx.components.tuner import executor
from tfx.dsl.components.base import executor_spec
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

TRIALS_FILE = "trials.json"


class Executor(executor.Executor):
    """Searches as TFX does."""

    def Do(self, input_dict: Any, output_dict: Any, exec_properties: Any) -> None:  # noqa: N802 - TFX's name
        """Writes the best settings, the scores, and trials.json beside these."""
        tuner = executor.search(input_dict, exec_properties, self._get_tmp_dir())
        executor.write_best_hyperparameters(tuner, output_dict)
        uri = artifact_utils.get_single_uri(output_dict["tuner_results"])
        with fileio.open(os.path.join(uri, TRIALS_FILE), "w") as file:
            file.write(json.dumps(tuner.told()))


class Tuner(TfxTuner):
    """A Tuner whose `tuner_fn` gives a `pipelines.tuning.TripleTuner`."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
