"""What a person sees of a run: one live line per component; everything else goes to a log file."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text


@contextlib.contextmanager
def noise_to(path: Path | None, keep_stdout: bool = True) -> Iterator[tuple[TextIO, TextIO]]:
    """Sends what libraries write to standard output and error, in Python or in C++, to a file.

    Args:
        path: the file; None throws it away.
        keep_stdout: unused output streams are given back as they were in any case; False also silences Python's warnings.

    Yields:
        the true standard output and error.
    """
    target: Path | str = os.devnull if path is None else path
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with open(target, "a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    out, err = (os.fdopen(os.dup(fd), "w", encoding="utf-8") for fd in saved)
    try:
        with warnings.catch_warnings():
            yield out, err
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        out.close()
        err.close()
        for number, fd in zip((1, 2), saved, strict=True):
            os.dup2(fd, number)
            os.close(fd)


class Lines:
    """A listener that keeps one live line for the component that runs, and leaves one for each that ended.

    Args:
        stream: where it writes; on anything but a terminal, lines appear as components begin and end, and epochs as they end.
        prefix: stands before every component's name.
    """

    def __init__(self, stream: TextIO, prefix: str = "") -> None:
        self.console = Console(file=stream, highlight=False, soft_wrap=True)
        self.prefix = prefix
        self._live: Live | None = None
        self._node = self._why = ""

    def say(self, text: str, style: str = "") -> None:
        """Leaves a line."""
        self.console.print(Text(text, style=style))

    def start(self, node: str, why: str) -> None:
        """A component begins, since the cache could not answer."""
        self._node, self._why = node, why
        if self.console.is_terminal:
            self._live = Live(self._line("...", why), console=self.console, refresh_per_second=4, transient=True)
            self._live.start()

    def detail(self, text: str) -> None:
        """What the component is at."""
        if self._live is not None:
            self._live.update(self._line("...", text))
        elif ", step " not in text:
            self.say(f"  {text}", "dim")

    def finish(self, node: str, seconds: float, reused: bool) -> None:
        """A component ended well."""
        self._stop()
        what = "reused" if reused else f"ran ({self._why})"
        self.console.print(self._line_of(node, f"{seconds:7.1f} s", what, "dim" if reused else "green"))

    def fail(self, node: str, seconds: float) -> None:
        """A component raised."""
        self._stop()
        self.console.print(self._line_of(node, f"{seconds:7.1f} s", "failed", "bold red"))

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, seconds: str, text: str) -> Text:
        return self._line_of(self._node, f"{seconds:>9}", text, "cyan")

    def _line_of(self, node: str, seconds: str, text: str, style: str) -> Text:
        return Text.assemble((f"{self.prefix}{node:<22}", style), f"{seconds}  ", (text, "dim"))
