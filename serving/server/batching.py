"""Dynamic batching: requests that arrive while the graph is busy share its next run.

What TF Serving's BatchingSession and SharedBatchScheduler do, with their parameters. Four things are kinder to those
who share a batch: requests of other dtypes or shapes get batches of their own instead of an error, a batch that the
graph refuses is run again request by request, so that a bad one takes no other down with it, the parts of a large
request may differ in the shape of their answers' rows, and the answer of a full queue is RESOURCE_EXHAUSTED.

Everything but the merged runs happens on the event loop, so nothing here is locked.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving.errors import Code, ServingError
from serving.server.servable import Call, Servable

Answer = dict[str, np.ndarray]


@dataclass(frozen=True)
class Parameters:
    """TF Serving's batching parameters, with its defaults.

    Attributes:
        max_batch_size: rows of a batch, and of a request.
        batch_timeout_micros: how long a batch that is not full waits for more rows, in microseconds.
        max_enqueued_batches: batches of one signature and version that may wait for a thread.
        num_batch_threads: batches that run at the same time.
        allowed_batch_sizes: sizes that batches are padded to; the last is max_batch_size (max_execution_batch_size
            where requests are split). Empty: any.
        pad_variable_length_inputs: requests whose rows differ in shape are padded with zeros and share a batch.
        enable_large_batch_splitting: requests of more than max_execution_batch_size rows are split, not refused.
        max_execution_batch_size: rows of a batch where requests are split; 0 for max_batch_size.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    @classmethod
    def of(cls, message: Any) -> Parameters:
        """Returns the parameters of a BatchingParameters message.

        Raises:
            ServingError: INVALID_ARGUMENT, naming the value that cannot be.
        """
        given: dict[str, Any] = {}
        for one in dataclasses.fields(cls):
            if one.name == "allowed_batch_sizes":
                given[one.name] = tuple(message.allowed_batch_sizes)
            elif one.type == "bool" and isinstance(getattr(message, one.name), bool):
                given[one.name] = getattr(message, one.name)
            elif message.HasField(one.name):
                given[one.name] = getattr(message, one.name).value
        return cls(**given)

    @property
    def rows(self) -> int:
        """The largest number of rows that run together."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise _invalid(f"{name} must be positive; was {getattr(self, name)}")
        if self.batch_timeout_micros < 0:
            raise _invalid(f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}")
        if self.rows > self.max_batch_size or self.rows < 1:
            raise _invalid(
                f"max_execution_batch_size must be from 1 to max_batch_size ({self.max_batch_size}); was {self.rows}"
            )
        sizes = self.allowed_batch_sizes
        if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1):
            raise _invalid(f"allowed_batch_sizes must be positive and increasing; were {list(sizes)}")
        if sizes and sizes[-1] != self.rows:
            raise _invalid(f"Last entry in allowed_batch_sizes must match max_batch_size {self.rows}; was {sizes[-1]}")


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"batching parameters: {message}")


@dataclass(eq=False)
class _Task:
    """One request, or a part of a large one."""

    call: Call
    rows: int
    answer: asyncio.Future[Answer]


class _Queue:
    """The batches of one signature and version that wait; the last one takes more rows."""

    def __init__(self, servable: Servable, since: float) -> None:
        self.servable = servable
        self.batches: deque[list[_Task]] = deque([[]])
        self.rows = 0  # of the last batch
        self.since = since  # when that batch got its first row

    def add(self, task: _Task, now: float, limit: int, batches: int) -> None:
        """Appends a request; RESOURCE_EXHAUSTED where `batches` of `limit` rows wait already."""
        if self.rows + task.rows > limit:
            if len(self.batches) >= batches:
                message = (
                    "The batch scheduling queue to which this task was submitted is full; currently "
                    f"{len(self.batches)} batches enqueued and max_enqueued_batches is {batches}"
                )
                raise ServingError(Code.RESOURCE_EXHAUSTED, message)
            self.batches.append([])
            self.rows = 0
        if not self.rows:
            self.since = now
        self.batches[-1].append(task)
        self.rows += task.rows

    def take(self) -> list[_Task]:
        """Removes the batch that waits longest."""
        taken = self.batches.popleft()
        if not self.batches:
            self.batches.append([])
            self.rows = 0
        return taken


class Batcher:
    """Merges calls into batches and runs those in threads of its own. For one event loop.

    Args:
        parameters: when a batch is full, how long it waits, and how many may wait and run.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._pool = ThreadPoolExecutor(parameters.num_batch_threads, thread_name_prefix="batch")
        self._queues: dict[Hashable, _Queue] = {}
        self._running = 0
        self._is_due = False  # a look at the queues is scheduled for this turn of the loop

    async def run(self, servable: Servable, call: Call) -> Answer:
        """Runs a call together with others of its kind.

        Raises:
            ServingError: INVALID_ARGUMENT for a call that has no rows to merge, or too many; RESOURCE_EXHAUSTED where
                the queue is full; the graph's own.
        """
        rows = _rows(call)
        limit = self._parameters.rows
        if rows <= limit:
            return await self._enqueue(servable, call, rows)
        if not self._parameters.enable_large_batch_splitting or rows > self._parameters.max_batch_size:
            most = self._parameters.max_batch_size
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Task size {rows} is larger than maximum input batch size {most}"
            )
        parts = [_part(call, at, min(at + limit, rows)) for at in range(0, rows, limit)]
        answers = await asyncio.gather(*(self._enqueue(servable, part, _rows(part)) for part in parts))
        # A sequence is as long as the longest of its part; one run would have made all as long as the longest.
        return {name: np.concatenate(_equally_shaped([one[name] for one in answers])) for name in call.outputs}

    def _enqueue(self, servable: Servable, call: Call, rows: int) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        task = _Task(call, rows, loop.create_future())
        key = (id(servable), call.key, tuple(self._shape(array) for _, array in call.feeds))
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue(servable, loop.time())
        queue.add(task, loop.time(), self._parameters.rows, self._parameters.max_enqueued_batches)
        if not self._is_due:  # what else arrives in this turn of the loop shares the batch
            self._is_due = True
            loop.call_soon(self._look)
        return task.answer

    def _shape(self, array: np.ndarray) -> Hashable:
        """What arrays of one batch have in common."""
        return (array.dtype, array.ndim if self._parameters.pad_variable_length_inputs else array.shape[1:])

    def _look(self) -> None:
        """Starts the batches that are full or have waited long enough, as far as there are threads."""
        self._is_due = False
        loop = asyncio.get_running_loop()
        for key, queue in list(self._queues.items()):
            while self._running < self._parameters.num_batch_threads and queue.batches[0]:
                is_last = len(queue.batches) == 1
                left = queue.since + self._parameters.batch_timeout_micros / 1e6 - loop.time()
                if is_last and queue.rows < self._parameters.rows and left > 0:
                    loop.call_later(left, self._look)
                    break
                self._start(queue.servable, queue.take())
            if not queue.batches[0]:
                del self._queues[key]
            else:  # the next look begins with the others
                self._queues[key] = self._queues.pop(key)

    def _start(self, servable: Servable, tasks: list[_Task]) -> None:
        tasks = [task for task in tasks if not task.answer.done()]  # the others' clients have gone
        if not tasks:
            return
        self._running += 1
        calls, sizes = [task.call for task in tasks], self._parameters.allowed_batch_sizes
        running = asyncio.get_running_loop().run_in_executor(self._pool, run_batch, servable, calls, sizes)
        running.add_done_callback(lambda done: self._finish(tasks, done))

    def _finish(self, tasks: list[_Task], done: asyncio.Future[list[Answer | ServingError]]) -> None:
        self._running -= 1
        error = done.exception()
        outcomes: Sequence[Answer | BaseException] = done.result() if error is None else [error] * len(tasks)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if task.answer.done():
                continue
            if isinstance(outcome, BaseException):
                task.answer.set_exception(outcome)
            else:
                task.answer.set_result(outcome)
        self._look()

    def close(self) -> None:
        """Ends the threads once what they run has ended."""
        self._pool.shutdown()


def _rows(call: Call) -> int:
    """Returns the size of the first dimension that all values of a call share."""
    if any(array.ndim == 0 for _, array in call.feeds):
        raise ServingError(Code.INVALID_ARGUMENT, "Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for _, array in call.feeds}
    if len(sizes) > 1:
        raise ServingError(Code.INVALID_ARGUMENT, "Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop() if sizes else 0


def _part(call: Call, start: int, end: int) -> Call:
    feeds = tuple((tensor, array[start:end]) for tensor, array in call.feeds)
    return dataclasses.replace(call, feeds=feeds)


def run_batch(servable: Servable, calls: Sequence[Call], allowed: Sequence[int]) -> list[Answer | ServingError]:
    """Runs calls of one kind as one, or each by itself where the graph refuses them together.

    Args:
        servable: whose graph they are for.
        calls: feed and fetch the same tensors; at least one.
        allowed: sizes that the batch is padded to, increasing.

    Returns:
        Each call's answer, or what was wrong with it.
    """
    sizes = [_rows(call) for call in calls]
    total = sum(sizes)
    size = next((one for one in allowed if one >= total), total) if total else 0
    try:
        merged = servable.execute(_merged(calls, size - total)) if len(calls) > 1 or size > total else None
        if merged is not None:
            return list(_split(merged, sizes, size))
        return [servable.execute(calls[0])]
    except ServingError as error:
        if len(calls) == 1:
            return [error]
        return [outcome for call in calls for outcome in run_batch(servable, [call], allowed)]


def _merged(calls: Sequence[Call], padding: int) -> Call:
    """Returns one call with the rows of all, and `padding` copies of one that is known to be valid."""
    feeds = []
    for position, (tensor, _) in enumerate(calls[0].feeds):
        arrays = [call.feeds[position][1] for call in calls]
        if padding:
            arrays += [next(array[:1] for array in arrays if len(array))] * padding
        feeds.append((tensor, np.concatenate(_equally_shaped(arrays))))
    return dataclasses.replace(calls[0], feeds=tuple(feeds))


def _equally_shaped(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Pads the dimensions after the first with zeros, or empty strings, to the largest of each."""
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) == 1:
        return arrays
    largest = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
    padded = []
    for array in arrays:
        whole = np.full((len(array), *largest), b"" if array.dtype == object else 0, array.dtype)
        whole[tuple(slice(size) for size in array.shape)] = array
        padded.append(whole)
    return padded


def _split(merged: Answer, sizes: Sequence[int], total: int) -> Iterable[Answer]:
    """Yields each call's rows of the answers; what is left over is padding."""
    for array in merged.values():
        if array.ndim == 0:
            raise ServingError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if len(array) != total:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                "tensors",
            )
    start = 0
    for size in sizes:
        yield {name: array[start : start + size] for name, array in merged.items()}
        start += size
