"""The real command line in a process of its own, and one pipeline run that most tests look at."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("ann_keras", "pipelines", "serving")
COMMAND = [sys.executable, "-c", "from pipelines.cli import main; main()"]
FEW = ("--set", "epochs=3", "--set", "min_accuracy=0")
"""Enough for a model that can be told from a worse one."""


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Ann:
    """The command line of one copy of the packages, which nobody changes while tests run.

    Args:
        package: the folder that holds the copy.
        folder: where commands run.
    """

    package: Path
    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "ANN_TRACEBACK"}
        return {**kept, "PYTHONPATH": str(self.package), **more}

    def start(self, *arguments: object, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell's background jobs, and all that they start, would ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def __call__(self, *arguments: object, **more: str) -> Answer:
        process = self.start(*arguments, **more)
        try:
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()
        return Answer(process.returncode, out, err)

    def run(self, *arguments: object, code: int = 0, **more: str) -> dict[str, Any]:
        """`ann run ... --json`, its exit code as expected, and its document."""
        answer = self("run", *arguments, "--json", **more)
        assert answer.code == code, answer.err
        document: dict[str, Any] = answer.document
        return {**document, "told": answer.err}


def copy_of_packages(folder: Path, source: Path = PROJECT) -> Path:
    for name in PACKAGES:
        shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="session")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Ann:
    return Ann(copy_of_packages(tmp_path_factory.mktemp("packages")), tmp_path_factory.mktemp("folder"))


@dataclass(frozen=True)
class Finished:
    """A run that ended: its root, its arguments and its document."""

    root: Path
    arguments: Sequence[str]
    document: dict[str, Any]


@pytest.fixture(scope="session")
def finished(ann: Ann, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """`ann run lenet5` on the embedded dataset, for a few epochs."""
    root = tmp_path_factory.mktemp("root")
    arguments = ("lenet5", "--root", str(root), *FEW)
    answer = ann("run", *arguments, "--json")
    assert answer.code == 0, answer.err
    return Finished(root, arguments, {**answer.document, "told": answer.err})


@pytest.fixture(scope="session")
def digit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of a zero."""
    from ann_keras.datasets.digits import DigitsShard

    (row,) = DigitsShard(0, 1).read()
    path = tmp_path_factory.mktemp("digit") / "zero.png"
    path.write_bytes(row.values["image"])
    return path


def write_images(folder: Path, classes: int = 2, each: int = 12) -> Path:
    """A folder of small JPEGs, one sub-folder a class, which a class's brightness tells apart."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for label in range(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(each):
            pixels = generator.integers(0, 60, (12, 10, 3)) + 190 * label // max(1, classes - 1)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"class{label}" / f"{number}.jpg")
    return folder
