"""What a person sees of a run: one live line per component; everything else goes to a log file."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text


def figure(value: float) -> str:
    """A metric as it stands in a line: four decimals, and none from a thousand on."""
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e15 else f"{value:.4f}"


@contextlib.contextmanager
def noise_to(path: Path | None) -> Iterator[tuple[TextIO, TextIO]]:
    """Sends what libraries write to standard output and error, in Python or in C++, to a file.

    Args:
        path: the file, in a folder that exists; None throws it away.

    Yields:
        the true standard output and error.
    """
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(os.devnull if path is None else path, "ab", buffering=0))
        true = []
        for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            saved = os.dup(number)
            stack.callback(_give_back, stream, number, saved)
            true.append(stack.enter_context(os.fdopen(os.dup(saved), "w", encoding="utf-8", errors="replace")))
            os.dup2(log.fileno(), number)
        yield true[0], true[1]


def _give_back(stream: TextIO, number: int, saved: int) -> None:
    """Makes a file descriptor again what it was."""
    try:
        stream.flush()
    except OSError:
        # The log's disk is full. What the stream still holds must not appear on the terminal either.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        stream.flush()
    os.dup2(saved, number)
    os.close(saved)


class _Ticking:
    """A line whose time goes on while it is shown."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text
        self._started = time.monotonic()

    def __rich__(self) -> Text:
        line = _line(self.name, time.monotonic() - self._started, self.text, "cyan")
        line.no_wrap, line.overflow = True, "ellipsis"
        return line


class Lines:
    """A listener that keeps one live line for the component that runs, and leaves one for each that ended.

    Args:
        stream: where it writes; on anything but a terminal, lines appear as components end, and epochs as they end.
    """

    def __init__(self, stream: TextIO) -> None:
        self.console = Console(file=stream, highlight=False, soft_wrap=True)
        self._prefix = self._why = ""
        self._live: Live | None = None
        self._shown = _Ticking("", "")

    def say(self, text: str, style: str = "") -> None:
        """Leaves a line."""
        self.console.print(Text(text, style=style))

    @contextlib.contextmanager
    def within(self, prefix: str) -> Iterator[None]:
        """Puts `prefix` before the names of components."""
        self._prefix = prefix
        try:
            yield
        finally:
            self._prefix = ""

    @contextlib.contextmanager
    def component(self, name: str) -> Iterator[None]:
        """Shows the live line of something that is no component of a pipeline, and leaves none."""
        self.start(name, "")
        try:
            yield
        finally:
            self._stop()

    def start(self, node: str, why: str) -> None:
        """A component begins, since the cache could not answer."""
        self._why = why
        self._shown = _Ticking(self._prefix + node, why)
        if self.console.is_terminal:
            self._live = Live(self._shown, console=self.console, refresh_per_second=4, transient=True)
            self._live.start()

    def detail(self, text: str) -> None:
        """What the component is at."""
        if self._live is not None:
            self._shown.text = text
        elif ", step " not in text:
            self.say(f"  {text}", "dim")

    def finish(self, node: str, seconds: float, reused: bool) -> None:
        """A component ended well."""
        self._stop()
        what = "reused" if reused else f"ran ({self._why})"
        self.console.print(_line(self._prefix + node, seconds, what, "dim" if reused else "green"))

    def fail(self, node: str, seconds: float) -> None:
        """A component raised."""
        self._stop()
        self.console.print(_line(self._prefix + node, seconds, "failed", "bold red"))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _line(name: str, seconds: float, text: str, style: str) -> Text:
    return Text.assemble((f"{name:<22}", style), f"{seconds:7.1f} s  ", (text, "dim"))
