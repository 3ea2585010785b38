"""What a lab is: a claim of the theory, an experiment that could have shown it false, and what was seen.

A lab is a module whose docstring begins with one sentence on the experiment and cites its source, and that has

    CLAIM: str      the claim, in one sentence
    EQUATION: str   the equation behind it, as matplotlib's mathtext without the dollar signs
    run(seed: int = 0) -> Result
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import keras
import matplotlib.figure
import numpy as np

from ann_keras import registry


@dataclass(frozen=True, eq=False)
class Result:
    """What an experiment came to.

    Attributes:
        held: whether the claim held, by the margins that `checks` states.
        checks: what the claim comes down to, each as a sentence with its limit -> whether it held.
        numbers: what was measured, by a name that says what and in which unit.
        setting: data, sizes, rates and repetitions of the experiment, by name.
        seen: one to three sentences on what was seen, with its numbers.
        figure: the picture, drawn with `figure`.
    """

    checks: Mapping[str, bool]
    numbers: Mapping[str, float]
    setting: Mapping[str, Any]
    seen: str
    figure: matplotlib.figure.Figure
    held: bool = field(init=False)

    def __post_init__(self) -> None:
        if not self.checks:
            raise ValueError("a lab without a check shows nothing")
        object.__setattr__(self, "held", all(self.checks.values()))


def load(name: str) -> ModuleType:
    """The module of a lab; a ValueError lists the legal names."""
    return registry.load("lab", name, registry.LABS)


def run(name: str, seed: int = 0) -> Result:
    """Runs a lab from a known state of Keras's random numbers.

    Args:
        name: a key of `registry.LABS`.
        seed: of data, weights and order; the same seed gives the same numbers on one machine.
    """
    module = load(name)
    keras.utils.set_random_seed(seed)
    result: Result = module.run(seed)
    wrong = [key for key, value in result.numbers.items() if not isinstance(value, int | float | np.number)]
    if wrong:
        raise TypeError(f"lab {name}: {wrong[0]!r} is no number")
    return result


def figure(width: float = 8.0, height: float = 4.0) -> matplotlib.figure.Figure:
    """An empty figure of `width` x `height` inches that no window and no global state knows."""
    return matplotlib.figure.Figure(figsize=(width, height), layout="constrained", dpi=120)
