"""Setting up: the lock, and tools/setup_env in made-up environments, with a uv and Pythons that only pretend."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")

UV = """
echo "$@" >>"$UV_CALLS"
case "$1 $2" in
  "--version ") echo "uv 0.13.0" ;;
  "venv --quiet") mkdir -p .venv/bin && cp "$FAKE_PYTHON" .venv/bin/python ;;
  "python find") exit 2 ;;
  "python install") echo "error: Failed to install cpython-3.10" >&2; exit 1 ;;
  "pip sync") [ -z "$UV_ERROR" ] || { echo "error: $UV_ERROR" >&2; exit 1; } ;;
esac
"""


def executable(path: Path, script: str) -> Path:
    """Writes a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def python(path: Path, version: str) -> Path:
    """A Python that answers the two questions that are asked of it: its version, and where it really is."""
    return executable(path, f'case "$2" in *version_info*) echo {version} ;; *) echo "$0" ;; esac')


class Machine:
    """A folder with a copy of the checkout's set-up files, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.bin, self.home = folder / "checkout", folder / "bin", folder / "home"
        for file in ("requirements.lock", "setup.py", "tools/setup_env", "Makefile"):
            (self.checkout / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / file, self.checkout / file)
        self.home.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        executable(self.bin / "uv", UV)
        # Nothing of the machine that runs the tests: no Python, no pyenv, a glibc as it is told.
        tools = "bash env cat cksum tr mkdir flock sort head tail awk sed grep df dirname rm cp touch ln sh make uname"
        for tool in tools.split():
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.glibc("2.36")
        self.environ = {
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "UV_CALLS": str(self.calls),
            "UV_ERROR": "",
            "FAKE_PYTHON": str(python(folder / "pretended", "3.10")),
        }

    def glibc(self, version: str) -> None:
        executable(self.bin / "getconf", f"echo glibc {version}")

    def setup(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.checkout / "tools" / "setup_env"), *arguments],
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def interpreter(self) -> str:
        """Which Python .venv was made with."""
        return re.search(r"^venv .*--python (\S+) \.venv$", self.calls.read_text(), re.M)[1]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_lock_names_no_address():
    assert re.findall(r"\w+://\S+|^\s*(?:-f|-i|--(?:extra-)?index-url|--find-links).*", LOCK, re.M) == []
    assert "/" not in "".join(line for line in LOCK.splitlines() if line.startswith("#"))


def test_every_locked_package_has_a_hash():
    entries = re.split(r"\n(?=[A-Za-z0-9])", LOCK)[1:]
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_covers_both_stacks_and_all_of_setup_py():
    assert re.search(r"^tfx==1\.16\.0 ; python_full_version < '3\.11'", LOCK, re.M)
    assert re.search(r"^tfx==1\.21\.\d+ ; python_full_version >= '3\.11'", LOCK, re.M)
    locked = {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.M)}
    wanted = {canonicalize_name(Requirement(line).name) for line in metadata.requires("ann-keras")}
    assert wanted - locked == set()


def test_a_pyenv_copy_is_found_behind_a_shim_that_refuses(machine):
    executable(machine.bin / "python3.10", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
    copy = python(machine.home / ".pyenv/versions/3.10.13/bin/python", "3.10")
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.interpreter() == str(copy)


def test_a_pyenv_root_elsewhere(machine, tmp_path):
    copy = python(tmp_path / "elsewhere/versions/3.10.1/bin/python", "3.10")
    executable(machine.bin / "pyenv", f"[ $1 = root ] && echo {tmp_path / 'elsewhere'}")
    assert machine.setup().returncode == 0
    assert machine.interpreter() == str(copy)


def test_a_second_setup_does_nothing_until_the_lock_changes(machine):
    python(machine.bin / "python3.10", "3.10")
    assert machine.setup().returncode == 0
    first = machine.calls.read_text()
    assert "--require-hashes --compile-bytecode requirements.lock" in first
    again = machine.setup(PATH=machine.environ["PATH"])
    assert (again.returncode, again.stderr, machine.calls.read_text()) == (0, "", first)
    with (machine.checkout / "requirements.lock").open("a") as file:
        file.write("# changed\n")
    assert machine.setup().returncode == 0
    assert len(machine.calls.read_text()) > len(first)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("No space left on device (os error 28)", "the disk is full"),
        ("error sending request: dns error", "check the network"),
        ("Hash mismatch for `tfx==1.16.0`", "does not match its hash"),
        ("tfx-bsl has no wheels with a matching platform tag", "has no wheel for this platform"),
        ("something else", "the whole log is .uv/log"),
    ],
)
def test_a_failing_install_says_what_to_do_and_is_tried_again(machine, error, advice):
    python(machine.bin / "python3.10", "3.10")
    done = machine.setup(UV_ERROR=error)
    assert done.returncode == 1
    assert advice in done.stderr
    assert error in done.stderr
    assert len(done.stderr.splitlines()) <= 4
    assert not list((machine.checkout / ".venv").glob(".installed-*"))
    assert machine.setup().returncode == 0


def test_an_interpreter_that_is_too_old_does_not_run_or_lacks_its_glibc(machine):
    for version, said in (("3.8", "3.10 or newer"), ("3.12", "glibc >= 2.39; this machine has 2.36")):
        chosen = python(machine.bin / f"python{version}", version)
        done = machine.setup(PYTHON=str(chosen))
        assert done.returncode == 1
        assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert "does not run" in machine.setup(PYTHON="nowhere").stderr
    machine.glibc("2.39")
    assert machine.setup(PYTHON="python3.12").returncode == 0
    assert machine.interpreter() == str(machine.bin / "python3.12")


def test_without_python_310_a_newer_one_serves_where_glibc_allows(machine):
    python(machine.bin / "python3", "3.13")
    done = machine.setup()
    assert done.returncode == 1
    assert "no Python 3.10 was found and uv could not download one" in done.stderr
    machine.glibc("2.41")
    done = machine.setup()
    assert done.returncode == 0
    assert "python3 is used instead" in done.stderr


def test_without_uv_pip_or_venv_it_says_so(machine):
    (machine.bin / "uv").unlink()
    executable(machine.bin / "python3", 'case "$2" in *version_info*) echo 3.10 ;; *) echo no >&2; exit 1 ;; esac')
    done = machine.setup()
    assert done.returncode == 1
    assert "needs a Python with pip or venv" in done.stderr


def test_image_without_an_engine_is_one_clear_line(machine):
    make = ["make", "-s", "image"]
    for script, said in ((None, "there is no docker command"), ("exit 1", "the Docker engine does not answer")):
        if script:
            executable(machine.bin / "docker", script)
        done = subprocess.run(
            make, cwd=machine.checkout, env=machine.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert said in done.stderr.splitlines()[0]
    executable(machine.bin / "docker", 'echo "$@"')
    make.append("IMAGE=registry/name:tag")
    done = subprocess.run(make, cwd=machine.checkout, env=machine.environ, capture_output=True, text=True, check=False)
    assert "build --tag registry/name:tag ." in done.stdout


def test_no_file_pins_python_for_pyenv():
    assert not (REPOSITORY / ".python-version").exists()
    assert not (REPOSITORY / "uv.lock").exists()


def test_scripts_are_executable():
    for script in ("tools/setup_env", "tools/demo", ".ci/run"):
        assert os.access(REPOSITORY / script, os.X_OK), script
