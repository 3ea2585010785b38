"""Validation by resampling: how good a model is that was fitted as this one will be, from examples that it never saw.

Stratified k-fold cross-validation and leave-one-out (Stone 1974, Cross-validatory Choice and Assessment of Statistical
Predictions), and the bootstrap (Efron 1979). Its out-of-bag figure is too pessimistic, since a sample of n draws holds
about 63.2 % of the examples alone; the estimators .632 (Efron 1983, Estimating the Error Rate of a Prediction Rule) and
.632+ (Efron and Tibshirani 1997, Improvements on Cross-Validation: The .632+ Bootstrap Method) mend that.

In every round all is made anew from the round's own training rows: what preprocessing analyses, the share that early
stopping looks at, and the weights. What was held out is looked at once, at the end.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ann_keras import data, estimates, resampling, tallies, training
from ann_keras.data import Split
from ann_keras.datasets.splits import Plan
from ann_keras.estimates import Validation
from ann_keras.registry import Triple
from ann_keras.resampling import Pool, Round
from ann_keras.tallies import Kept, Tally

ROUNDS_FILE = "rounds.jsonl"
FEW = 1024
"""Examples of a split that are preprocessed at once, where they are not larger than `data.READ_BYTES`."""
KEPT_PARAMETERS = 5_000_000
"""In all models together that are kept for later rounds."""

Listener = Callable[[int, int, Mapping[str, float]], None]
"""Told of every round that ended: how many have, how many there are, and the round's metrics."""


def validate(
    triple: Triple,
    method: str,
    count: int | None = None,
    plan: Plan | None = None,
    directory: str | Path | None = None,
    listener: Listener | None = None,
) -> Validation:
    """Validates a triple on its dataset, outside an official test split.

    Args:
        triple: what is fitted, and on what.
        method: one of `resampling.METHODS`.
        count: number of folds, or of bootstrap samples; None for leave-one-out.
        plan: seed of draws and weights, share of the early stopping, what becomes of small classes.
        directory: where every finished round is kept, so that a killed validation goes on with the next one.
        listener: told of every round.

    Raises:
        DatasetError: for a row that cannot be read, and a class that is too small.
        ValueError: for an unknown method and a count that does not fit the examples.
    """
    return resample(triple, resampling.pool(triple.dataset), method, count, plan, directory, listener)


def resample(
    triple: Triple,
    examples: Pool,
    method: str,
    count: int | None = None,
    plan: Plan | None = None,
    directory: str | Path | None = None,
    listener: Listener | None = None,
) -> Validation:
    """Validates a triple on examples in memory; arguments and errors as of `validate`."""
    plan = plan or Plan()
    drawn = resampling.rounds(examples, method, count, plan)
    total = resampling.check(len(examples), method, count)
    kept = _Kept(directory, _identity(triple, examples, method, count, plan))
    tally = tallies.of(triple.task)
    fits = _Fits(triple, plan.seed, tally)
    gathered = estimates.Gathered(tally)
    for number, one in enumerate(drawn):
        found = kept.rounds.get(number)
        if found is None:
            found = fits.run(examples, one)
            kept.add(number, found)
        gathered.add(found)
        if listener is not None:
            listener(number + 1, total, gathered.values[-1])
    if method == "leave_one_out":
        return gathered.leave_one_out(len(examples))
    if method == "k_fold":
        return gathered.k_fold(len(examples))
    apparent = kept.rounds.get(total)
    if apparent is None:
        apparent = fits.run(examples, resampling.all_rows(examples, plan))
        kept.add(total, apparent)
    return gathered.bootstrap(len(examples), apparent, plan.seed)


class _Fits:
    """Fits and tests one model after the other, with the traced functions of the first where they suit.

    Args:
        triple: what is fitted.
        seed: of every fit.
        tally: tests.
    """

    def __init__(self, triple: Triple, seed: int, tally: Tally) -> None:
        self._triple, self._seed, self._tally = triple, seed, tally
        self._kept: dict[int, _Beginning] = {}

    def run(self, examples: Pool, one: Round) -> Kept:
        """Returns the metrics on what was held out, and what the tally adds up."""
        triple = self._triple
        places = {"train": one.train, "eval": one.eval, "test": one.test}
        loaded = data.prepare(triple, {name: examples.rows.take(rows) for name, rows in places.items()})
        train, evaluation, test = (_at_once(split) for split in (loaded.train, loaded.eval, loaded.test))
        # The schedule of step sizes and a prior's strength depend on how many examples there are.
        beginning = self._kept.get(len(train)) or _Beginning()
        fitted = training.fit(triple, train, evaluation, self._seed, None, [beginning], beginning.again())
        kept = self._tally.tested(fitted.model, test, triple.training.batch_size)
        self._keep(len(train), beginning)
        return kept

    def _keep(self, rows: int, beginning: _Beginning) -> None:
        """Keeps a model for later rounds with as many training rows, and of all only so many as are small together."""
        if type(beginning.model).fit is keras.Model.fit:  # what a fit of its own leaves in a model is not known
            self._kept[rows] = beginning
        while sum(one.model.count_params() for one in self._kept.values()) > KEPT_PARAMETERS:
            self._kept.pop(next(iter(self._kept)))
        if rows not in self._kept:
            keras.backend.clear_session()


class _Beginning(keras.callbacks.Callback):
    """Notes the state in which a model's fit begins, and puts the model back to it: the same as one built anew with the
    same seed, without TensorFlow's tracing, which takes longer than small data and whose memory is never given back.
    """

    def __init__(self) -> None:
        super().__init__()
        self._state: list[np.ndarray] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Notes weights, the states of random numbers, and the optimizer's."""
        if not self._state:
            self.model.optimizer.build(self.model.trainable_variables)
            self._state = [keras.ops.convert_to_numpy(variable) for variable in self._variables()]

    def again(self) -> keras.Model | None:
        """The model as it was; None before the first fit."""
        if not self._state:
            return None
        for variable, value in zip(self._variables(), self._state, strict=True):
            variable.assign(value)
        return self.model

    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self.model.optimizer.variables]


class _AtOnce(Split):
    """A split that is preprocessed in one go, outside of a graph."""

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray] | None:
        """Every preprocessed example in order, [size, ...] by name."""
        return self._first(len(self))

    @property
    def bytes(self) -> int:
        """Of all preprocessed examples together, which are as large as the first."""
        return len(self) * sum(values.nbytes for values in self._first(1).values())

    def _first(self, rows: int) -> dict[str, np.ndarray]:
        raw = next(iter(self.records.batch(rows)))
        found = self.transform(raw)
        found = found if self.weigh is None else self._weighed(found)
        return {name: np.asarray(value) for name, value in found.items()}

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """All examples once, in order, as of `Split.batches`."""
        return tf.data.Dataset.from_tensor_slices(self._pair(self._tensors)).batch(batch_size)


def _at_once(split: Split) -> Split:
    """A split of few and small examples as one that spares the tracing of a graph, which takes longer than they do."""
    if len(split) > FEW:
        return split
    found = _AtOnce(split.records, split.transform, split.label, split.size, split.memory_mb, weigh=split.weigh)
    return found if found.bytes <= data.READ_BYTES else split


def _identity(triple: Triple, examples: Pool, method: str, count: int | None, plan: Plan) -> str:
    named = [triple.model_name, triple.task.name, triple.dataset_name, triple.settings, method, count, plan.to_dict()]
    keys = hashlib.sha256("\n".join(map(str, examples.keys)).encode("utf-8", "surrogateescape")).hexdigest()
    text = json.dumps([*named, examples.fingerprint, keys], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Kept:
    """The finished rounds of one validation, in a file of JSON lines of which the first names it.

    Args:
        directory: where the file is; None keeps nothing.
        identity: of the validation; the rounds of another one are removed.
    """

    def __init__(self, directory: str | Path | None, identity: str) -> None:
        self.rounds: dict[int, Kept] = {}
        self._path = Path(directory) / ROUNDS_FILE if directory is not None else None
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        if lines and _parsed(lines[0]) == {"validation": identity}:
            for found in filter(None, map(_parsed, lines[1:])):
                self.rounds[found.pop("round")] = found
        partial = self._path.with_suffix(f".{os.getpid()}")
        # Written anew: a line that a kill cut off must not be continued.
        partial.write_text("".join(f"{line}\n" for line in [json.dumps({"validation": identity}), *self._lines()]))
        partial.replace(self._path)

    def _lines(self) -> Iterator[str]:
        for number, found in self.rounds.items():
            yield json.dumps({"round": number, **found})

    def add(self, number: int, found: Kept) -> None:
        """Keeps a round."""
        self.rounds[number] = found
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps({"round": number, **found}) + "\n")


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
