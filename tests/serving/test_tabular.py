"""A served model of a table, over both protocols: what is missing travels, and so do numbers with their intervals."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from serving.client import Number, decode, encode
from serving.columns import features_of
from serving.model_config import DESCRIPTION
from serving.process import ModelServer
from tests import tables
from tests.serving.peers import WAYS, opened

pytestmark = pytest.mark.slow
ROWS: list[dict[str, Any]] = [
    {"Fixed acidity": 7.4, "age": 39, "work class": "Private", "city": "Bonn"},
    {"fixed_acidity": 7.4, "city": "K\u00f6ln"},
    {"fixed_acidity": 6.0, "age": None, "Work class": None, "city": "never seen"},
]


@pytest.fixture(scope="module")
def tabular() -> Iterator[ModelServer]:
    """An embedded server of price and income."""
    base = tables.root() / "serving"
    with ModelServer({name: base / name for name in ("price", "income")}, embedded=True) as running:
        yield running


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    """The answers of the SavedModel itself, asked with NaN and empty texts."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(tables.root() / "serving" / "price" / "1"))
    found = loaded.signatures["serving_default"](
        fixed_acidity=tf.constant([7.4, 7.4, 6.0]),
        age=tf.constant([39, np.nan, np.nan]),
        work_class=tf.constant(["Private", "", ""]),
        city=tf.constant(["Bonn", "K\u00f6ln", "never seen"]),
    )
    return {name: tensor.numpy() for name, tensor in found.items()}


def _features(model: str) -> Any:
    path = tables.root() / "serving" / model / "1" / DESCRIPTION
    return features_of(json.loads(path.read_text(encoding="utf-8")))


def test_the_description_says_what_may_be_missing() -> None:
    found = _features("price")
    assert [(one.name, one.kind, one.optional, one.description) for one in found] == [
        (one.name, one.kind, one.optional, one.description) for one in tables.COLUMNS
    ]


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_answered_by_numbers(way: str, tabular: ModelServer, expected: dict[str, np.ndarray]) -> None:
    with opened(way, tabular, "price") as client:
        answers: list[Any] = decode({}, client.predict(encode(_features("price"), ROWS)))
    assert all(isinstance(answer, Number) for answer in answers)
    for name in ("value", "low", "high"):
        np.testing.assert_allclose([getattr(answer, name) for answer in answers], expected[name], rtol=1e-5)
    assert all(answer.low < answer.value < answer.high for answer in answers)
    assert str(answers[0]) == f"{answers[0].value:g}  [{answers[0].low:g}, {answers[0].high:g}]"
    assert len({answer.value for answer in answers}) == 3


@pytest.mark.parametrize("way", WAYS)
def test_rows_are_answered_by_classes(way: str, tabular: ModelServer) -> None:
    with opened(way, tabular, "income") as client:
        answers: list[Any] = decode({"classes": tables.CLASSES}, client.predict(encode(_features("income"), ROWS)))
    for answer in answers:
        assert list(answer.probabilities) == list(tables.CLASSES)
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-6)
        assert answer.label == max(answer.probabilities, key=answer.probabilities.__getitem__)


EXAMPLES = [
    {"fixed_acidity": 7.4, "age": 39.0, "work_class": "Private", "city": "Bonn"},
    {"fixed_acidity": 7.4, "city": "K\u00f6ln"},
    {"fixed_acidity": 6.0, "age": float("nan"), "work_class": "", "city": "never seen"},
]


@pytest.mark.parametrize("way", WAYS)
def test_regress_takes_examples_without_what_may_be_missing(
    way: str, tabular: ModelServer, expected: dict[str, np.ndarray]
) -> None:
    with opened(way, tabular, "price") as client:
        found = client.regress(EXAMPLES, "regress")
        with pytest.raises(Exception, match="fixed_acidity"):
            client.regress([{"city": "Bonn"}], "regress")
    np.testing.assert_allclose(found, expected["value"], rtol=1e-5)


def test_regress_by_json(tabular: ModelServer, expected: dict[str, np.ndarray]) -> None:
    body = json.dumps({"signature_name": "regress", "examples": EXAMPLES}).encode()
    with urllib.request.urlopen(f"{tabular.rest_url}/v1/models/price:regress", body, timeout=20) as answer:
        found = json.load(answer)["results"]
    np.testing.assert_allclose(found, expected["value"], rtol=1e-5)


def test_rows_by_json_with_the_token_for_what_is_missing(tabular: ModelServer, expected: dict[str, np.ndarray]) -> None:
    row = '{"instances": [{"fixed_acidity": 7.4, "age": NaN, "work_class": "", "city": "K\\u00f6ln"}]}'
    with urllib.request.urlopen(f"{tabular.rest_url}/v1/models/price:predict", row.encode(), timeout=20) as answer:
        (found,) = json.load(answer)["predictions"]
    assert found["value"] == pytest.approx(expected["value"][1], rel=1e-5)
