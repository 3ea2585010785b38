"""What the arguments of a command become."""

from __future__ import annotations

from typing import Any

import pytest

from ann_keras.datasets.splits import Plan
from pipelines import commands

GIVEN: dict[str, Any] = {"seed": 3, "eval_fraction": 0.2, "test_fraction": 0.1, "small_classes": "train"}


@pytest.mark.parametrize(
    ("stratify", "fields"),
    [("contained", {"by": "contained"}), ("dominant", {"by": "dominant"}), ("none", {"stratify": False})],
)
def test_how_splits_are_stratified(stratify: str, fields: dict[str, Any]) -> None:
    assert commands.plan({**GIVEN, "stratify": stratify}) == Plan(**GIVEN, **fields)
