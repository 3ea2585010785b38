"""Metrics of sequences of words for TensorFlow Model Analysis's Evaluator, from what the signature "evaluate" gives.

BLEU and chrF are those of sacrebleu (Post 2018, A call for clarity in reporting BLEU scores) with its defaults: what it
counts in each sentence is added up, and the score is that of the sums. The others are ratios of sums.

No class here may have the name of one of TFMA's own metrics, such as "Bleu" and "ExactMatch": it would take that one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.metrics import Answers, Sum


class _OfCorpus(Sum):
    """A score of sacrebleu, 0 to 100, of "translation" and "reference"; NaN of no sentence."""

    def __init__(self, scorer: Callable[[], Any], name: str) -> None:
        super().__init__(functools.partial(_counts, scorer), functools.partial(_score, scorer), name)


class CorpusBleu(_OfCorpus):
    """Clipped n-gram precision up to 4-grams with a penalty for brevity (Papineni et al. 2002, BLEU: a method for
    automatic evaluation of machine translation, section 2.3).
    """

    def __init__(self, name: str = "bleu") -> None:
        super().__init__(bleu, name)


class CorpusChrF(_OfCorpus):
    """F score, beta = 2, of character n-grams up to 6-grams (Popovic 2015, chrF: character n-gram F-score for automatic
    MT evaluation, section 2).
    """

    def __init__(self, name: str = "chrf") -> None:
        super().__init__(chrf, name)


class _Ratio(Sum):
    """What `finish` makes of the sum of one count over that of another; NaN where the latter is 0."""

    def __init__(self, part: str, whole: str, name: str, finish: Callable[[Any], Any] = float) -> None:
        super().__init__(lambda label, answers: _pair(answers, part, whole), lambda sums: finish(_divided(sums)), name)


class TokenPerplexity(_Ratio):
    """exp(-sum log p / tokens), with the natural log-likelihood of the references and their tokens, EOS included."""

    def __init__(self, name: str = "perplexity") -> None:
        super().__init__("log_likelihood", "tokens", name, _perplexity)


class WordPerplexity(_Ratio):
    """exp(-sum log p / words), one more word for the end of each sentence: comparable between vocabularies."""

    def __init__(self, name: str = "word_perplexity") -> None:
        super().__init__("log_likelihood", "words", name, _perplexity)


class ExactShare(_Ratio):
    """Share of the translations that are their reference."""

    def __init__(self, name: str = "exact_match") -> None:
        super().__init__("exact", "", name)


class CopyRate(_Ratio):
    """Share of the words produced that stand in the source and not in the reference."""

    def __init__(self, name: str = "copy_rate") -> None:
        super().__init__("copied", "produced", name)


class UnknownRate(_Ratio):
    """Unknown words among the words produced."""

    def __init__(self, name: str = "unknown_rate") -> None:
        super().__init__("unknown", "produced", name)


class TruncationRate(_Ratio):
    """Share of the translations that the longest length cut off."""

    def __init__(self, name: str = "truncation_rate") -> None:
        super().__init__("truncated", "", name)


@functools.cache
def bleu() -> Any:
    """sacrebleu's BLEU with its defaults: tokeniser 13a, cased, exponential smoothing."""
    from sacrebleu.metrics import BLEU

    return BLEU()


@functools.cache
def chrf() -> Any:
    """sacrebleu's chrF with its defaults: character 6-grams, no word n-grams, beta = 2."""
    from sacrebleu.metrics import CHRF

    return CHRF()


def _counts(scorer: Callable[[], Any], label: float, answers: Answers) -> np.ndarray:
    """The sufficient statistics of one sentence, float64 [statistics], of which any sum is exact below 2^53."""
    pair = _text(answers["translation"]), _text(answers["reference"])
    # sacrebleu has no public name for what it adds up; `corpus_score` is these two steps.
    (statistics,) = scorer()._extract_corpus_statistics([pair[0]], [[pair[1]]])
    return np.array(statistics, np.float64)


def _score(scorer: Callable[[], Any], sums: np.ndarray) -> float:
    return float(scorer()._aggregate_and_compute([[int(value) for value in sums]]).score)


def _text(value: Any) -> str:
    # TFMA hands on the answers of one example with or without an axis for it.
    (one,) = np.asarray(value).reshape(-1).tolist()
    return one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)


def _pair(answers: Answers, part: str, whole: str) -> np.ndarray:
    return np.array([_sum(answers[part]), _sum(answers[whole]) if whole else 1.0])


def _sum(value: Any) -> float:
    return float(np.sum(value, dtype=np.float64))


def _divided(sums: np.ndarray) -> float:
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def _perplexity(log_likelihood: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(-log_likelihood))
