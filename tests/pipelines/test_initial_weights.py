"""What --init-from means: the newest trained model of a name, or a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines import commands
from pipelines.exits import UsageError


def resolved(given: str, root: Path) -> str | None:
    options: dict[str, Any] = {
        "model": "linear",
        "dataset": None,
        "label": None,
        "schema": None,
        "task": "regression",
        "overrides": {},
    }
    found: str | None = commands.resolve(options | {"init_from": given, "root": str(root)}).training.init_from
    return found


def test_the_newest_trained_model_or_a_path(tmp_path: Path) -> None:
    trained = tmp_path / "pipelines" / "mlp" / "Trainer" / "model"
    for number in (7, 12, 9):
        (trained / str(number)).mkdir(parents=True)
        (trained / str(number) / "model.keras").touch()
    (trained / "15").mkdir()  # a fit that has not ended
    newest = trained / "12" / "model.keras"
    assert resolved("mlp", tmp_path) == str(newest)
    assert resolved(str(trained / "7"), tmp_path) == str(trained / "7" / "model.keras")
    assert resolved(str(newest), tmp_path) == str(newest)
    with pytest.raises(UsageError, match=f"--init-from lenet5: not trained under {tmp_path}; first run `ann run"):
        resolved("lenet5", tmp_path)
    with pytest.raises(UsageError, match="expected a model of `ann list models`, a"):
        resolved(str(trained), tmp_path)
