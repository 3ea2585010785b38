"""Batches: who shares one, when it runs, what it is padded to, and what becomes of a bad request in it."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import Code, ServingError
from serving.server.batching import Batcher, Parameters, run_batch
from serving.server.running import Runner
from serving.server.servable import Call


class Graph:
    """A stand-in for a servable: y = 2 x, and the batches that it was given. Refuses rows that hold -1."""

    def __init__(self) -> None:
        self.ran: list[np.ndarray] = []
        self.free = threading.Event()
        self.free.set()

    def execute(self, call: Call) -> dict[str, np.ndarray]:
        self.free.wait(20)
        ((_, x),) = call.feeds
        self.ran.append(x)
        if x.dtype != object and (x == -1).any():
            raise ServingError(Code.INVALID_ARGUMENT, "no -1 please")
        return {"y": x * 2 if x.dtype != object else x + x}


def call(values: Any, dtype: Any = np.float32) -> Call:
    return Call((("x", np.array(values, dtype)),), ("y",), ("y:0",), (("x:0",), ("y:0",)))


def answers(graph: Graph, calls: Sequence[Call], block: bool = True, **parameters: Any) -> list[Any]:
    """What a batcher makes of calls that arrive while a first one runs, errors included."""

    async def ask() -> list[Any]:
        batcher = Batcher(Parameters(**{"num_batch_threads": 1, **parameters}))
        if block:
            graph.free.clear()
            first = asyncio.ensure_future(batcher.run(graph, call([0.0])))  # type: ignore[arg-type]
            await asyncio.sleep(0.05)
        rest = asyncio.gather(*(batcher.run(graph, one) for one in calls), return_exceptions=True)  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        graph.free.set()
        found = await rest
        if block:
            await first
        batcher.close()
        return found

    return asyncio.run(ask())


def test_what_arrives_while_the_graph_is_busy_shares_its_next_run() -> None:
    graph = Graph()
    found = answers(graph, [call([1]), call([2, 3]), call([4])])
    assert [one["y"].tolist() for one in found] == [[2], [4, 6], [8]]
    assert [x.tolist() for x in graph.ran] == [[0], [1, 2, 3, 4]]


def test_what_arrives_at_once_shares_a_run_without_waiting() -> None:
    graph = Graph()
    answers(graph, [call([1]), call([2])], block=False)
    assert [x.tolist() for x in graph.ran] == [[1, 2]]


def test_full_batches() -> None:
    graph = Graph()
    answers(graph, [call([1, 2]), call([3, 4]), call([5]), call([6])], max_batch_size=4)
    assert [x.tolist() for x in graph.ran] == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_batch_waits_for_more_until_its_timeout() -> None:
    async def ask(graph: Graph) -> None:
        batcher = Batcher(Parameters(batch_timeout_micros=200_000, max_batch_size=3, num_batch_threads=2))
        one = asyncio.ensure_future(batcher.run(graph, call([1])))  # type: ignore[arg-type]
        await asyncio.sleep(0.03)
        assert graph.ran == []
        other = asyncio.ensure_future(batcher.run(graph, call([2])))  # type: ignore[arg-type]
        await asyncio.gather(one, other)
        assert [x.tolist() for x in graph.ran] == [[1, 2]]
        # A full batch does not wait.
        await asyncio.wait_for(batcher.run(graph, call([1, 2, 3])), 0.15)  # type: ignore[arg-type]
        batcher.close()

    asyncio.run(ask(Graph()))


def test_padding_to_the_allowed_sizes() -> None:
    graph = Graph()
    found = answers(
        graph, [call([1]), call([2, 3])], max_batch_size=4, allowed_batch_sizes=(2, 4), max_enqueued_batches=5
    )
    assert [one["y"].tolist() for one in found] == [[2], [4, 6]]
    assert [len(x) for x in graph.ran] == [2, 4]
    assert graph.ran[1][3] in (1, 2)  # a copy of a row that is there


def test_a_full_queue() -> None:
    graph = Graph()
    found = answers(graph, [call([1, 2]), call([3, 4]), call([5])], max_batch_size=2, max_enqueued_batches=2)
    assert [one["y"].tolist() for one in found[:2]] == [[2, 4], [6, 8]]
    assert isinstance(found[2], ServingError)
    assert found[2].code == Code.RESOURCE_EXHAUSTED
    assert found[2].http_status == 429
    assert "is full; currently 2 batches enqueued and max_enqueued_batches is 2" in found[2].message


def test_a_bad_request_takes_no_other_down() -> None:
    found = answers(Graph(), [call([1]), call([-1]), call([2])])
    assert found[0]["y"].tolist() == [2]
    assert isinstance(found[1], ServingError)
    assert found[2]["y"].tolist() == [4]


def test_other_types_shapes_and_versions_do_not_mix() -> None:
    graph = Graph()
    found = answers(graph, [call([1]), call([[1]]), call([2], np.int32), call([b"a"], object)])
    assert [one["y"].tolist() for one in found] == [[2], [[2]], [4], [b"aa"]]
    assert [x.shape for x in graph.ran] == [(1,), (1,), (1, 1), (1,), (1,)]


def test_variable_lengths_share_a_batch_where_they_may() -> None:
    graph = Graph()
    found = answers(graph, [call([[1]]), call([[2, 3]])], pad_variable_length_inputs=True)
    assert graph.ran[1].tolist() == [[1, 0], [2, 3]]
    assert [one["y"].tolist() for one in found] == [[[2, 0]], [[4, 6]]]


def test_requests_that_cannot_be_batched() -> None:
    two = Call((("a", np.zeros(2)), ("b", np.zeros(3))), ("y",), ("y:0",), "key")
    found = answers(Graph(), [call(1), two, call([1, 2, 3])], max_batch_size=2)
    assert all(isinstance(one, ServingError) and one.code == Code.INVALID_ARGUMENT for one in found)
    assert "must have at least one dimension" in found[0].message
    assert "must have equal 0th-dimension size" in found[1].message
    assert found[2].message == "Task size 3 is larger than maximum input batch size 2"


def test_large_requests_are_split() -> None:
    graph = Graph()
    split = {"enable_large_batch_splitting": True, "max_batch_size": 10, "max_execution_batch_size": 2}
    found = answers(graph, [call([1, 2, 3, 4, 5]), call(range(11))], **split)
    assert found[0]["y"].tolist() == [2, 4, 6, 8, 10]
    assert isinstance(found[1], ServingError)
    assert [len(x) for x in graph.ran] == [1, 2, 2, 1]


def test_an_output_without_a_row_for_each_input() -> None:
    class Sum(Graph):
        def execute(self, call: Call) -> dict[str, np.ndarray]:
            return {"y": np.array(call.feeds[0][1].sum())}

    summed = run_batch(Sum(), [call([1, 2]), call([3])], ())  # type: ignore[arg-type]
    assert [one["y"].tolist() for one in summed] == [3, 3]  # type: ignore[index]  # each by itself
    (refused,) = run_batch(Sum(), [call([1])], (2,))  # type: ignore[arg-type]
    assert isinstance(refused, ServingError)
    assert refused.code == Code.FAILED_PRECONDITION


def test_a_client_that_left_is_not_run() -> None:
    async def ask(graph: Graph) -> None:
        batcher = Batcher(Parameters(num_batch_threads=1))
        graph.free.clear()
        first = asyncio.ensure_future(batcher.run(graph, call([0])))  # type: ignore[arg-type]
        await asyncio.sleep(0.03)
        gone = asyncio.ensure_future(batcher.run(graph, call([1])))  # type: ignore[arg-type]
        stays = asyncio.ensure_future(batcher.run(graph, call([2])))  # type: ignore[arg-type]
        await asyncio.sleep(0.03)
        gone.cancel()
        graph.free.set()
        await asyncio.gather(first, stays)
        assert [x.tolist() for x in graph.ran] == [[0], [2]]
        batcher.close()

    asyncio.run(ask(Graph()))


@given(st.lists(st.lists(st.integers(0, 100), max_size=6), min_size=1, max_size=8), st.sampled_from([(), (3, 64)]))
def test_answers_are_those_of_each_request_alone(requests: list[list[int]], allowed: tuple[int, ...]) -> None:
    found = run_batch(Graph(), [call(rows) for rows in requests], allowed)  # type: ignore[arg-type]
    assert [one["y"].tolist() for one in found] == [[2 * x for x in rows] for rows in requests]  # type: ignore[index]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be positive; was 0"),
        ({"num_batch_threads": -1}, "num_batch_threads must be positive; was -1"),
        ({"batch_timeout_micros": -5}, "batch_timeout_micros must be non-negative; was -5"),
        ({"max_batch_size": 8, "allowed_batch_sizes": (4, 2, 8)}, "must be positive and increasing"),
        ({"max_batch_size": 8, "allowed_batch_sizes": (2, 4)}, "must match max_batch_size 8; was 4"),
    ],
)
def test_wrong_parameters_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ServingError, match=message) as raised:
        Parameters(**wrong)
    assert raised.value.code == Code.INVALID_ARGUMENT


def test_without_batching_each_request_runs_by_itself() -> None:
    class Prepared(Graph):
        def prepare(self, name: str, inputs: Any, outputs: Any) -> Call:
            return call(inputs["x"])

    async def ask(graph: Prepared) -> list[Any]:
        with ThreadPoolExecutor(2) as pool:
            runner = Runner(pool)
            requests = [runner.run(graph, "", {"x": [n]}) for n in range(3)]  # type: ignore[arg-type, dict-item]
            return await asyncio.gather(*requests)

    graph = Prepared()
    assert [one["y"].tolist() for one in asyncio.run(ask(graph))] == [[0], [2], [4]]
    assert len(graph.ran) == 3


class Sequences(Graph):
    """Answers rows that are as long as the largest of their numbers, as a search of texts does."""

    def execute(self, call: Call) -> dict[str, np.ndarray]:
        ((_, x),) = call.feeds
        self.ran.append(x)
        answer = np.zeros((len(x), int(x.max())), np.float32)
        for row, length in zip(answer, x.astype(int).tolist(), strict=True):
            row[:length] = length
        return {"y": answer, "z": np.where(answer > 0, np.array(b"a", object), b"")}


def test_parts_whose_answers_differ_in_length_are_joined() -> None:
    graph = Sequences()
    splitting = {"max_batch_size": 8, "max_execution_batch_size": 2, "enable_large_batch_splitting": True}
    asked = dataclasses.replace(call([1, 2, 4, 3, 1]), outputs=("y", "z"))
    (found,) = answers(graph, [asked], block=False, **splitting)
    assert [x.tolist() for x in graph.ran] == [[1, 2], [4, 3], [1]]
    assert found["y"].tolist() == [[1, 0, 0, 0], [2, 2, 0, 0], [4, 4, 4, 4], [3, 3, 3, 0], [1, 0, 0, 0]]
    assert found["z"].tolist() == [
        [b"a", b"", b"", b""],
        [b"a", b"a", b"", b""],
        [b"a"] * 4,
        [b"a", b"a", b"a", b""],
        [b"a", b"", b"", b""],
    ]
