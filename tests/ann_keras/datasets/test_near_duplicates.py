"""Near-duplicates: by hand, against all pairs compared exactly, and fast."""

from __future__ import annotations

import itertools
import time

import numpy as np

from ann_keras.datasets import near_duplicates

TEN = "the quick brown fox jumps over a lazy old dog"


def same(*texts: str) -> bool:
    return len(set(near_duplicates.groups(texts).tolist())) == 1


def test_case_and_punctuation_do_not_count() -> None:
    assert same("Hello, world!", "hello world", "HELLO -- WORLD")
    assert not same("Hello world", "Hello word")
    assert same("Straße", "STRASSE")


def test_by_hand() -> None:
    # Nine bigrams of ten words. One word more: 9 of 10 are shared; two more: 9 of 11; the last one changed: 8 of 10.
    assert same(TEN, f"{TEN} today")
    assert same(TEN, f"{TEN} again today")
    assert same(TEN, TEN.replace("dog", "cat"))
    # A word in the middle: 7 of 11. One more changed at the end of eight words: 6 of 8.
    assert not same(TEN, TEN.replace("fox", "cat"))
    assert not same("a b c d e f g h", "a b c d e f g i")


def test_chains_are_one_group_named_by_its_first() -> None:
    texts = ["something else", TEN, f"{TEN} today", "x", f"{TEN} today in town", "X."]
    assert near_duplicates.groups(texts).tolist() == [0, 1, 1, 3, 1, 3]
    # The ends of the chain alone are no near-duplicates: 9 of 12.
    assert near_duplicates.groups([texts[1], texts[4]]).tolist() == [0, 1]


def test_numbers_are_words() -> None:
    assert not same("2021-1-11", "2021-11-1")
    assert same("2021-01-11", "2021/01/11")


def test_texts_without_words() -> None:
    assert near_duplicates.groups(["😀", "🎉", "😀 ", "", "...", " "]).tolist() == [0, 1, 0, 3, 4, 3]
    assert near_duplicates.groups([]).tolist() == []


def test_scripts_without_spaces_and_from_right_to_left() -> None:
    one = "昨日は友達と一緒に映画を見に行きました"
    assert same(one, one + "。") and same(one, one + "よ")
    assert not same(one, one[::-1])
    assert same("שלום, עולם", "שלום עולם!")


def test_bytes_and_what_is_not_utf8() -> None:
    assert near_duplicates.groups([b"caf\xc3\xa9", "Café", b"caf\xe9", b"caf\xe9"]).tolist() == [0, 0, 2, 2]


def bigrams(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return set(itertools.pairwise(words)) or {(text,)}


def test_the_same_as_all_pairs_compared() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{number}" for number in range(60)]
    texts = []
    for _ in range(60):
        text = rng.choice(words, rng.integers(1, 30)).tolist()
        for _ in range(3):
            texts.append(" ".join(text))
            text[rng.integers(len(text))] = str(rng.choice(words))
    group = np.arange(len(texts))
    for one, other in itertools.combinations(range(len(texts)), 2):
        mine, theirs = bigrams(texts[one]), bigrams(texts[other])
        if len(mine & theirs) >= 0.8 * len(mine | theirs):
            group[group == group[other]] = group[one]
    found = near_duplicates.groups(texts)
    first = {name: int(np.flatnonzero(group == name)[0]) for name in set(group.tolist())}
    assert found.tolist() == [first[name] for name in group.tolist()]
    assert 60 < len(set(found.tolist())) < 180
    order = rng.permutation(len(texts))
    again = near_duplicates.groups([texts[place] for place in order])
    assert (np.equal.outer(again, again) == np.equal.outer(found[order], found[order])).all()


def test_many_texts_take_seconds() -> None:
    rng = np.random.default_rng(1)
    words = np.array([f"w{number}" for number in range(5000)])
    texts = [" ".join(row) for row in words[rng.integers(0, 5000, (10_000, 12))]]
    began = time.perf_counter()
    group = near_duplicates.groups([*texts, *texts])
    assert time.perf_counter() - began < 15
    assert (group == np.tile(np.arange(10_000), 2)).all()


def test_within_some_rows() -> None:
    wanted = np.array([True, False, True, False, True])
    assert near_duplicates.within(wanted, ["a b", "c", "A b."]).tolist() == [0, 1, 2, 3, 0]
