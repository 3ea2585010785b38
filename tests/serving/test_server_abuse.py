"""A thousand malformed requests: the server answers each as TF Serving would, and goes on answering good ones."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import serving_abuse
from benchmarks.serving.abuse import grpc, rest
from benchmarks.serving.abuse.attack import Attacker
from benchmarks.serving.models import HALF
from serving.client import Client
from serving.process import ModelServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def half_plus_two(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server of one model; the attacks on the other one find no such model."""
    base_path = tmp_path_factory.mktemp("abused") / HALF
    shutil.copytree(saved_models / "half" / "1", base_path / "1")
    with ModelServer({HALF: base_path}, embedded=True, poll_seconds=0.1) as server:
        yield server


def attacked(server: ModelServer, attacks: object, at_once: int = 16) -> Attacker:
    attacker = Attacker(server.rest_url.removeprefix("http://"), server.grpc_address)
    asyncio.run(attacker.run(attacks, at_once))  # type: ignore[arg-type]
    return attacker


def assert_serves(server: ModelServer) -> None:
    assert server.process is not None
    assert server.process.poll() is None, server.log_tail()
    for grpc_too in (False, True):
        with Client(server.grpc_address if grpc_too else server.rest_url, HALF, grpc=grpc_too) as client:
            np.testing.assert_array_equal(client.predict({"x": [2.0, 4.0]})["y"], [3.0, 4.0])


def test_small_and_slow_attacks(half_plus_two: ModelServer) -> None:
    attacker = attacked(half_plus_two, serving_abuse.attacks(1000, seed=7))
    tally = attacker.tally
    assert sum(sum(kind.values()) for kind in tally.outcomes.values()) == 1000
    assert not tally.bad, "\n".join(tally.lines())
    assert_serves(half_plus_two)


def test_slow_senders_hold_nobody_up(half_plus_two: ModelServer) -> None:
    rng = random.Random(0)

    async def attack_and_ask() -> Attacker:
        attacker = Attacker(half_plus_two.rest_url.removeprefix("http://"), half_plus_two.grpc_address)
        slow = [port.slow(rng) for port in (rest, grpc) for _ in range(30)]
        attacking = asyncio.create_task(attacker.run(slow))
        await asyncio.sleep(0.5)
        await asyncio.get_running_loop().run_in_executor(None, assert_serves, half_plus_two)
        assert not attacking.done()
        await attacking
        return attacker

    assert not asyncio.run(attack_and_ask()).tally.bad


def test_large_bodies(half_plus_two: ModelServer) -> None:
    attacker = attacked(half_plus_two, serving_abuse.large(4), at_once=1)
    assert not attacker.tally.bad, "\n".join(attacker.tally.lines())
    assert_serves(half_plus_two)
