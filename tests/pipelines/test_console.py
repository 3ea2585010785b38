"""What reaches the terminal, and what does not."""

from __future__ import annotations

import io
import itertools
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import console, exits
from pipelines.console import Lines


def identity(fd: int) -> tuple[int, int]:
    return os.fstat(fd).st_dev, os.fstat(fd).st_ino


NOISE = """
import contextlib, os, sys
from pathlib import Path
from pipelines import console
with console.noise_to(Path(sys.argv[1]) if sys.argv[1] else None) as (out, err):
    with contextlib.suppress(OSError):
        print("from Python")
    os.system("echo from a child; echo warning >&2")
    out.write("an answer\\n")
    err.write("a line\\n")
print("after")
"""


def run_noise(log: str) -> tuple[int, str, str]:
    """In a process of its own, whose streams are those of a terminal and not pytest's."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run([sys.executable, "-c", NOISE, log], capture_output=True, text=True, env=environment)
    return ended.returncode, ended.stdout, ended.stderr


def test_noise_goes_to_the_file_and_answers_to_the_terminal(tmp_path: Path) -> None:
    assert run_noise(str(tmp_path / "log")) == (0, "an answer\nafter\n", "a line\n")
    assert sorted((tmp_path / "log").read_text().splitlines()) == ["from Python", "from a child", "warning"]


def test_noise_is_thrown_away_without_a_file() -> None:
    assert run_noise("") == (0, "an answer\nafter\n", "a line\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_on_a_full_disk_harms_nobody() -> None:
    assert run_noise("/dev/full") == (0, "an answer\nafter\n", "a line\n")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_gives_the_streams_back(error: type[BaseException], tmp_path: Path) -> None:
    before = [identity(fd) for fd in (1, 2)], set(os.listdir("/proc/self/fd"))
    with pytest.raises(error), console.noise_to(tmp_path / "log"):
        raise error
    assert ([identity(fd) for fd in (1, 2)], set(os.listdir("/proc/self/fd"))) == before


def test_without_a_terminal_there_is_a_line_for_each_end() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.start("Trainer", "learning_rate 0.001 -> 0.01")
    lines.detail("epoch 1/2, step 3/9")
    lines.detail("epoch 1/2  loss 0.5")
    lines.finish("Trainer", 1.25, reused=False)
    with lines.within("fold 1/3 "):
        lines.finish("Evaluator", 0.1, reused=True)
    lines.start("Pusher", "first run")
    lines.fail("Pusher", 0.0)
    assert stream.getvalue().splitlines() == [
        "  epoch 1/2  loss 0.5",
        "Trainer                   1.2 s  ran (learning_rate 0.001 -> 0.01)",
        "fold 1/3 Evaluator        0.1 s  reused",
        "Pusher                    0.0 s  failed",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_line_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    lines = Lines(stream)
    lines.start("Trainer", "first run")
    time.sleep(0.6)
    lines.detail("epoch 3/9  loss 0.1234")
    time.sleep(0.6)
    lines.finish("Trainer", 1.2, reused=False)
    shown = stream.getvalue()
    assert len(set(re.findall(r"(\d\.\d) s", shown))) >= 3
    assert "epoch 3/9  loss 0.1234" in shown
    assert "ran (first run)" in shown.splitlines()[-1]


def chain(*errors: BaseException) -> BaseException:
    for error, cause in itertools.pairwise(errors):
        error.__cause__ = cause
    return errors[0]


def test_the_essence_of_a_failure() -> None:
    from ann_keras.datasets.base import DatasetError

    failed = exits.ComponentError("Trainer failed")
    assert exits.essence(chain(failed, RuntimeError("wrapped"), OSError(28, "No space left on device"))) == (
        "Trainer failed: [Errno 28] No space left on device"
    )
    # What was raised to be read is not hidden by what it came from.
    assert exits.essence(chain(failed, DatasetError("cat/1.jpg is broken"), KeyError("x"))) == (
        "Trainer failed: cat/1.jpg is broken"
    )
    assert exits.essence(KeyError("x")) == "KeyError: 'x'"
    assert exits.essence(ValueError()) == "ValueError"
    assert exits.essence(ValueError("bad [while running 'Write']")) == "bad"
    beam = "Traceback (most recent call last):\n  File 'a.py', line 1\nValueError: two\nlines [while running 'x']\n"
    assert exits.essence(RuntimeError(beam)) == "ValueError: two"
    graph = "Graph execution error:\n\nDetected at node decode defined at:\n  File x\nNode: 'decode'\nNot an image"
    assert exits.essence(RuntimeError(graph)) == "Not an image"
    assert len(exits.essence(ValueError("x" * 5000))) < 700
