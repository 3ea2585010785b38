"""Texts that are almost the same, as groups: what is trained on must not be tested on in other words.

Two texts are near-duplicates where the sets of their word bigrams have a Jaccard similarity of `SIMILAR` or more.
Candidates are found by MinHash (Broder 1997, On the resemblance and containment of documents) in bands of its values
(Leskovec, Rajaraman and Ullman 2014, Mining of massive datasets, section 3.4) and then compared exactly; chains of
near-duplicates are one group. A word more or less at either end needs 9 others, a word changed in the middle 18: a
shorter text is a near-duplicate of its equals alone.
"""

from __future__ import annotations

import array
import hashlib
import re
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import sparse

SIMILAR = 0.8
BANDS, BAND_ROWS = 16, 4
"""Texts of the similarity s are candidates with the probability 1 - (1 - s^4)^16: 0.9998 at 0.8."""
COMPARED = 16
"""So many of the next texts with the same values in a band are compared with each."""
SLICE = 100_000
"""Candidates that are compared at a time."""
ODD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiplied by it, hashes mix (Knuth 1998, Sorting and searching, section 6.4)."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
"""A run of letters and digits; a Chinese or Japanese character is a word, as no space says where one ends."""


def groups(texts: Iterable[str | bytes]) -> np.ndarray:
    """Numbers texts so that near-duplicates, compared without case and punctuation, have the same number.

    Args:
        texts: each is looked at once; bytes are UTF-8, and what is not is read as U+FFFD.

    Returns:
        int64 [texts], the place of the first text of each group. But for chains that hang together by one of many
        texts with equal values in a band, it does not depend on their order.
    """
    words, lengths, row = _distinct(texts)
    if not len(row):
        return np.zeros(0, np.int64)
    values, bigrams = _bigrams(words, lengths)
    alike = _similar(bigrams, _signatures(values, bigrams))
    count = len(lengths)
    links = sparse.coo_matrix((np.ones(len(alike), bool), tuple(alike.T)), (count, count))
    group = sparse.csgraph.connected_components(links, directed=False)[1][row]
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    return first[place].astype(np.int64)


def within(wanted: np.ndarray, texts: Iterable[str | bytes]) -> np.ndarray:
    """The groups of some rows; each of the others is a group of its own.

    Args:
        wanted: bool [rows].
        texts: of the wanted rows.

    Returns:
        int64 [rows], the place of the first row of each group.
    """
    places = np.flatnonzero(wanted)
    found = np.arange(len(wanted), dtype=np.int64)
    found[places] = places[groups(texts)]
    return found


def _distinct(texts: Iterable[str | bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words of the different texts, and which of these each text is.

    Returns:
        Hashes of words, uint64 [all words], one text after the other; how many each has, int64 [distinct]; int64
        [texts].
    """
    hashes: dict[str, int] = {}
    known: dict[bytes, int] = {}
    row: list[int] = []
    flat, lengths = array.array("Q"), array.array("q")
    for words in _parted(texts):
        digest = hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest not in known:
            known[digest] = len(known)
            lengths.append(len(words))
            flat.extend([hashes[word] if word in hashes else hashes.setdefault(word, _hash(word)) for word in words])
        row.append(known[digest])
    return np.array(flat, np.uint64), np.array(lengths, np.int64), np.array(row, np.int64)


def _parted(texts: Iterable[str | bytes]) -> Iterator[list[str]]:
    """The words of each text; of one without, such as emoji, the text itself."""
    for text in texts:
        decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        yield _WORD.findall(decoded.casefold()) or [decoded.strip()]


def _hash(word: str) -> int:
    # Not Python's own, which differs from process to process.
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _bigrams(words: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, sparse.csr_matrix]:
    """The hashes of all bigrams, uint64 [bigrams], and which each text has, int32 [texts, bigrams] of 0 and 1.

    Args:
        words: uint64 [all words], hashes, one text after the other.
        lengths: int64 [texts], words of each, 1 or more; of one word that is the bigram.
    """
    last = np.cumsum(lengths) - 1
    following = np.append(words[1:], np.uint64(0))
    following[last] = 0
    kept = np.ones(len(words), bool)
    kept[last] = lengths == 1
    values, column = np.unique((words * ODD + following)[kept], return_inverse=True)
    starts = np.append(0, np.cumsum(np.maximum(lengths - 1, 1)))
    matrix = sparse.csr_matrix((np.ones(len(column), np.int32), column, starts), (len(lengths), len(values)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return values, matrix


def _signatures(values: np.ndarray, bigrams: sparse.csr_matrix) -> np.ndarray:
    """A hash of the MinHash values of every band, uint64 [bands, texts]."""
    factors = np.random.default_rng(0).integers(2**63, size=(BANDS, BAND_ROWS), dtype=np.uint64) * 2 + 1
    found = np.zeros((BANDS, bigrams.shape[0]), np.uint64)
    for band, row in np.ndindex(factors.shape):
        hashed = (values * factors[band, row]) >> np.uint64(32)
        least = np.minimum.reduceat(hashed[bigrams.indices], bigrams.indptr[:-1])
        found[band] = found[band] * ODD + least
    return found


def _similar(bigrams: sparse.csr_matrix, signatures: np.ndarray) -> np.ndarray:
    """Pairs of texts that are near-duplicates, int64 [pairs, 2]."""
    count = bigrams.shape[0]
    # Within a run of equal values the order is that of all values, which the order of the texts does not change.
    whole = np.bitwise_xor.reduce(signatures * ODD, axis=0)
    codes = [np.zeros(0, np.int64)]
    for values in signatures:
        order = np.lexsort((whole, values))
        for step in range(1, COMPARED + 1):
            here = np.flatnonzero(values[order[step:]] == values[order[:-step]])
            if not len(here):
                break
            pair = np.sort([order[here], order[here + step]], axis=0)
            codes.append(pair[0] * count + pair[1])
    candidates = np.unique(np.concatenate(codes))
    pairs = np.stack(np.divmod(candidates, count), axis=1)
    sizes = np.diff(bigrams.indptr)
    similar = []
    for start in range(0, len(pairs), SLICE):
        one, other = pairs[start : start + SLICE].T
        shared = np.asarray(bigrams[one].multiply(bigrams[other]).sum(axis=1)).ravel()
        similar.append(shared >= SIMILAR * (sizes[one] + sizes[other] - shared))
    return pairs[np.concatenate(similar)] if similar else pairs
