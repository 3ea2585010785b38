"""What a report shows, as plain values: whoever ran the model fills a `ReportData` in, `render` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

Sample = tuple[bytes, str]
"""An encoded image (PNG, JPEG, GIF or BMP) and its caption."""


@dataclass(frozen=True)
class Section:
    """A part of the page that only some tasks or models have.

    Attributes:
        title: its heading, which also gives the anchor.
        html: its content, made with `pipelines.report.blocks`; a plain string would be escaped.
    """

    title: str
    html: Markup


@dataclass(frozen=True)
class Threshold:
    """One condition of the blessing.

    Attributes:
        metric: the name of the metric.
        kind: "lower", "upper", or "change" (against the last blessed model).
        limit: the limit; for "change" the largest loss that still passes, >= 0.
        value: what was compared: the metric, or the loss against the last blessed model (> 0: worse); None where there
            was nothing to compare.
        passed: the outcome.
    """

    metric: str
    kind: str
    limit: float
    value: float | None
    passed: bool


@dataclass(frozen=True)
class Slice:
    """The metrics of a part of the test split.

    Attributes:
        name: the feature and its value: "label = 3".
        metrics: by name; "example_count" is the number of examples.
        passed: whether it kept its own thresholds; None where it has none.
    """

    name: str
    metrics: dict[str, float]
    passed: bool | None = None


@dataclass(frozen=True)
class BadExamples:
    """Rows that could not be read and were left out.

    Attributes:
        count: how many.
        first: key and reason of the first ones.
    """

    count: int = 0
    first: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """One set of settings that the tuner tried.

    Attributes:
        settings: those that were tuned, by name.
        score: the objective that it reached; None where the trial failed.
    """

    settings: dict[str, Any]
    score: float | None


@dataclass(frozen=True)
class Column:
    """What a column of a table holds in the rows that were looked at.

    Attributes:
        name: of the feature.
        kind: "number", "text", or "target" of a number that is predicted.
        rows: so many were looked at.
        missing: share of them without a value, in [0, 1].
        mean, deviation, low, high: of the numbers that there are, in their own unit; None of texts and of nothing.
        distinct: different values of a text.
        values: its most frequent ones, and their shares of the rows that have one.
        histogram: rows in equal intervals from `low` to `high`, or of the most frequent values.
    """

    name: str
    kind: str
    rows: int
    missing: float
    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    distinct: int = 0
    values: Sequence[tuple[str, float]] = ()
    histogram: Sequence[int] = ()


@dataclass
class ReportData:
    """Everything that a page shows about one run. All but the first four may be left out.

    Attributes:
        model, dataset, task: the triple, by the names that were asked for.
        run: the name of the run.
        when: date and time, as they are to be shown.
        version: of the pushed model; "" where none was pushed.
        blessed: whether the model may be served; reasons: why not.
        seed: of the splits and the weights.
        settings: all settings by name; settings_help: what they mean, by name.
        dataset_description, dataset_licence, dataset_citation: "" where unknown.
        counts: split -> class -> number of examples.
        bad_examples: rows that were left out.
        anomalies: what ExampleValidator found, one line each.
        samples: class -> some of its images.
        columns: of a table.
        target: what a number that is predicted is, and its unit; "" of anything else.
        history: metric -> its value after each epoch; "val_" in front of it on the validation split.
        best_epoch: the epoch whose weights were kept, stopped_epoch: the one after which early stopping ended the
            training; both count from 1.
        remarks: what the model says about its training, one line each.
        metrics: split ("train", "eval", "test") -> name -> value. The first name leads the page.
        thresholds: the conditions of the blessing.
        slices: metrics of parts of the test split.
        shares: whether the leading metric is a share, in [0, 1].
        folds: metric -> value for each fold; None without cross-validation.
        component_seconds: duration by component, in the order of the run; reused: those answered from the cache.
        tuning: the tuner's trials, None without tuning; tuning_curves: the score over each number that was searched.
        sections: what the task and the model add.
    """

    model: str
    dataset: str
    task: str
    run: str
    when: str = ""
    version: str = ""
    blessed: bool = False
    reasons: list[str] = field(default_factory=list)
    seed: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    settings_help: dict[str, str] = field(default_factory=dict)
    dataset_description: str = ""
    dataset_licence: str = ""
    dataset_citation: str = ""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    bad_examples: BadExamples = field(default_factory=BadExamples)
    anomalies: list[str] = field(default_factory=list)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    columns: Sequence[Column] = ()
    target: str = ""
    history: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int | None = None
    stopped_epoch: int | None = None
    remarks: Sequence[str] = ()
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    thresholds: Sequence[Threshold] = ()
    slices: Sequence[Slice] = ()
    shares: bool = True
    folds: list[dict[str, float]] | None = None
    component_seconds: dict[str, float] = field(default_factory=dict)
    reused: set[str] = field(default_factory=set)
    tuning: list[Trial] | None = None
    tuning_curves: Markup = field(default_factory=Markup)
    sections: list[Section] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The heading of the page."""
        return f"{self.model} on {self.dataset}"

    @property
    def metric_names(self) -> list[str]:
        """Every metric of any split, the leading one first."""
        ordered = [self.metrics[split] for split in ("test", "eval", "train") if split in self.metrics]
        ordered += [values for values in self.metrics.values() if values not in ordered]
        return list(dict.fromkeys(name for values in ordered for name in values))

    @property
    def classes(self) -> list[str]:
        """Every class of any split, in the order of the counts."""
        return list(dict.fromkeys(name for counts in self.counts.values() for name in counts))
