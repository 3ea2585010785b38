"""A fit that a test kills: python -m tests.ann_keras.interrupted CHECKPOINTS OUT [EPOCH to be killed in]."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np

from ann_keras import data, registry, training
from ann_keras.tasks import image_classification

SETTINGS = {
    "units": 8,
    "depth": 1,
    "dropout": 0.5,
    "augment": image_classification.Config.__dataclass_fields__["augment"].metadata["choices"][-1],
    "epochs": 5,
    "batch_size": 8,
    "patience": 3,
    "decay": "cosine",
}
"""Whatever draws random numbers or keeps a state takes part."""


class Interruption(keras.callbacks.Callback):
    """Calls a function in the middle of an epoch."""

    def __init__(self, epoch: int, interrupt: Any) -> None:
        super().__init__()
        self.due, self.interrupt = epoch, interrupt
        self.epoch = -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.epoch == self.due and batch == 2:
            self.interrupt()


def noise_triple(**overrides: Any) -> registry.Triple:
    """An mlp on the noise."""
    registry.DATASETS["noise"] = "tests.ann_keras.examples"
    return registry.resolve("mlp", "noise", overrides={**SETTINGS, **overrides})


def main(checkpoints: str, out: str, epoch: str = "-1") -> None:
    """Fits, and writes weights and history."""
    triple = noise_triple()
    loaded = data.load(triple)
    kill = Interruption(int(epoch), lambda: os.kill(os.getpid(), signal.SIGKILL))
    fit = training.fit(triple, loaded.train, loaded.eval, 3, checkpoints, [kill])
    np.savez(f"{out}.npz", *fit.model.get_weights())
    kept = {"history": fit.history, "best_epoch": fit.best_epoch, "resumed_epoch": fit.resumed_epoch}
    Path(f"{out}.json").write_text(json.dumps(kept))


if __name__ == "__main__":
    main(*sys.argv[1:])
