"""Large JSON bodies: the same answers and errors as small ones, from a process that comes and goes."""

import asyncio
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from serving.errors import Code, ServingError
from serving.process import ModelServer
from serving.server.large_bodies import Reader
from serving.server.memory import LARGE_REQUEST_BYTES
from tests.serving.test_server_rest import ask, predict

pytestmark = pytest.mark.slow

ROWS = 300_000


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_the_answer_to_a_large_request(server: ModelServer, key: str) -> None:
    body = json.dumps({key: [0.5] * ROWS}).encode()
    assert len(body) > LARGE_REQUEST_BYTES
    status, answer = predict(server, "half", body)
    assert status == 200
    assert answer[{"instances": "predictions", "inputs": "outputs"}[key]] == [2.25] * ROWS


@pytest.mark.parametrize(
    ("name", "body", "status", "message"),
    [
        ("half:predict", b'{"instances": [' + b"1," * ROWS * 2, 400, "JSON Parse error"),
        ("half:predict", b'{"instances": [' + b"1," * ROWS * 2 + b'"a"]}', 400, "is not of expected type: float"),
        ("nope:predict", b'{"instances": [' + b"1," * ROWS * 2 + b"1]}", 404, "Servable not found"),
        ("half:classify", b'{"examples": [' + b"{}," * ROWS * 2 + b"{}]}", 400, "signature method_name"),
    ],
)
def test_what_is_wrong_with_a_large_request(
    server: ModelServer, name: str, body: bytes, status: int, message: str
) -> None:
    found, answer = ask(server, "POST", f"/v1/models/{name}", body)
    assert found == status
    assert message in answer["error"]


def fail(text: str) -> None:
    raise ServingError(Code.NOT_FOUND, text)


def test_the_process_is_replaced_when_it_dies_and_ends_when_it_is_told_to() -> None:
    async def ask_it() -> list[int]:
        reader = Reader()
        first = await reader.run(os.getpid)
        assert await reader.run(os.getpid) == first != os.getpid()
        with pytest.raises(ServingError, match="NOT_FOUND: as it was raised"):
            await reader.run(fail, "as it was raised")
        with pytest.raises(ServingError, match="the process that reads large ones has ended") as raised:
            await reader.run(os.kill, first, signal.SIGKILL)
        assert raised.value.code == Code.RESOURCE_EXHAUSTED
        second = await reader.run(os.getpid)
        array = np.array([b"a", b"b"], object)
        assert (await reader.run(np.flip, array)).tolist() == [b"b", b"a"]
        reader.close()
        for _ in range(200):
            if not Path(f"/proc/{second}").exists():
                break
            await asyncio.sleep(0.05)
        return [first, second]

    assert not any(Path(f"/proc/{pid}").exists() for pid in asyncio.run(ask_it()))
