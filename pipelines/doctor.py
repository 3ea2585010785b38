"""Says what is installed, what is missing, what does not fit together, and the command that mends it.

Reads package metadata and asks the system; imports neither TensorFlow nor TFX, so that it answers at once and also
where those cannot be imported. Run as `ann doctor`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.version import Version
from rich.console import Console
from rich.markup import escape
from rich.table import Table

Status = Literal["ok", "warn", "fail"]

PROJECT = "ann-keras"
STACK = ("tfx", "tensorflow", "keras", "tensorflow-text", "tensorflow-datasets", "apache-beam")
OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 13)
NEW_STACK_PYTHON = (3, 11)
"""From this Python on it is TFX 1.21, whose wheels need NEW_STACK_GLIBC."""
NEW_STACK_GLIBC = Version("2.39")
FREE_GB_WARN, FREE_GB_FAIL = 5.0, 1.0
DOCKER_TIMEOUT_SECONDS = 1.2


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        status: "ok"; "warn" where only a part of the project does without; "fail" where nothing works.
        found: what there is.
        remedy: the command that mends it; empty where nothing needs mending.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


def checks(root: str | Path = "./ann-runs") -> list[Check]:
    """Looks at everything.

    Args:
        root: where runs are going to be written; it need not exist.
    """
    return [
        check_python(),
        check_glibc(),
        *(check_package(name) for name in STACK),
        check_fit(),
        check_legacy_keras(os.environ),
        check_dill(),
        check_disk(root),
        check_model_server(),
        check_docker(),
        check_kfp(),
        check_chromium(),
    ]


def check_python() -> Check:
    """TFX has releases for a range of Python versions."""
    found = ".".join(str(part) for part in sys.version_info[:3])
    if OLDEST_PYTHON <= tuple(sys.version_info[:2]) <= NEWEST_PYTHON:
        return Check("Python", "ok", found)
    return Check("Python", "fail", f"{found}; TFX supports 3.10 to 3.13", "make setup (takes Python 3.10)")


def check_glibc() -> Check:
    """The wheels of the newer stack need a new C library."""
    try:
        found = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        found = ""
    if not found.startswith("glibc "):
        return Check(
            "glibc", "fail", "not glibc; TFX's wheels need it", "use Debian, Ubuntu or another glibc-based Linux"
        )
    version = found.removeprefix("glibc ")
    if tuple(sys.version_info[:2]) < NEW_STACK_PYTHON:
        return Check("glibc", "ok", f"{version} (any serves Python 3.10)")
    if Version(version) >= NEW_STACK_GLIBC:
        return Check("glibc", "ok", version)
    return Check(
        "glibc",
        "fail",
        f"{version}; Python >= 3.11 takes TFX 1.21, which needs >= 2.39",
        "make setup (takes Python 3.10)",
    )


def check_package(name: str) -> Check:
    """A package of the stack is there, in a version that this project's own metadata allows."""
    version = _version(name)
    if version is None:
        return Check(name, "fail", "not installed", "make setup")
    for requirement in _requirements(PROJECT):
        if requirement.name == name and not requirement.specifier.contains(version, prereleases=True):
            return Check(name, "fail", f"{version}; this project needs {requirement.specifier}", "make setup")
    return Check(name, "ok", version)


def check_fit() -> Check:
    """What the stack's packages require of each other, and this project of them, is what is installed."""
    conflicts = []
    for owner in (PROJECT, *STACK):
        for requirement in _requirements(owner):
            version = _version(requirement.name)
            if version is None:
                conflicts.append(f"{owner} needs {requirement.name}, which is missing")
            elif not requirement.specifier.contains(version, prereleases=True):
                conflicts.append(f"{owner} needs {requirement.name}{requirement.specifier}, not {version}")
    if not conflicts:
        return Check("versions fit", "ok", "every requirement of the stack is met")
    more = f"; and {len(conflicts) - 3} more" if len(conflicts) > 3 else ""
    return Check("versions fit", "fail", "; ".join(conflicts[:3]) + more, "make setup")


def check_legacy_keras(environ: Mapping[str, str]) -> Check:
    """Code that writes `tf.keras` gets Keras 2 once Transform is imported; `import keras` is always Keras 3."""
    setting = environ.get("TF_USE_LEGACY_KERAS")
    if setting is not None and setting.lower() in ("1", "true"):
        return Check(
            "legacy Keras",
            "warn",
            f"TF_USE_LEGACY_KERAS={setting}: tf.keras is Keras 2, whose models this project cannot use; "
            "`import keras` is Keras 3 all the same",
            "unset TF_USE_LEGACY_KERAS",
        )
    backend = environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        found = f"KERAS_BACKEND={backend}: `ann fit` uses it, but pipelines and servers need tensorflow"
        return Check("legacy Keras", "warn", found, "unset KERAS_BACKEND")
    version = _version("tf_keras")
    if version is None:
        return Check("legacy Keras", "ok", "no tf_keras (Keras 2)")
    found = (
        f"tf_keras {version} (TFX brings it): importing Transform turns tf.keras into Keras 2, so write `import keras`"
    )
    return Check("legacy Keras", "ok", found)


def check_dill() -> Check:
    """TFX imports dill, which Beam no longer brings."""
    version = _version("dill")
    if version is None:
        return Check("dill", "fail", "not installed; TFX imports it and Beam no longer brings it", "make setup")
    return Check("dill", "ok", version)


def check_disk(root: str | Path) -> Check:
    """Runs can be written under the root, and have room."""
    folder = Path(root).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        return Check("disk", "fail", f"{folder} is a file", "ann run --root FOLDER")
    if not os.access(folder, os.W_OK):
        return Check("disk", "fail", f"{folder} is not writable", "ann run --root FOLDER")
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free at {folder}"
    remedy = "free some, or: ann run --root FOLDER on another disk"
    if free < FREE_GB_FAIL:
        return Check("disk", "fail", found, remedy)
    return Check("disk", "warn", found, remedy) if free < FREE_GB_WARN else Check("disk", "ok", found)


def check_model_server() -> Check:
    """The real TensorFlow Serving, which `ann serve` prefers."""
    path = shutil.which("tensorflow_model_server")
    if path:
        return Check("tensorflow_model_server", "ok", path)
    return Check(
        "tensorflow_model_server",
        "warn",
        "not on PATH; `ann serve` starts the embedded server instead",
        "apt-get install tensorflow-model-server (from TensorFlow Serving's apt repository)",
    )


def check_docker() -> Check:
    """A Docker client, and an engine that answers it. Only `make image` needs them."""
    if shutil.which("docker") is None:
        return Check("Docker", "warn", "no client; only `make image` needs it", "apt-get install docker.io")
    command = ["docker", "info", "--format", "{{.ServerVersion}}"]
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=DOCKER_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        found = f"the engine did not answer in {DOCKER_TIMEOUT_SECONDS} s; only `make image` needs it"
        return Check("Docker", "warn", found, "systemctl restart docker")
    except OSError as error:
        return Check("Docker", "warn", f"the client does not run: {error}", "apt-get install --reinstall docker.io")
    version = answer.stdout.strip()
    if answer.returncode == 0 and version:
        return Check("Docker", "ok", f"engine {version}")
    return Check(
        "Docker", "warn", "client only, no engine answers; only `make image` needs it", "systemctl start docker"
    )


def check_kfp() -> Check:
    """The Kubeflow Pipelines SDK. Only `ann compile` needs it."""
    version = _version("kfp")
    if version is None:
        return Check("kfp", "warn", "not installed; only `ann compile` needs it", "make setup")
    if Version(version) < Version("2"):
        return Check("kfp", "warn", f"{version}; `ann compile` needs >= 2", "make setup")
    return Check("kfp", "ok", version)


def check_chromium() -> Check:
    """The browser that the report's tests look through."""
    path = shutil.which("chromium")
    if path:
        return Check("chromium", "ok", path)
    return Check("chromium", "warn", "not on PATH; only the report's browser tests need it", "apt-get install chromium")


def render(found: list[Check], console: Console) -> None:
    """Prints the findings as a table, and what to do about those that are not "ok"."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "remedy"):
        table.add_column(heading, overflow="fold")
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    for check in found:
        status = f"[{colours[check.status]}]{check.status}[/]"
        table.add_row(status, check.name, escape(check.found), escape(check.remedy))
    console.print(table)


def main(root: str | Path = "./ann-runs", as_json: bool = False) -> int:
    """Prints the findings, as a table or as one JSON document.

    Returns:
        The exit code: 1 when a check failed, else 0.
    """
    found = checks(root)
    failed = any(check.status == "fail" for check in found)
    if as_json:
        document = {"ok": not failed, "checks": [dataclasses.asdict(check) for check in found]}
        print(json.dumps(document, indent=2))
    else:
        render(found, Console())
    return int(failed)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements(name: str) -> list[Requirement]:
    """What an installed package requires here, its extras left aside; nothing for one that is not installed."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    requirements = [Requirement(line) for line in lines]
    return [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
