"""Served models: an mlp that knows the digits, a SavedModel without a description, and two models of a table."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from aiohttp import web

from serving.playground.app import application
from serving.process import ModelServer
from tests import tables
from tests.browser import Browser, browser


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | None]:
    """Their base paths."""
    import keras
    import tensorflow as tf

    from ann_keras import data, registry, training
    from serving.export import export

    folder = tmp_path_factory.mktemp("serving")
    triple = registry.resolve("mlp", overrides={"units": 128, "depth": 2})
    loaded = data.load(triple)
    keras.utils.set_random_seed(0)
    model = training.build(triple)
    model.compile("adam", **triple.task.compile_args())
    model.fit(loaded.train.batches(64).repeat(20), shuffle=False, verbose=0)
    export(triple, model, loaded.transform, folder / "mlp" / "1")

    class Half(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x / 2 + 2}

    half = Half()
    tf.saved_model.save(half, str(folder / "half" / "1"), signatures={"serving_default": half.__call__})
    return {"mlp": str(folder / "mlp"), "half": str(folder / "half")}


@pytest.fixture(scope="session")
def rest_url(models: dict[str, str]) -> Iterator[str]:
    """The REST address of a server of both."""
    with ModelServer(models, embedded=True) as server:
        yield server.rest_url


@pytest.fixture(scope="session")
def table_models() -> dict[str, str | None]:
    """Their base paths: price answers a number with its interval, income one of three classes."""
    return {name: str(tables.root() / "serving" / name) for name in ("price", "income")}


@pytest.fixture(scope="session")
def table_rest_url(table_models: dict[str, str]) -> Iterator[str]:
    """The REST address of a server of both."""
    with ModelServer(table_models, embedded=True) as server:
        yield server.rest_url


@contextlib.contextmanager
def page_of(rest_url: str, models: Mapping[str, str | None]) -> Iterator[str]:
    """The page's address, served from a thread."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application(rest_url, models), shutdown_timeout=1)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    found = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield found
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Pictures and what they show."""
    from ann_keras.datasets.digits import DigitsShard

    folder = tmp_path_factory.mktemp("digits")
    found = []
    for number, row in enumerate(DigitsShard(0, 10).read()):
        path = folder / f"{number}.png"
        path.write_bytes(row.values["image"])
        found.append((path, str(row.values["label"])))
    return found
