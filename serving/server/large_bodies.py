"""Large JSON bodies are read in a process of their own.

Python reads a document in one go, during which no other thread runs: 100 MB hold the interpreter for seconds, and leave
a heap full of holes. Another process holds up nobody, and gives back all that it took when it ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from serving.errors import Code, ServingError
from serving.server.memory import LARGE_REQUEST_BYTES

IDLE_SECONDS = 10.0
"""How long the process waits for more work before it ends."""
_DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG

_Result = TypeVar("_Result")


def is_large(body: bytes) -> bool:
    """Whether a body is read elsewhere."""
    return len(body) >= LARGE_REQUEST_BYTES


def _prepare() -> None:
    """Makes the process end with the server, however that ends, and leave Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


class Reader:
    """Calls functions in a process of its own, one at a time. For one event loop."""

    def __init__(self) -> None:
        self._processes: ProcessPoolExecutor | None = None
        self._calls = 0
        self._idle: asyncio.TimerHandle | None = None

    async def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """Returns what a function of a module returns, or raises what it raises.

        Raises:
            ServingError: RESOURCE_EXHAUSTED where the process was killed, for want of memory most likely.
        """
        loop = asyncio.get_running_loop()
        if self._idle is not None:
            self._idle.cancel()
        if self._processes is None:
            context = multiprocessing.get_context("spawn")
            self._processes = ProcessPoolExecutor(1, mp_context=context, initializer=_prepare)
        processes, self._calls = self._processes, self._calls + 1
        try:
            return await loop.run_in_executor(processes, function, *arguments)
        except BrokenProcessPool:
            if self._processes is processes:
                self._processes = None
            message = "the request could not be read: the process that reads large ones has ended"
            raise ServingError(Code.RESOURCE_EXHAUSTED, message) from None
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle = loop.call_later(IDLE_SECONDS, self.close)

    def close(self) -> None:
        """Ends the process."""
        processes, self._processes = self._processes, None
        if self._idle is not None:
            self._idle.cancel()
        if processes is not None:
            processes.shutdown(wait=False, cancel_futures=True)
