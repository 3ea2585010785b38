"""The two models that the serving benchmarks ask: `lenet5`, trained for one epoch on digits, and half_plus_two.

    python -m benchmarks.serving.models half FOLDER PLUS...

writes one version of y = x / 2 + PLUS for each PLUS at FOLDER/PLUS; the benchmarks call it, so that none of them holds
TensorFlow in its own process.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pipeline_overhead import ANN, seconds

LENET5, HALF = "lenet5", "half_plus_two"
MODELS = (LENET5, HALF)
IMAGES = 256


@dataclass(frozen=True)
class Models:
    """Where the models are.

    Attributes:
        base_paths: folder of version directories by model name.
        saved_models: the one version of each.
    """

    base_paths: dict[str, Path]
    saved_models: dict[str, Path]


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds --models, the folder that keeps the models from one benchmark to the next."""
    parser.add_argument("--models", help="folder to keep the trained models in; default: a temporary one")


@contextlib.contextmanager
def prepared(folder: str | None) -> Iterator[Models]:
    """Gives the models, made where `folder` does not hold them yet."""
    with contextlib.ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-models-")))
        lenet5 = place / "lenet5" / "serving" / LENET5
        if not lenet5.is_dir():
            seconds([ANN, "fit", LENET5, "--epochs", "1", "--out", str(place / "lenet5")])
        half = place / HALF
        if not half.is_dir():
            write_half_plus([2], place / "written")
            (place / "written" / "2").rename(place / "written" / "1")
            (place / "written").rename(half)
        base_paths = {LENET5: lenet5, HALF: half}
        yield Models(base_paths, {name: _newest(path) for name, path in base_paths.items()})


def _newest(base_path: Path) -> Path:
    return max((path for path in base_path.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))


def write_half_plus(plus: list[int], folder: Path) -> None:
    """Writes y = x / 2 + p at folder/p for each p, in a process of its own."""
    seconds([sys.executable, "-m", "benchmarks.serving.models", "half", str(folder), *map(str, plus)])


def _write(folder: Path, plus: int) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.half, module.plus = tf.Variable(0.5), tf.Variable(float(plus))
    function = tf.function(
        lambda x: {"y": module.half * x + module.plus}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")]
    )
    shutil.rmtree(folder, ignore_errors=True)
    tf.saved_model.save(module, str(folder), signatures=function)


def digits(count: int = IMAGES) -> list[bytes]:
    """Returns scanned digits as PNG files, the same ones in every run."""
    from ann_keras.datasets.digits import Digits

    found: list[bytes] = []
    for shard in Digits().shards():
        for row in shard.read():
            found.append(bytes(row.values["image"]))
            if len(found) == count:
                return found
    raise ValueError(f"the dataset has {len(found)} images, not {count}")


def main() -> None:
    """Writes versions of half_plus_two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["half"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("plus", nargs="+", type=int)
    given = parser.parse_args()
    for plus in given.plus:
        _write(given.folder / str(plus), plus)


if __name__ == "__main__":
    main()
