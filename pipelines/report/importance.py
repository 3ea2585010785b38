"""What a model looks at: by how much its loss rises when one column's values are exchanged among the rows.

Breiman 2001, Random Forests, section 10, for any model as in Fisher, Rudin and Dominici 2019, All Models are Wrong, but
Many are Useful. The model is asked through its exported signature, and so with all that prepares its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.report import blocks
from pipelines.report.data import Section

ROWS, REPEATS, COLUMNS = 2000, 3, 60
"""At most so many rows are asked about, shuffles of each column, and columns."""
VALUES = 200_000
"""Questions times columns: a question about thousands of columns takes seconds, so that fewer are asked."""
SEED = 0

Ask = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
"""Raw values by feature, one per row -> the model's answers by name."""
Loss = Callable[[np.ndarray, Mapping[str, np.ndarray]], float]
"""Places of rows in the test split, int64 [rows], and the answers to them -> the loss."""


@dataclass(frozen=True)
class Importance:
    """How much each column tells.

    Attributes:
        loss: its name, for people.
        before: the loss with every column in place.
        added: by column, what each shuffle adds to it, float64 [repeats]; negative where the model does better without.
        rows: that were asked about; all_rows: of the test split.
        columns: all of them, in the order of the task, also those that were not measured.
    """

    loss: str
    before: float
    added: Mapping[str, np.ndarray]
    rows: int
    all_rows: int
    columns: Sequence[str]

    def leading(self, most: int) -> list[str]:
        """The `most` important columns, the first one first."""
        ranked = sorted(self.added, key=lambda name: -float(np.mean(self.added[name])))
        return [*ranked, *(name for name in self.columns if name not in self.added)][:most]


def measure(
    inputs: Mapping[str, Sequence[Any]], ask: Ask, answer: str, loss: str, loss_of: Loss, seed: int = SEED
) -> Importance:
    """Asks the model about rows in which one column at a time is shuffled.

    Args:
        inputs: raw values of the test split by column.
        ask: the model.
        answer: the name of the answer that is judged; where there are too many columns, those that go with it most are
            measured.
        loss: the name of what `loss_of` gives.
        loss_of: what is measured.
        seed: of the choice of rows and of every shuffle.
    """
    names = list(inputs)
    total = len(inputs[names[0]]) if names else 0
    if not total:
        return Importance(loss, float("nan"), {}, 0, 0, names)
    random = np.random.default_rng(seed)
    chosen = np.sort(random.choice(total, ROWS, replace=False)) if total > ROWS else np.arange(total)
    values = {name: np.asarray(column)[chosen] for name, column in inputs.items()}
    answers = ask(values)
    before = loss_of(chosen, answers)
    added = {}
    for name in _screened(values, np.asarray(answers[answer], np.float64).reshape(len(chosen), -1)):
        shuffled = [random.permutation(values[name]) for _ in range(REPEATS)]
        added[name] = np.array([loss_of(chosen, ask({**values, name: one})) - before for one in shuffled])
    return Importance(loss, before, added, len(chosen), total, names)


def _screened(values: Mapping[str, np.ndarray], answers: np.ndarray) -> list[str]:
    """The columns that are measured: all of them, or those that go most with the answers, float64 [rows, outputs]."""
    most = min(COLUMNS, max(1, VALUES // (REPEATS * len(values))))
    if len(values) <= most:
        return list(values)
    return sorted(values, key=lambda name: -association(values[name], answers))[:most]


def association(values: np.ndarray, answers: np.ndarray) -> float:
    """The share of the variance of one output that a column explains by itself, in [0, 1]: the square of the
    correlation of a number, and of a text the variance between its values, adjusted for how many they are.

    Args:
        values: float [rows], NaN where it is missing, or bytes [rows].
        answers: float64 [rows, outputs]; the largest share of any output counts.
    """
    centred = answers - answers.mean(axis=0)
    total = np.sum(centred**2, axis=0)
    if values.dtype == object:
        _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
        free = len(values) - len(counts)
        if free <= 0:
            return 0.0
        sums = np.stack([np.bincount(group.reshape(-1), column) for column in centred.T], axis=1)
        between = np.sum(sums**2 / counts[:, np.newaxis], axis=0)
        shares = 1 - (1 - _divided(between, total)) * (len(values) - 1) / free
    else:
        there = np.isfinite(values)
        number = np.where(there, values, 0).astype(np.float64)
        number = np.where(there, number - number.sum() / max(there.sum(), 1), 0.0)
        shares = _divided((number @ centred) ** 2, total * (number @ number))
    return float(np.clip(shares, 0, 1).max())


def _divided(share: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Nothing of nothing is 0."""
    return np.divide(share, whole, out=np.zeros_like(whole), where=whole > 0)


def section(found: Importance) -> Section:
    """The columns, the most important first, as bars with the spread over the shuffles."""
    means = {name: float(np.mean(found.added[name])) for name in found.leading(len(found.added))}
    largest = max(means.values(), default=0.0)
    lowest = min((float(np.min(values)) for values in found.added.values()), default=0.0)
    highest = max((float(np.max(values)) for values in found.added.values()), default=0.0)
    rows = [
        (
            name,
            blocks.bar(mean / largest if largest > 0 else 0.0, str(blocks.figure(mean))),
            float(np.std(found.added[name], ddof=1)),
            blocks.dots(found.added[name].tolist(), min(lowest, 0.0), highest),
        )
        for name, mean in means.items()
    ]
    asked = "all" if found.rows == found.all_rows else f"{found.rows} of {found.all_rows}"
    text = (
        f"What is added to the {found.loss} of the test split, {blocks.figure(found.before)}, when the values of"
        " one column are exchanged among its rows and so tell nothing about their row: mean, sample deviation and"
        f" every one of {REPEATS} seeded shuffles over {asked} rows (Breiman 2001; Fisher, Rudin and Dominici 2019)."
        " Columns that"
        " tell the same stand in for each other, and each of them looks less important than it is."
    )
    if len(found.added) < len(found.columns):
        text += (
            f" Only the {len(found.added)} of {len(found.columns)} columns whose own values go most with the answers"
        )
        text += " were measured."
    table = blocks.ranked_table(["column", f"added {found.loss}", "deviation", "shuffles"], rows)
    return Section("What the model looks at", blocks.paragraph(text) + table)
