"""Gives memory back to the system after large requests, where the C library is glibc.

glibc keeps what was freed in the arenas of its threads, and lets blocks grow large before it takes them from the system
one by one. A server that once was sent 100 MB would hold on to that for good.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import threading
import time
from typing import Any

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_ARENAS = 2
_LARGE_BLOCK = 1 << 20
LARGE_REQUEST_BYTES = 1 << 20
"""A request of this size or more is followed by a trim."""
_SECONDS_BETWEEN = 1.0


@functools.cache
def _library() -> Any:
    """Returns glibc, None where the C library is another."""
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


def tune() -> None:
    """Makes glibc take large blocks from the system one by one, and share few arenas. Called before threads start."""
    library = _library()
    if library is not None:
        library.mallopt(_M_ARENA_MAX, _ARENAS)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


class Trimmer:
    """Trims in a thread of its own a moment after the last of some large requests, so that none waits for it."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, size: int) -> None:
        """Takes note of a request that has been answered; `size` in bytes."""
        if size < LARGE_REQUEST_BYTES or _library() is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trim", daemon=True)
            self._thread.start()
        self._asked.set()

    def _run(self) -> None:
        while self._asked.wait():
            time.sleep(_SECONDS_BETWEEN)
            self._asked.clear()
            gc.collect()  # what a failed request left behind
            _library().malloc_trim(0)
