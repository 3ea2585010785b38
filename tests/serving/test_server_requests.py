"""What both APIs do with every request."""

import asyncio
import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from serving.errors import Code, ServingError
from serving.server import requests
from serving.server.models import ModelManager
from serving.server.monitoring import Metrics
from serving.server.rest import RestApi
from serving.server.running import Runner


def counted(api: str, model: str, code: Code) -> list[str]:
    metrics = Metrics()
    watch = requests.Watch(cast("ModelManager", {"half"}), metrics, "REST")
    if api:
        watch.means(api, model)
    watch.done(code)
    page = metrics.exposition().decode().splitlines()
    return [line for line in page if line.startswith(":tensorflow:serving:request_count")]


def test_requests_for_models_that_are_served_are_counted() -> None:
    metric = ":tensorflow:serving:request_count"
    assert counted("Predict", "half", Code.OK) == [f'{metric}{{model_name="half",status="OK"}} 1']
    assert counted("Regress", "half", Code.NOT_FOUND) == [f'{metric}{{model_name="half",status="NOT_FOUND"}} 1']
    assert counted("Predict", "made up", Code.NOT_FOUND) == []
    assert counted("", "", Code.OK) == []


def test_what_is_large_goes_to_a_worker() -> None:
    async def names() -> list[str]:
        with ThreadPoolExecutor(1, thread_name_prefix="worker") as pool:
            sizes = (0, requests.SMALL_BYTES, requests.SMALL_BYTES + 1)
            return [await requests.off_loop(pool, size, lambda: threading.current_thread().name) for size in sizes]

    here, also_here, there = asyncio.run(names())
    assert here == also_here == threading.current_thread().name
    assert there.startswith("worker")


def test_sizes_count_the_strings() -> None:
    words = np.array([[b"ab", b"c"]], object)
    assert requests.size_of({"words": words, "numbers": np.zeros(3, np.int16)}) == 3 + words.nbytes + 6


@pytest.mark.parametrize(
    ("error", "code", "message", "is_shown"),
    [
        (ServingError(Code.ABORTED, "so"), Code.ABORTED, "so", False),
        (RecursionError("deep"), Code.INVALID_ARGUMENT, "the request is nested too deeply", False),
        (KeyError("a\nb"), Code.INTERNAL, r"KeyError: 'a\nb'", True),
        (ValueError("first\nsecond"), Code.INTERNAL, "ValueError: first", True),
    ],
)
def test_exceptions_become_one_line(
    capsys: pytest.CaptureFixture[str], error: Exception, code: Code, message: str, is_shown: bool
) -> None:
    found = requests.as_serving_error(error)
    assert (found.code, found.message) == (code, message)
    assert bool(capsys.readouterr().err) is is_shown


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (gzip.compress(bytes(10_000_000)), {"Content-Encoding": "gzip"}, 413),  # 10 kB become 10 MB
        (gzip.compress(b"{}"), {"Content-Encoding": "gzip"}, 404),  # it is read: there is no such model
        (bytes(1001), {}, 413),
        (bytes(10), {"Content-Length": "1001"}, 413),
        (b"{}", {}, 404),
    ],
    ids=["packed and too large", "packed", "too large", "says that it is too large", "small"],
)
def test_bodies_are_bounded_packed_or_not(body: bytes, headers: dict[str, str], status: int) -> None:
    async def answer() -> web.Response:
        protocol = BaseProtocol(asyncio.get_running_loop())
        payload = StreamReader(protocol, 1 << 16, loop=asyncio.get_running_loop())
        payload.feed_data(body)
        payload.feed_eof()
        request = make_mocked_request("POST", "/v1/models/half:predict", headers=headers, payload=payload)
        with ThreadPoolExecutor(1) as pool:
            api = RestApi(ModelManager(dict), Runner(pool), pool, max_body_bytes=1000)
            return await api.handle(request)

    response = asyncio.run(answer())
    assert response.status == status
    assert isinstance(response.body, bytes)
    assert list(json.loads(response.body)) == ["error"]
