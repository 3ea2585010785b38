"""From a `ReportData` to one HTML file that opens from disk."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pipelines.report import blocks, columns, figures
from pipelines.report.data import ReportData, Section, Slice, Threshold

NBSP = "\N{NO-BREAK SPACE}"
ORDER = ("train", "eval", "test")
CURVES = 6
"""So many metrics get a learning curve; the first ones."""


def render(data: ReportData) -> str:
    """Returns the page. It refers to nothing outside of itself."""
    sections = [section for section in _sections(data) if section.html]
    page = blocks.environment().get_template("report.html.jinja")
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    anchored = list(zip(_anchors(sections), sections, strict=True))
    return page.render(data=data, sections=anchored, style=Markup(style), cards=list(_cards(data)))


def write(data: ReportData, path: str | os.PathLike[str]) -> Path:
    """Writes the page whole or not at all, makes its folder where needed, and returns its path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = render(data)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    return target


def _sections(data: ReportData) -> Iterator[Section]:
    yield Section("Metrics", _metrics(data))
    yield Section("Learning curves", _curves(data))
    yield from data.sections
    yield Section("Slices", _slices(data.slices, data.shares))
    yield Section("Folds", _folds(data.folds))
    yield Section("Tuning", _tuning(data))
    yield Section("Data", _data(data))
    yield Section("Settings", _settings(data))
    yield Section("Components", _components(data))


def _cards(data: ReportData) -> Iterator[tuple[str, str, str]]:
    """Yields caption, value and remark of what stands at the top of the page."""
    splits = {"test": "test split", "eval": "eval split", "train": "train split"}
    for name in data.metric_names[:1]:
        present = [split for split in splits if name in data.metrics.get(split, {})]
        others = ", ".join(f"{split}{NBSP}{blocks.figure(data.metrics[split][name])}" for split in present[1:])
        if present:
            yield f"{_words(name)}, {splits[present[0]]}", blocks.figure(data.metrics[present[0]][name]), others
    if data.counts:
        sizes = {split: sum(counts.values()) for split, counts in data.counts.items()}
        remark = ", ".join(f"{split}{NBSP}{blocks.figure(size)}" for split, size in sizes.items())
        yield "examples", blocks.figure(sum(sizes.values())), remark
    epochs = max(map(len, data.history.values()), default=0)
    if epochs:
        yield "epochs", str(epochs), f"best: {data.best_epoch}" if data.best_epoch else ""
    if data.component_seconds:
        reused = f"{len(data.reused)} of {len(data.component_seconds)} components reused" if data.reused else ""
        yield "time", blocks.seconds(sum(data.component_seconds.values())), reused


def _metrics(data: ReportData) -> Markup:
    splits = sorted(data.metrics, key=lambda split: ORDER.index(split) if split in ORDER else len(ORDER))
    rows = [(_words(name), *(data.metrics[split].get(name) for split in splits)) for name in data.metric_names]
    made = blocks.table(["metric", *splits], rows) if rows else Markup("")
    if made and data.target:
        made += blocks.paragraph(f"Errors are in the unit of the target. {blocks.sentence(data.target)}")
    if not data.thresholds:
        return made
    checks = [(_condition(check), check.value, blocks.badge(check.passed)) for check in data.thresholds]
    return blocks.side_by_side(made, blocks.table(["threshold", "value", "outcome"], checks))


def _condition(check: Threshold) -> str:
    limit, name = f"{check.limit:.4g}", _words(check.metric)
    if check.kind == "change":
        return f"{name} at most {limit} worse than the last blessed model"
    return f"{name} {'at least' if check.kind == 'lower' else 'at most'} {limit}"


def _curves(data: ReportData) -> Markup:
    shown: dict[str, Sequence[float]] = {}
    for name, values in data.history.items():
        if (
            name.removeprefix("val_") not in {known.removeprefix("val_") for known in shown}
            and len(shown) >= 2 * CURVES
        ):
            continue
        if len(values) > 1:  # one epoch is no curve
            shown[name] = values
    drawn = figures.learning_curves(shown, data.best_epoch, data.stopped_epoch)
    said = Markup("").join(blocks.paragraph(blocks.sentence(line)) for line in data.remarks)
    return said + blocks.side_by_side(*drawn.values()) if drawn else said


def _slices(slices: Sequence[Slice], shares: bool) -> Markup:
    names = list(dict.fromkeys(name for part in slices for name in part.metrics if name != "example_count"))
    judged = any(part.passed is not None for part in slices)
    rows = []
    for part in slices:
        count = part.metrics.get("example_count")
        row: list[Any] = [part.name.replace(" = ", f"{NBSP}={NBSP}")]
        row += [blocks.badge(part.passed)] if judged else []
        row += [None if count is None else int(count)]
        rows.append([*row, *(_bar_of(part.metrics.get(name), shares and name == names[0]) for name in names)])
    columns = ["slice", *(["threshold"] if judged else []), "examples", *map(_words, names)]
    return blocks.table(columns, rows) if rows else Markup("")


def _bar_of(value: float | None, leading: bool) -> Any:
    """A leading metric that is a share is drawn as a bar."""
    if value is None or not leading or not 0 <= value <= 1:
        return value
    return blocks.bar(value, str(blocks.figure(value)))


def _folds(folds: Sequence[Mapping[str, float]] | None) -> Markup:
    if not folds:
        return Markup("")
    rows = []
    for name in dict.fromkeys(name for fold in folds for name in fold):
        values = [fold[name] for fold in folds if name in fold]
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        each = [fold.get(name) for fold in folds]
        dots = blocks.dots(values, min(values), max(values))
        rows.append((_words(name), float(np.mean(values)), spread, dots, *each))
    columns = ["metric", "mean", "spread", "", *(f"fold {number}" for number in range(1, len(folds) + 1))]
    text = f"{len(folds)} stratified folds; the spread is the sample standard deviation over them."
    return blocks.paragraph(text) + blocks.table(columns, rows)


def _tuning(data: ReportData) -> Markup:
    if not data.tuning:
        return Markup("")
    names = list(dict.fromkeys(name for trial in data.tuning for name in trial.settings))
    rows = [
        (number, *(_tried(trial.settings.get(name)) for name in names), trial.score)
        for number, trial in enumerate(data.tuning, start=1)
    ]
    return data.tuning_curves + blocks.table(["trial", *names, "score"], rows)


def _tried(value: Any) -> Any:
    """A setting of a trial: what a search drew has more digits than anybody reads."""
    return blocks.figure(value) if isinstance(value, float) else _plain(value)


def _data(data: ReportData) -> Markup:
    counts = Markup("")
    if data.counts:
        splits = list(data.counts.values())
        rows = [[name, *(split.get(name, 0) for split in splits)] for name in data.classes]
        if len(data.classes) > 1:
            rows.append(["all", *(sum(split.values()) for split in splits)])
        head = "class" if len(data.classes) > 1 else ""
        counts = blocks.table([head, *data.counts, "all"], [[*row, sum(row[1:])] for row in rows])
    module = blocks.environment().get_template("data.html.jinja").module
    described = columns.table(data.columns, sum(data.counts.get("train", {}).values()))
    return Markup(module.data(data, counts, described))  # type: ignore[attr-defined]


def _settings(data: ReportData) -> Markup:
    rows = [(name, _plain(value), data.settings_help.get(name, "")) for name, value in data.settings.items()]
    if data.seed is not None and "seed" not in data.settings:
        rows.append(("seed", str(data.seed), "of the splits and the weights"))
    return blocks.table(["setting", "value", "meaning"], rows) if rows else Markup("")


def _components(data: ReportData) -> Markup:
    longest = max(data.component_seconds.values(), default=0.0) or 1.0
    rows = []
    for name, seconds in data.component_seconds.items():
        text = blocks.seconds(seconds) + (", reused" if name in data.reused else "")
        rows.append((name, blocks.bar(seconds / longest, text, quiet=name in data.reused)))
    return blocks.table(["component", "time"], rows) if rows else Markup("")


def _plain(value: Any) -> str:
    """A setting as the command line takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "(empty)"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _anchors(sections: Sequence[Section]) -> list[str]:
    """A name for each section that no other has."""
    anchors: list[str] = []
    for section in sections:
        base = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        taken = sum(known == base or re.fullmatch(rf"{base}-\d+", known) is not None for known in anchors)
        anchors.append(f"{base}-{taken + 1}" if taken else base)
    return anchors
