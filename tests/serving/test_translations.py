"""A served Transformer: text in, its translation out over both protocols, as the Evaluator judges it."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ann_keras import registry
from ann_keras.task import Feature
from serving.client import Client, Translation, decode, encode
from serving.process import ModelServer
from tests import translations
from tests.ann_keras.examples import example
from tests.serving.peers import WAYS, opened

pytestmark = pytest.mark.slow
TEXTS = ("4 May 1999", "5.6.2003", "the third of July 2010", "May", "12/31/98")


@pytest.fixture(scope="module")
def base() -> Path:
    """The base path."""
    return translations.root() / "serving" / "transformer"


@pytest.fixture(scope="module")
def served(base: Path) -> Iterator[ModelServer]:
    """An embedded server of it."""
    with ModelServer({"transformer": base}, embedded=True) as running:
        yield running


@pytest.fixture(scope="module")
def judged(base: Path) -> list[str]:
    """What the Evaluator is told of the translations of TEXTS."""
    task = registry.resolve("transformer").task
    rows = [{"source": text.encode(), "target": b"1999-05-04"} for text in TEXTS]
    serialized = tf.constant([example((*task.features, task.label), row) for row in rows])
    found = tf.saved_model.load(str(base / "1")).signatures["evaluate"](examples=serialized)
    return [text.decode() for text in found["translation"].numpy()]


def predicted(client: Any, texts: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.predict({"source": list(texts)})
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_served_translation_is_the_one_that_is_judged(way: str, served: ModelServer, judged: list[str]) -> None:
    with opened(way, served, "transformer") as client:
        answers = decode({}, client.predict(encode((Feature("source", "text"),), TEXTS)))
    assert [str(one) for one in answers] == judged
    for answer in answers:
        assert isinstance(answer, Translation)
        assert answer.text == answer.candidates[0][0] and len(answer.candidates) == 3
        scores = [score for _, score in answer.candidates]
        assert scores == sorted(scores, reverse=True) and scores[0] < 0
        assert answer.source_tokens[-1] == "<eos>"
        np.testing.assert_allclose(answer.alignment.sum(axis=1), 1, atol=1e-5)
    assert len({answer.source_tokens for answer in answers if isinstance(answer, Translation)}) == len(TEXTS)


def test_texts_of_any_kind_are_answered_alike_over_both_protocols(served: ModelServer) -> None:
    found = []
    for way in WAYS[:2]:
        with opened(way, served, "transformer") as client:
            found.append(predicted(client, translations.TEXTS))
    rest, grpc = found
    for name in ("translation", "candidates", "tokens", "source_tokens"):
        assert rest[name] == grpc[name]
    np.testing.assert_allclose(rest["scores"], grpc["scores"], atol=1e-5)
    assert [bool(text) for text in rest["translation"][1:3]] == [False, False]
    assert rest["source_tokens"][1][:2] == ["<eos>", ""]
    assert rest["source_tokens"][6][-1] == "<eos>" and len(rest["source_tokens"][6]) == translations.LENGTH
    with Client(served.rest_url, "transformer") as client:
        normalised = "3 \ufffd\ufffd \ufffd( June 2004"
        assert (
            predicted(client, [translations.TEXTS[5], normalised])["source_tokens"][0]
            == (predicted(client, [normalised])["source_tokens"][0])
        )


def test_rest_answers_with_text_and_takes_bytes_as_base64(served: ModelServer) -> None:
    instances = [{"source": "4 May 1999"}, {"source": {"b64": base64.b64encode(b"4 \xff1999").decode()}}]
    url = f"{served.rest_url}/v1/models/transformer:predict"
    request = urllib.request.Request(url, json.dumps({"instances": instances}).encode())
    with urllib.request.urlopen(request) as answer:
        first, second = json.load(answer)["predictions"]
    assert isinstance(first["translation"], str) and first["candidates"][0] == first["translation"]
    assert all(isinstance(token, str) for row in (first, second) for token in row["source_tokens"])
    assert np.shape(first["alignment"]) == (len(first["tokens"]), len(first["source_tokens"]))


@pytest.fixture(scope="module")
def batching(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """A server that merges requests into batches of 4, and parts larger ones."""
    parameters = tmp_path_factory.mktemp("batching") / "parameters.txt"
    parameters.write_text(
        "max_batch_size { value: 8 } max_execution_batch_size { value: 4 } batch_timeout_micros { value: 1000000 } "
        "enable_large_batch_splitting { value: true }"
    )
    flags = ["--enable_batching=true", f"--batching_parameters_file={parameters}"]
    with ModelServer({"transformer": base}, embedded=True, flags=flags) as running:
        yield running


@pytest.mark.parametrize("way", WAYS[:2])
def test_requests_that_share_a_batch_are_answered_as_by_themselves(
    way: str, served: ModelServer, batching: ModelServer
) -> None:
    with opened(way, served, "transformer") as client:
        alone: list[Any] = [decode({}, predicted(client, [text]))[0] for text in TEXTS[:4]]
    with opened(way, batching, "transformer") as client, ThreadPoolExecutor(4) as pool:
        client.metadata()
        columns = list(pool.map(lambda text: predicted(client, [text]), TEXTS[:4]))
    # All are as wide as the longest: they were one batch.
    assert len({len(one["source_tokens"][0]) for one in columns}) == 1
    for one, expected in zip(columns, alone, strict=True):
        (answer,) = decode({}, one)
        assert isinstance(answer, Translation)
        assert (answer.text, answer.tokens, answer.source_tokens) == (
            expected.text,
            expected.tokens,
            expected.source_tokens,
        )
        np.testing.assert_allclose(answer.alignment, expected.alignment, atol=1e-5)
        np.testing.assert_allclose(
            [score for _, score in answer.candidates], [score for _, score in expected.candidates], atol=1e-4
        )


def test_a_large_request_is_answered_in_parts(served: ModelServer, batching: ModelServer) -> None:
    whole, parts = (
        predicted(Client(server.grpc_address, "transformer", grpc=True), TEXTS) for server in (served, batching)
    )
    for name in ("translation", "source_tokens"):
        assert parts[name] == whole[name]
    np.testing.assert_allclose(parts["scores"], whole["scores"], atol=1e-4)
