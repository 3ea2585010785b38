"""What the rounds of a validation come to: mean and spread, the figure pooled over all rounds, .632 and .632+."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ann_keras.tallies import Kept, Tally

OUT_OF_BAG = 0.632
"""Share of the distinct examples in a bootstrap sample: 1 - (1 - 1/n)^n, which tends to 1 - 1/e (Efron 1983)."""


@dataclass(frozen=True)
class Estimate:
    """One metric, in its own unit. None is for what the method does not give, and for what is no finite number.

    Attributes:
        mean, deviation: over the rounds, the latter the sample standard deviation; of the bootstrap, out of the bag.
        values: of every round.
        pooled: over all answers of all rounds to what was held out.
        apparent: on its own training data, of a model fitted to all examples.
        no_information: of its answers where they have nothing to do with the labels.
        point632: 0.368 apparent + 0.632 mean.
        point632plus: the same with a weight of the mean that grows with overfitting.
    """

    mean: float | None = None
    deviation: float | None = None
    values: list[float | None] = field(default_factory=list)
    pooled: float | None = None
    apparent: float | None = None
    no_information: float | None = None
    point632: float | None = None
    point632plus: float | None = None


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        method: one of `resampling.METHODS`.
        rounds: how many models were fitted and tested, without the one of the apparent figures.
        examples: how many there were.
        metrics: by name.
    """

    method: str
    rounds: int
    examples: int
    metrics: dict[str, Estimate]

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them; what the method does not give is left out."""
        fields = dataclasses.asdict(self)
        fields["metrics"] = {name: _given(dataclasses.asdict(one)) for name, one in self.metrics.items()}
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Validation:
        """The validation with these fields."""
        metrics = {name: Estimate(**values) for name, values in fields["metrics"].items()}
        return cls(**{**fields, "metrics": metrics})


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != []}


class Gathered:
    """Takes the rounds in as they end.

    Args:
        tally: fresh; names the figures.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self.values: list[dict[str, float]] = []

    def add(self, kept: Kept) -> None:
        """Takes in a round, as the tally's `tested` gave it; figures that the tally does not name are left out."""
        self.values.append({name: float(kept["metrics"][name]) for name in self._tally.names})
        self._tally.add(kept)

    def leave_one_out(self, examples: int) -> Validation:
        """The pooled figures: most metrics of a single example are meaningless."""
        found = {name: Estimate(pooled=finite(value)) for name, value in self._tally.pooled().items()}
        return Validation("leave_one_out", len(self.values), examples, found)

    def k_fold(self, examples: int) -> Validation:
        """Mean and spread over the folds, and the pooled figures."""
        pooled = self._tally.pooled()
        found = {name: Estimate(**self._spread(name), pooled=finite(value)) for name, value in pooled.items()}
        return Validation("k_fold", len(self.values), examples, found)

    def bootstrap(self, examples: int, apparent: Kept, seed: int) -> Validation:
        """Mean and spread out of the bag, and what corrects them.

        Args:
            examples: how many there were.
            apparent: the round of a model fitted to all examples and tested on these.
            seed: of the pairings for the no-information rate.
        """
        pooled = self._tally.pooled()
        chance = self._tally.no_information(apparent, seed)
        found = {}
        for name, value in pooled.items():
            spread = self._spread(name)
            seen, unseen, unrelated = finite(apparent["metrics"][name]), spread["mean"], finite(chance[name])
            found[name] = Estimate(
                **spread,
                pooled=finite(value),
                apparent=seen,
                no_information=unrelated,
                point632=None if seen is None or unseen is None else point632(seen, unseen),
                point632plus=(
                    None
                    if seen is None or unseen is None or unrelated is None
                    else point632plus(seen, unseen, unrelated)
                ),
            )
        return Validation("bootstrap", len(self.values), examples, found)

    def _spread(self, name: str) -> dict[str, Any]:
        values = [finite(round_[name]) for round_ in self.values]
        known = [value for value in values if value is not None]
        mean = statistics.mean(known) if known else None
        return {"mean": mean, "deviation": statistics.stdev(known) if len(known) > 1 else None, "values": values}


def point632(apparent: float, out_of_bag: float) -> float:
    """0.368 apparent + 0.632 out-of-bag (Efron 1983)."""
    return (1 - OUT_OF_BAG) * apparent + OUT_OF_BAG * out_of_bag


def point632plus(apparent: float, out_of_bag: float, no_information: float) -> float:
    """The .632+ estimator (Efron and Tibshirani 1997, eq. 28 to 32), of an error or of a score where more is better.

    The relative overfitting rate R = (out-of-bag - apparent) / (no-information - apparent), held within 0 and 1, gives
    the out-of-bag figure the weight 0.632 / (1 - 0.368 R): .632 without overfitting, and the out-of-bag figure alone
    where the answers to unseen examples are worth no more than guesses. A figure that is worse than guesses counts as
    guesses.
    """
    distance = no_information - apparent
    overfitting = (out_of_bag - apparent) / distance if distance else 0.0
    if overfitting <= 0:
        return point632(apparent, out_of_bag)
    overfitting = min(overfitting, 1.0)
    weight = OUT_OF_BAG / (1 - (1 - OUT_OF_BAG) * overfitting)
    return (1 - weight) * apparent + weight * (apparent + overfitting * distance)


def finite(value: float) -> float | None:
    """The value, or None where it is infinite or no number."""
    return float(value) if math.isfinite(value) else None
