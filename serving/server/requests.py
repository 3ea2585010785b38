"""What both APIs do with every request: count it, and keep large ones from holding up the event loop."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

import numpy as np

from serving.errors import Code, ServingError
from serving.server.models import ModelManager
from serving.server.monitoring import Metrics

SMALL_BYTES = 64 << 10
"""A body up to here is read and written on the event loop, which is quicker than handing it to a thread."""

_Result = TypeVar("_Result")


class Watch:
    """One request, from its arrival to its answer.

    Args:
        models: what is served.
        metrics: where the request is counted, if anywhere.
        entry: "GRPC" or "REST".
    """

    def __init__(self, models: ModelManager, metrics: Metrics | None, entry: str) -> None:
        self._models, self._metrics, self._entry = models, metrics, entry
        self._begun = time.perf_counter()
        self._api = self._model = ""

    def means(self, api: str, model: str) -> None:
        """Says what the request asks for: "Predict", "Classify", "Regress" or "MultiInference", and of which model."""
        self._api, self._model = api, model

    def done(self, code: Code) -> None:
        """Counts the request, if it is for a model that is served: metrics are not labelled with what clients send."""
        if self._metrics is not None and self._api and self._model in self._models:
            seconds = time.perf_counter() - self._begun
            self._metrics.observe(self._api, self._model, code, seconds, self._entry)


def as_serving_error(error: Exception) -> ServingError:
    """Returns what to answer for an exception; one that nobody expected is shown on stderr."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, RecursionError):
        return ServingError(Code.INVALID_ARGUMENT, "the request is nested too deeply")
    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    first_line = str(error).partition("\n")[0]
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {first_line}")


async def off_loop(pool: Executor, size: int, function: Callable[..., _Result], *args: Any) -> _Result:
    """Calls a function here where it has little to do, else in a worker thread.

    Args:
        pool: the worker threads.
        size: bytes that the function reads or writes.
        function: what to call.
        args: its arguments.
    """
    if size <= SMALL_BYTES:
        return function(*args)
    return await asyncio.get_running_loop().run_in_executor(pool, function, *args)


def size_of(arrays: Mapping[str, np.ndarray]) -> int:
    """Returns the bytes that arrays hold, those of their strings included."""
    return sum(
        sum(map(len, array.reshape(-1).tolist())) + array.nbytes if array.dtype == object else array.nbytes
        for array in arrays.values()
    )
