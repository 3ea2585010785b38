"""A report on real data: softmax regression by scikit-learn on its digits, trained in about a second.

python -m tests.pipelines.report.example report.html
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split

from ann_keras.task import Evaluation, Feature, Metric, Task
from pipelines.report import pictures
from pipelines.report.data import ReportData, Sample, Section, Slice, Threshold, Trial
from pipelines.report.render import write
from pipelines.report.sections import image_classification, model_section

EPOCHS, PATIENCE, LEAST_GAIN = 60, 5, 1e-3
CLASSES = tuple(map(str, range(10)))
Arrays = tuple[np.ndarray, np.ndarray]


def task(classes: tuple[str, ...] = CLASSES) -> Task:
    """Image classification without TensorFlow: only what a report reads of it."""
    return Task(
        name="image_classification",
        features=(Feature("image", "image", (8, 8, 1)),),
        label=Feature("label", "label", classes=classes),
        inputs=(Feature("image", "tensor", (8, 8, 1)),),
        outputs=Feature("logits", "tensor", (len(classes),)),
        preprocess=lambda raw, analyzers: dict(raw),
        compile_args=dict,
        postprocess=lambda outputs: {"probabilities": outputs},
        evaluation=Evaluation((Metric("accuracy", "SparseCategoricalAccuracy", lower=0.9),), "probabilities"),
    )


@functools.cache
def splits() -> dict[str, Arrays]:
    """The digits: float [examples, 64] in [0, 1] and int [examples], by split."""
    X, y = load_digits(return_X_y=True)
    X_rest, X_test, y_rest, y_test = train_test_split(X / 16.0, y, test_size=360, stratify=y, random_state=0)
    X_train, X_eval, y_train, y_eval = train_test_split(X_rest, y_rest, test_size=180, stratify=y_rest, random_state=0)
    return {"train": (X_train, y_train), "eval": (X_eval, y_eval), "test": (X_test, y_test)}


def encoded(row: np.ndarray) -> bytes:
    """One digit as PNG."""
    return pictures.png(np.rint(row.reshape(8, 8) * 255))


def scores(model: SGDClassifier, arrays: Arrays) -> dict[str, float]:
    """Accuracy and cross-entropy."""
    probabilities = model.predict_proba(arrays[0])
    return {
        "accuracy": float(accuracy_score(arrays[1], probabilities.argmax(axis=1))),
        "cross_entropy": float(log_loss(arrays[1], probabilities, labels=range(10))),
    }


@functools.cache
def trained() -> tuple[SGDClassifier, dict[str, list[float]], int]:
    """The model, its history and its best epoch."""
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, random_state=0)
    history: dict[str, list[float]] = {name: [] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    best, best_epoch = np.inf, 0
    for epoch in range(1, EPOCHS + 1):
        model.partial_fit(*splits()["train"], classes=range(10))
        for prefix, split in (("", "train"), ("val_", "eval")):
            found = scores(model, splits()[split])
            history[f"{prefix}accuracy"].append(found["accuracy"])
            history[f"{prefix}loss"].append(found["cross_entropy"])
        if history["val_loss"][-1] < best - LEAST_GAIN:
            best, best_epoch = history["val_loss"][-1], epoch
        elif epoch - best_epoch >= PATIENCE:
            break
    return model, history, best_epoch


def predictions() -> image_classification.Predictions:
    """Its answers on the test split."""
    X, y = splits()["test"]
    keys = [f"digits/{index}" for index in range(len(y))]
    return image_classification.Predictions(keys, [encoded(row) for row in X], y, trained()[0].predict_proba(X))


def folds(count: int = 5) -> list[dict[str, float]]:
    """The same model on stratified folds of the training split."""
    X, y = splits()["train"]
    found = []
    for train, held_out in StratifiedKFold(count, shuffle=True, random_state=0).split(X, y):
        model = SGDClassifier(loss="log_loss", random_state=0).fit(X[train], y[train])
        found.append(scores(model, (X[held_out], y[held_out])))
    return found


def counts() -> dict[str, dict[str, int]]:
    """The number of digits by split and class."""
    return {split: {name: int(np.sum(y == int(name))) for name in CLASSES} for split, (_, y) in splits().items()}


def samples(per_class: int = 6) -> dict[str, list[Sample]]:
    """Some digits of every class."""
    X, y = splits()["train"]
    return {name: [(encoded(row), f"train {name}") for row in X[y == int(name)][:per_class]] for name in CLASSES}


def slices() -> list[Slice]:
    """The metrics of every class."""
    model, (X, y) = trained()[0], splits()["test"]
    parts = []
    for label in range(10):
        values = scores(model, (X[y == label], y[y == label]))
        passed = values["accuracy"] >= 0.9
        parts.append(Slice(f"label = {label}", {**values, "example_count": int(np.sum(y == label))}, passed))
    return parts


def report(**changes: Any) -> ReportData:
    """A report with everything in it."""
    model, history, best_epoch = trained()
    metrics = {split: scores(model, arrays) for split, arrays in splits().items()}
    accuracy = metrics["test"]["accuracy"]
    templates: dict[str, np.ndarray] = {name: model.coef_[int(name)].reshape(8, 8) for name in CLASSES}
    stopped = len(history["loss"])
    added: list[Section] = [
        *image_classification.sections(task(), predictions()),
        model_section("Templates", templates),
    ]
    values: dict[str, Any] = {
        "model": "linear", "dataset": "digits", "task": "image_classification", "run": "example", "version": "1",
        "when": "2024-05-17 14:03:22", "blessed": True, "seed": 0,
        "settings": {"learning_rate": 0.1, "epochs": EPOCHS, "patience": PATIENCE, "image_size": [], "augment": None},
        "settings_help": {"learning_rate": "step of the optimizer", "patience": "epochs without a gain"},
        "dataset_description": "Scans of handwritten digits, 8 x 8 pixels.", "dataset_licence": "CC BY 4.0",
        "dataset_citation": "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits",
        "counts": counts(), "samples": samples(), "history": history, "best_epoch": best_epoch, "metrics": metrics,
        "stopped_epoch": stopped if stopped < EPOCHS else None, "slices": slices(), "folds": folds(),
        "thresholds": [
            Threshold("accuracy", "lower", 0.9, accuracy, passed=accuracy >= 0.9),
            Threshold("accuracy", "change", 0.02, None, passed=True),
        ],
        "component_seconds": {"ExampleGen": 2.31, "StatisticsGen": 1.7, "Trainer": 11.2, "Pusher": 0.04},
        "reused": {"ExampleGen", "StatisticsGen"},
        "tuning": [Trial({"learning_rate": 0.1}, accuracy), Trial({"learning_rate": 3.0}, None)],
        "sections": added,
    }  # fmt: skip
    return ReportData(**{**values, **changes})


if __name__ == "__main__":
    print(write(report(), sys.argv[1]))
