"""The figures of the translation benchmark, by hand."""

import numpy as np
import pytest

from benchmarks.multi30k import figures, verdicts


def judged(**more: object) -> dict[str, np.ndarray]:
    texts = {
        "translation": np.array(["Ein Hund läuft im Park.".encode(), b"Ja."], object),
        "reference": np.array(["Ein Hund läuft im Park.".encode(), b"Ja."], object),
    }
    counts = {"log_likelihood": np.array([-6.0, -2.0]), "tokens": np.array([6, 2]), "words": np.array([3, 1])}
    return {**texts, **counts, **more}


def test_figures_by_hand() -> None:
    found = figures(judged())
    assert found["bleu"] == pytest.approx(100) and found["chrf"] == pytest.approx(100)
    # 8 nats over 8 tokens, and over 4 words.
    assert found["perplexity"] == pytest.approx(np.e)
    assert found["word_perplexity"] == pytest.approx(np.e**2)
    assert "tok:13a" in found["signature"]
    wrong = figures(judged(translation=np.array([b"Nein", b"Ja."], object)))
    assert wrong["bleu"] < 60


def measured(greedy: float, wide: float, seconds: float = 60.0) -> dict[str, object]:
    return {"beams": {"1": {"bleu": greedy}, "5": {"bleu": wide}}, "seconds": seconds}


def test_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts(
        {
            "seq2seq": measured(20.0, 21.0),
            "seq2seq_attention": measured(26.0, 25.5),
            "transformer": measured(31.0, 32.0, 61 * 60.0),
        }
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.rsplit(": ", 1)[1] for line in lines] == ["FAILS", "holds", "FAILS", "holds", "FAILS", "holds"]
    assert lines[2] == "attention gains 4.50 BLEU (at least 5): FAILS"
