"""Percentiles, verdicts, and the parts of HTTP that the load generator reads."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.serving import figures
from benchmarks.serving.http_client import parse_response


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: list[float], share: float) -> None:
    found = figures.percentile(values, share)
    assert found in values
    covered = sum(value <= found for value in values)
    assert covered >= share * len(values) * (1 - 1e-9)
    assert sum(value < found for value in values) < share * len(values)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_a_percentile_that_cannot_be(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"percentile of no values|share must be"):
        figures.percentile(values, share)


def test_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    assert figures.at_most("a", 1.0, 1.0, "ms") and not figures.at_most("b", 1.1, 1.0, "ms")
    assert figures.at_least("c", 3.0, 3.0) and not figures.at_least("d", 2.9, 3.0)
    assert figures.nothing("e", 0) and not figures.nothing("f", 2)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["holds", "FAILS"] * 3


def test_resident_memory_is_that_of_the_process() -> None:
    before = figures.resident_mib(os.getpid())
    held = bytearray(os.urandom(1 << 20) * 64)
    assert 50 < figures.resident_mib(os.getpid()) - before < 200
    assert len(held) == 64 << 20


RESPONSE = b"HTTP/1.1 429 Too Many Requests\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"


@given(st.integers(0, len(RESPONSE) - 1))
def test_a_response_is_whole_or_not_there(length: int) -> None:
    assert parse_response(RESPONSE[:length]) is None


def test_responses_are_taken_one_at_a_time() -> None:
    assert parse_response(RESPONSE + b"HTTP/1.1 200") == (429, b"hello", len(RESPONSE))


@pytest.mark.parametrize("data", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_other_answers_are_errors(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an HTTP/1.1 response|without Content-Length"):
        parse_response(data)
