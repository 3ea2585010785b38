"""Virtual environments for peers that the project does not depend on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pipeline_overhead import seconds


def environment(place: Path, packages: Sequence[str]) -> Path:
    """Returns the folder of an environment's executables, made with this Python and the packages if not there yet."""
    if not (place / "installed").exists():
        shutil.rmtree(place, ignore_errors=True)
        uv = shutil.which("uv") or next(iter(Path(__file__).resolve().parents[1].glob(".uv/bin/uv")), None)
        if uv:
            seconds([str(uv), "venv", "--python", sys.executable, str(place)])
            seconds([str(uv), "pip", "install", "--python", str(place / "bin" / "python"), *packages])
        else:
            seconds([sys.executable, "-m", "venv", str(place)])
            seconds([str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])
        (place / "installed").touch()
    return place / "bin"


def installed_version(binaries: Path, package: str) -> str:
    """Returns the version of a package in an environment."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return seconds([str(binaries / "python"), "-c", code])[1].strip()
