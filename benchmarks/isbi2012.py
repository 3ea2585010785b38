"""`unet` on the membranes of ISBI 2012, 24 sections to train on and 6 to test, beside the figures that its paper has
from the challenge; and what the weight map and elastic deformation contribute.

    python -m benchmarks.isbi2012 [--data DIR] [--variants full,no_weight_map,no_elastic] [--seeds 3] [--epochs 100]
        [--out isbi2012.jsonl]

DIR holds isbi2012_membrane; without it and ANN_DATA_DIR the files are downloaded. The sections are split by seed 0 for
every seed of the training. With --out a benchmark that was killed goes on after the runs that it finished.

The published figures (Ronneberger, Fischer and Brox 2015, U-Net, table 1) are errors on the challenge's own 30 test
sections, whose labels were never published, and of the challenge's older definitions: they are no limits here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ann_keras import data, registry, training
from ann_keras.datasets.masks import pixels
from ann_keras.datasets.splits import Plan
from ann_keras.metrics.membranes import mean_scores, membrane_scores
from benchmarks.masks import Judged, judge
from benchmarks.trainings import Limit, Results, Told, overrides

PLAN = Plan(seed=0, test_fraction=0.2, eval_fraction=0.04)
SETTINGS: dict[str, Any] = {
    "batch_size": 2,
    "learning_rate": 2e-3,
    "crop": 256,
    "augment": "dihedral",
    "elastic": 10.0,
    "brightness": 0.2,
    "weight_map": True,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "full": {},
    "no_weight_map": {"weight_map": False},
    "no_elastic": {"elastic": 0.0},
    "neither": {"weight_map": False, "elastic": 0.0},
}
LIMITS = {"pixel_accuracy": 0.92, "cell_iou": 0.85}
MINUTES = 30
FIGURES = ("pixel_accuracy", "cell_iou", "membrane_iou", "mean_iou", "rand_score", "split_bits", "merge_bits")
PUBLISHED = {
    "u-net": "warping error 0.000353, Rand error 0.0382, pixel error 0.0611",
    "human": "warping error 0.000005, Rand error 0.0021, pixel error 0.0010",
}


def figures(judged: Judged, classes: tuple[str, ...]) -> dict[str, float]:
    """The figures of one run on the test split; the scores of the cells as segments are means over the sections."""
    ious = {f"{name}_iou": iou for name, iou in zip(classes, judged.class_iou, strict=True)}
    pairs = [(pixels(truth), pixels(answer)) for truth, answer in zip(judged.truths, judged.answers, strict=True)]
    scores = mean_scores(membrane_scores(*pair, classes.index("cell")) for pair in pairs)
    segments = {"rand_score": 1 - scores.rand_error, "split_bits": scores.splits, "merge_bits": scores.merges}
    return {**judged.figures, **ious, **segments}


def measure(settings: dict[str, Any], seed: int, minutes: float | None) -> dict[str, Any]:
    """Trains one network and judges it."""
    triple = registry.resolve("unet", "isbi2012", overrides=settings)
    loaded = data.load(triple, PLAN)
    print(f"  {len(loaded.train)}, {len(loaded.eval)} and {len(loaded.test)} sections", flush=True)
    started = time.perf_counter()
    limit = Limit(None if minutes is None else 60 * minutes)
    fitted = training.fit(triple, loaded.train, loaded.eval, seed, callbacks=[limit, Told()])
    seconds = time.perf_counter() - started
    judged = judge(triple, loaded, fitted.model)
    return {
        **figures(judged, triple.task.label.classes),
        "seconds": seconds,
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
    }


def told(found: dict[str, Any]) -> str:
    """One line of the figures that are there."""
    parts = [f"{name} {found[name]:.4f}" for name in FIGURES]
    return f"{', '.join(parts)}; {found['seconds']:.0f} s, epoch {found['best_epoch']} of {found['epochs']}"


def summary(runs: dict[str, list[dict[str, Any]]]) -> None:
    """Prints the mean over the seeds, and what each part contributes: all of them less all but that one."""
    means: dict[str, dict[str, float]] = {}
    for variant, found in runs.items():
        means[variant] = {name: statistics.mean(figures[name] for figures in found) for name in FIGURES}
        print(f"{variant}, {len(found)} seeds: " + ", ".join(f"{name} {means[variant][name]:.4f}" for name in FIGURES))
    if "full" in runs:
        for variant in [name for name in runs if name != "full"]:
            contribution(variant, runs["full"], runs[variant])
        verdicts(means["full"], max(figures["seconds"] for figures in runs["full"]) / 60)


def contribution(variant: str, full: list[dict[str, Any]], without: list[dict[str, Any]]) -> None:
    """Prints what the runs without a part lack, and from which seed to which the difference varies."""
    parts = []
    for name in FIGURES:
        differences = [one[name] - other[name] for one, other in zip(full, without, strict=True)]
        spread = f"{min(differences):+.4f} to {max(differences):+.4f}"
        parts.append(f"{name} {statistics.mean(differences):+.4f} ({spread})")
    print(f"full - {variant}: {', '.join(parts)}")


def verdicts(means: dict[str, float], minutes: float) -> None:
    """Prints whether the limits hold, and the published figures beside ours."""
    for name, limit in LIMITS.items():
        print(f"{name} {means[name]:.4f} (at least {limit}): {'holds' if means[name] >= limit else 'FAILS'}")
    holds = "holds" if minutes <= MINUTES else "FAILS"
    print(f"longest training {minutes:.1f} minutes (at most {MINUTES}): {holds}")
    for who, errors in PUBLISHED.items():
        print(f"published, on the challenge's test sections, {who}: {errors}")
    rand, pixel = 1 - means["rand_score"], 1 - means["pixel_accuracy"]
    print(f"ours, on 6 of the labelled sections: Rand error {rand:.4f}, pixel error {pixel:.4f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of isbi2012_membrane, in place of ANN_DATA_DIR")
    parser.add_argument("--variants", default="full,no_weight_map,no_elastic", help=f"of {','.join(VARIANTS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--minutes", type=float, help="at most for each training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of unet or its task")
    parser.add_argument("--out", type=Path, help="where each run's figures are kept, as JSON lines")
    given = parser.parse_args()
    variants = given.variants.split(",")
    if unknown := [name for name in variants if name not in VARIANTS]:
        parser.error(f"--variants {unknown[0]}: expected some of {', '.join(VARIANTS)}")
    if given.data is not None:
        os.environ["ANN_DATA_DIR"] = str(given.data)
    results = Results(given.out)
    common = {**SETTINGS, "epochs": given.epochs, "patience": given.epochs, **overrides(given.set)}
    runs: dict[str, list[dict[str, Any]]] = {variant: [] for variant in variants}
    for seed in range(given.seeds):
        for variant in variants:
            settings = {**common, **VARIANTS[variant]}
            asked = {"variant": variant, "seed": seed, "minutes": given.minutes, "settings": settings}
            print(f"{variant}, seed {seed}:", flush=True)
            found = results.find(asked) or results.add(asked, measure(settings, seed, given.minutes))
            runs[variant].append(found)
            print(f"  {told(found)}", flush=True)
    summary(runs)


if __name__ == "__main__":
    main()
