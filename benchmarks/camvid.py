"""`fcn32s`, `fcn16s` and `fcn8s` on CamVid, each started from the one before it, and `unet` and `segnet` from scratch.

    python -m benchmarks.camvid [--data DIR] [--models fcn32s,fcn16s,fcn8s,unet] [--epochs 40] [--stage-epochs 15]
        [--out camvid.jsonl]

DIR holds camvid; without it and ANN_DATA_DIR the files are downloaded. The networks see 180 x 240 pixels; the 233
frames of the official test split are judged at their own 360 x 480. `fcn32s_longer` goes on from fcn32s for as many
epochs as fcn16s and fcn8s have together: what more training alone would give. With --out a benchmark that was killed
goes on after the networks that it finished, whose models stand beside that file.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ann_keras import data, registry, training
from benchmarks.masks import judge
from benchmarks.trainings import Limit, Results, Told, digest, overrides

NETWORKS: dict[str, tuple[str, str | None, int]] = {
    "fcn32s": ("fcn32s", None, 0),
    "fcn32s_longer": ("fcn32s", "fcn32s", 2),
    "fcn16s": ("fcn16s", "fcn32s", 1),
    "fcn8s": ("fcn8s", "fcn16s", 1),
    "unet": ("unet", None, 0),
    "segnet": ("segnet", None, 0),
}
"""Name -> the model, the network that it starts from, and for how many stages it is trained from there."""
STAGES = ("fcn8s", "fcn16s", "fcn32s")
"""From the best to the worst mean IoU (Long et al. 2015, table 2)."""
FROM_SCRATCH = ("unet", "segnet")
LEAST, MINUTES = 0.40, 40


def settings_of(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """The settings that a network is trained with, whatever it starts from."""
    _, start, stages = NETWORKS[name]
    epochs = given.stage_epochs * stages if start else given.epochs
    settings: dict[str, Any] = {
        "image_size": given.size,
        "batch_size": 4,
        "augment": given.augment,
        "class_weights": given.class_weights,
        "epochs": epochs,
        "patience": epochs,
    }
    if start:
        settings["learning_rate"] = given.stage_rate
    return {**settings, **overrides(given.set)}


def measure(name: str, settings: dict[str, Any], given: argparse.Namespace, model: Path) -> dict[str, Any]:
    """Trains a network, keeps it as `model` and judges it."""
    triple = registry.resolve(NETWORKS[name][0], "camvid", overrides=settings)
    loaded = data.load(triple)
    print(f"  {len(loaded.train)}, {len(loaded.eval)} and {len(loaded.test)} frames", flush=True)
    started = time.perf_counter()
    limit = Limit(None if given.minutes is None else 60 * given.minutes)
    fitted = training.fit(triple, loaded.train, loaded.eval, given.seed, callbacks=[limit, Told(5)])
    seconds = time.perf_counter() - started
    if fitted.initialised:
        print(f"  {fitted.initialised}")
    model.parent.mkdir(parents=True, exist_ok=True)
    fitted.model.save(model)
    judged = judge(triple, loaded, fitted.model)
    return {
        **judged.figures,
        "iou": dict(zip(triple.task.label.classes, judged.class_iou, strict=True)),
        "seconds": seconds,
        "epochs": len(fitted.history["loss"]),
        "best_epoch": fitted.best_epoch + 1,
    }


def chosen(given: argparse.Namespace, parser: argparse.ArgumentParser) -> list[str]:
    """The networks that were asked for, each behind the one that it starts from."""
    names = given.models.split(",")
    for place, name in enumerate(names):
        if name not in NETWORKS:
            parser.error(f"--models {name}: expected some of {', '.join(NETWORKS)}")
        if (start := NETWORKS[name][1]) and start not in names[:place]:
            parser.error(f"--models {given.models}: {name} starts from {start}; name that before it")
    return names


def tell(figures: dict[str, Any]) -> None:
    """Prints the figures of a network."""
    ious = ", ".join(f"{label} {value:.3f}" for label, value in figures["iou"].items())
    took = f"{figures['seconds']:.0f} s, epoch {figures['best_epoch']} of {figures['epochs']}"
    print(f"  mean IoU {figures['mean_iou']:.4f}, pixel accuracy {figures['pixel_accuracy']:.4f}; {took}")
    print(f"  IoU: {ious}", flush=True)


def verdicts(found: dict[str, dict[str, Any]]) -> None:
    """Prints whether the order and the least mean IoU hold, and the time."""
    iou = {name: figures["mean_iou"] for name, figures in found.items()}
    if all(name in iou for name in STAGES):
        best, middle, worst = (iou[name] for name in STAGES)
        holds = "holds" if best > middle > worst else "FAILS"
        print(f"fcn8s {best:.4f} > fcn16s {middle:.4f} > fcn32s {worst:.4f}: {holds}")
    scratch = {name: iou[name] for name in FROM_SCRATCH if name in iou}
    if scratch:
        name = max(scratch, key=lambda one: scratch[one])
        minutes = found[name]["seconds"] / 60
        holds = "holds" if scratch[name] >= LEAST and minutes <= MINUTES else "FAILS"
        told = f"{scratch[name]:.4f} (at least {LEAST:.2f}) in {minutes:.1f} minutes (at most {MINUTES})"
        print(f"{name} from scratch {told}: {holds}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="the folder of camvid, in place of ANN_DATA_DIR")
    parser.add_argument("--models", default="fcn32s,fcn16s,fcn8s,unet", help=f"of {','.join(NETWORKS)}, in order")
    parser.add_argument("--size", default="180,240", help="height,width that the networks see")
    parser.add_argument("--epochs", type=int, default=40, help="from scratch")
    parser.add_argument("--stage-epochs", type=int, default=15, help="of a network that starts from another")
    parser.add_argument("--stage-rate", type=float, default=5e-4, help="its learning rate")
    parser.add_argument("--minutes", type=float, help="at most for each training")
    parser.add_argument("--augment", default="flip")
    parser.add_argument("--class-weights", default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every network")
    parser.add_argument("--out", type=Path, help="where each network's figures are kept, as JSON lines")
    given = parser.parse_args()
    names = chosen(given, parser)
    if given.data is not None:
        os.environ["ANN_DATA_DIR"] = str(given.data)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if given.out is None else given.out.with_suffix(".models")
        results = Results(given.out)
        models: dict[str, Path] = {}
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            settings, start = settings_of(name, given), models.get(NETWORKS[name][1] or "")
            asked = {"network": name, "seed": given.seed, "minutes": given.minutes, "settings": settings}
            # The name of a model tells all that it was trained with, and so what every later stage started from.
            asked["from"] = start.name if start else None
            models[name] = folder / f"{name}-{digest(asked)}.keras"
            print(f"{name}:", flush=True)
            figures = results.find(asked) if models[name].is_file() else None
            if figures is None:
                more = {"init_from": str(start)} if start else {}
                figures = results.add(asked, measure(name, {**settings, **more}, given, models[name]))
            found[name] = figures
            tell(figures)
    verdicts(found)


if __name__ == "__main__":
    main()
