"""`mlp` against scikit-learn's multi-layer perceptron on the same rows and units, its distance to gradient boosting,
and the coverage of its intervals.

    python -m benchmarks.tabular_peers --data DIR [--seeds 3]

DIR holds california_housing.csv and the UCI files adult-train.csv.gz and adult-test.csv.gz, which have no column names.
scikit-learn's MLP gets what ours has, the training and the validation rows, once with its own early stopping and once
with its defaults; the better one by the test rows counts. Histogram gradient boosting gets the same rows as they came.
"""

from __future__ import annotations

import argparse
import gzip
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from ann_keras import data, registry, training
from ann_keras.datasets.splits import Plan

ADULT = (
    "age,workclass,fnlwgt,education,education_num,marital_status,occupation,relationship,race,sex,capital_gain,"
    "capital_loss,hours_per_week,native_country,income"
)


ADULT_SETTINGS = {"dropout": 0.4}
"""What adult's many indicators want; housing has the defaults."""


def adult(source: Path, folder: Path) -> Path:
    """The UCI files with column names, as a folder of train.csv and test.csv."""
    for split in ("train", "test"):
        with gzip.open(source / f"adult-{split}.csv.gz", "rt") as file:
            lines = [line.strip().rstrip(".").replace(", ", ",") for line in file]
        rows = [line for line in lines if line.count(",") == ADULT.count(",")]
        (folder / f"{split}.csv").write_text("\n".join([ADULT, *rows]) + "\n")
    return folder


def raw_columns(rows: Any, features: Any) -> tuple[np.ndarray, list[bool]]:
    """The columns as numbers, float64 [rows, columns], texts as codes, and which are texts."""
    columns, texts = [], []
    for feature in features:
        values = [row.values[feature.name] for row in rows]
        texts.append(feature.kind == "text")
        if texts[-1]:
            known = {value: code for code, value in enumerate(sorted(set(values)))}
            columns.append(np.array([known[value] if value else np.nan for value in values]))
        else:
            columns.append(np.asarray(values, np.float64))
    return np.stack(columns, axis=1), texts


def peers(loaded: data.Data, triple: registry.Triple, seed: int) -> dict[str, float]:
    """The test figure of each peer: rmse, or accuracy."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    regression = triple.task.name == "regression"
    known = [loaded.train.arrays or {}, loaded.eval.arrays or {}]
    units = np.concatenate([part["features"] for part in known])
    labels = np.concatenate([part["label"] for part in known])
    tested = loaded.test.arrays or {}
    share = len(loaded.eval) / len(units)
    mean, deviation = (labels[0, 1], labels[0, 2]) if regression else (0.0, 1.0)
    target = (labels[:, 0] - mean) / deviation if regression else labels.reshape(-1)
    truth = tested["label"][:, 0] if regression else tested["label"].reshape(-1)

    def figure(answers: np.ndarray) -> float:
        if regression:
            return float(np.sqrt(np.mean((answers * deviation + mean - truth) ** 2)))
        return float(np.mean(answers == truth))

    mlp: Callable[..., Any] = MLPRegressor if regression else MLPClassifier
    found = {}
    for name, stops in (("its early stopping", True), ("its defaults", False)):
        started = time.perf_counter()
        fitted = mlp(random_state=seed, early_stopping=stops, validation_fraction=share).fit(units, target)
        found[f"MLP, {name}"] = figure(fitted.predict(tested["features"]))
        print(f"  scikit-learn's MLP, {name}: {found[f'MLP, {name}']:.4f} in {time.perf_counter() - started:.1f} s")
    every = [row for name in ("train", "eval", "test") for row in loaded.rows[name]]
    columns, texts = raw_columns(every, triple.task.features)
    boosting: Callable[..., Any] = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    started = time.perf_counter()
    boosted = boosting(categorical_features=texts, random_state=seed).fit(columns[: len(units)], target)
    found["boosting"] = figure(boosted.predict(columns[len(units) :]))
    print(f"  histogram gradient boosting: {found['boosting']:.4f} in {time.perf_counter() - started:.1f} s")
    return found


def compare(dataset: str, seeds: int, settings: dict[str, Any]) -> None:
    """Prints ours, the peers, and the ratio: above 1 where ours is better."""
    ratios, distances = [], []
    for seed in range(seeds):
        triple = registry.resolve("mlp", dataset, overrides=settings)
        regression = triple.task.name == "regression"
        loaded = data.load(triple, Plan(seed=seed))
        print(f"{triple.task.name}, seed {seed}: {len(loaded.train)}, {len(loaded.eval)} and {len(loaded.test)} rows")
        started = time.perf_counter()
        fitted = training.fit(triple, loaded.train, loaded.eval, seed)
        measured = training.evaluate(fitted.model, loaded.test, 1024)
        ours = measured["rmse" if regression else "accuracy"]
        epochs = len(fitted.history["val_loss"])
        print(f"  mlp: {ours:.4f} in {time.perf_counter() - started:.1f} s, {epochs} epochs")
        found = peers(loaded, triple, seed)
        better = min if regression else max
        rival = better(value for name, value in found.items() if name.startswith("MLP"))
        ratios.append(rival / ours if regression else ours / rival)
        distances.append(found["boosting"] / ours if regression else ours / found["boosting"])
    print(f"to scikit-learn's better MLP: {np.mean(ratios):.4f} ({min(ratios):.4f} to {max(ratios):.4f}), limit 1")
    print(f"to gradient boosting: {np.mean(distances):.4f} ({min(distances):.4f} to {max(distances):.4f})")


def coverage(dataset: str, seeds: int, settings: dict[str, Any]) -> None:
    """Prints how many test targets lie in the 90 % intervals of the learned sigma."""
    for seed in range(seeds):
        triple = registry.resolve("mlp", dataset, overrides={**settings, "noise": "learned"})
        loaded = data.load(triple, Plan(seed=seed))
        fitted = training.fit(triple, loaded.train, loaded.eval, seed)
        measured = training.evaluate(fitted.model, loaded.test, 1024)
        figures = ", ".join(f"{name} {measured[name]:.4f}" for name in ("coverage", "interval_width", "rmse", "r2"))
        print(f"learned sigma, seed {seed}: {figures} (limits of the coverage: 0.87 to 0.93)", flush=True)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("ANN_DATA_DIR"), help="the folder of tables")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of mlp")
    given = parser.parse_args()
    if given.data is None:
        parser.error("--data DIR, or ANN_DATA_DIR: the folder of california_housing.csv and adult's files")
    settings = dict(pair.split("=", 1) for pair in given.set)
    source = Path(given.data)
    source = source / "tabular" if (source / "tabular").is_dir() else source
    housing = f"csv:{source}/california_housing.csv?label=median_house_value"
    with tempfile.TemporaryDirectory() as folder:
        compare(housing, given.seeds, settings)
        coverage(housing, given.seeds, settings)
        compare(f"csv:{adult(source, Path(folder))}?label=income", given.seeds, {**ADULT_SETTINGS, **settings})


if __name__ == "__main__":
    main()
