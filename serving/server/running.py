"""Running signatures from the event loop: each TensorFlow call in a worker thread, or in a batch with others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import numpy as np

from serving.server.batching import Batcher, Parameters
from serving.server.servable import Call, Servable


class Runner:
    """The one way in to a model's graph.

    Args:
        workers: where TensorFlow runs what is not batched.
        batching: how requests are merged; None runs each by itself.
    """

    def __init__(self, workers: Executor, batching: Parameters | None = None) -> None:
        self._workers = workers
        self._batcher = None if batching is None else Batcher(batching)

    async def run(
        self, servable: Servable, signature_name: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Runs a signature; see `Servable.run`.

        Raises:
            ServingError: where the request does not fit the signature, the graph fails, or a queue is full.
        """
        return await self.execute(servable, servable.prepare(signature_name, inputs, outputs))

    async def execute(self, servable: Servable, call: Call) -> dict[str, np.ndarray]:
        """Runs what `Servable.prepare` has checked."""
        if self._batcher is not None:
            return await self._batcher.run(servable, call)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, servable.execute, call)

    def close(self) -> None:
        """Ends the batching threads once their queues are empty."""
        if self._batcher is not None:
            self._batcher.close()
