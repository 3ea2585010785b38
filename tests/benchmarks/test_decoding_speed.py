"""The peers of `decoding_speed` are one model: with and without the cache it finds the same, of full length."""

from __future__ import annotations

import numpy as np
import pytest

from ann_keras.decoding import Decoded
from ann_keras.text import EOS
from benchmarks import decoding_speed


@pytest.mark.slow
@pytest.mark.parametrize("beam", [1, 3])
def test_all_kinds_decode_the_same(beam: int) -> None:
    model = decoding_speed.made(16, 30)
    source = np.random.default_rng(0).integers(4, 30, (3, 7)).astype("int32")
    searches = {name: decoding_speed.decoding(model, kind, beam, 6) for name, kind in decoding_speed.KINDS.items()}
    found = {name: decoding_speed.timed(search, source)[1] for name, search in searches.items()}
    for one in found.values():
        assert one.tokens.shape == (3, 1, 6) and EOS not in one.tokens
        assert decoding_speed.same(found["cache"], one)
        np.testing.assert_array_equal(one.tokens, found["cache"].tokens)
        np.testing.assert_allclose(one.attention, found["cache"].attention, atol=1e-5)


def test_others_are_not_the_same() -> None:
    tokens, attention = np.full((2, 1, 3), 4), np.zeros((2, 1, 1, 3, 1))
    one = Decoded(tokens, np.array([[-1.0], [-2.0]]), np.array([[3], [3]]), attention)
    assert decoding_speed.same(one, one)
    assert not decoding_speed.same(one, one._replace(scores=np.array([[-1.0], [-3.0]])))
    assert not decoding_speed.same(one, one._replace(lengths=np.array([[3], [2]])))


def test_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    times = {"cache": [(1.0, 2.0)], "no cache": [(10.0, 20.0)], "last logits": [(4.0, 8.0)], "generate": [(3.0, 4.0)]}
    decoding_speed.told(32, 5, "transformers 5", times)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["cache", "1000", "ms,", "32.0", "sentences", "per", "second"]
    assert lines[4] == "beam 5: 10.00 x without the cache, of processor seconds 10.00 (limit 10): holds"
    assert lines[6] == "beam 5: 3.00 x transformers 5, of processor seconds 2.00"
    decoding_speed.told(32, 5, "transformers 5", {**times, "no cache": [(9.9, 20.0)]})
    assert "(limit 10): FAILS" in capsys.readouterr().out
