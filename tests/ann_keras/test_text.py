"""Text to ids and back: normalising, words, vocabularies."""

from __future__ import annotations

import collections

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ann_keras import text


def normal(value: str | bytes, **more: object) -> str:
    return text.normalise(tf.constant([value]), **more).numpy()[0].decode("utf-8")


def parted(value: str) -> list[str]:
    return [word.decode("utf-8") for word in text.words(text.normalise(tf.constant([value]))).to_list()[0]]


def vocabulary_of(values: list[str], size: int, tokens: str = "pieces") -> list[str]:
    words = text.words(text.normalise(tf.constant(values))).flat_values.numpy().tolist()
    return text.learn(collections.Counter(words), size, tokens)


def ids_of(values: list[str], vocabulary: list[str]) -> list[list[int]]:
    model = tf.constant(text.wordpiece_model(vocabulary))
    found: list[list[int]] = text.tokenise(text.normalise(tf.constant(values)), model).to_list()
    return found


CORPUS = ["der Hund läuft", "die Hunde laufen", "der Hund und die Katze", "die Katze läuft", "ein Hund"] * 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("  a \t b\r\nc ", "a b c"),
        ("a\x00b\x1bc", "a b c"),
        (b"\xffa\xc3", "\ufffda\ufffd"),
        ("a\u00a0b\u2003c\u3000d", "a b c d"),
        ("e\u0301", "\u00e9"),
        ("\ufb01", "\ufb01"),
        ("\u2581a", "a"),
        ("", ""),
        ("שלום, עולם", "שלום, עולם"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("\u202eabc\u202c", "abc"),
    ],
)
def test_normalised(given: str | bytes, expected: str) -> None:
    assert normal(given, form="NFC") == expected


def test_forms_and_small_letters() -> None:
    assert normal("\ufb01 Ä", form="NFKC", lowercase=True) == "fi ä"
    assert normal("e\u0301", form="none") == "e\u0301"


def test_a_long_text_is_cut() -> None:
    assert len(normal("x" * 50_000)) == text.LONGEST_TEXT


def test_words_by_hand() -> None:
    assert parted("The dog's 2nd.") == ["▁The", "▁dog", "'", "s", "▁2", "nd", "."]
    assert parted("a1234 - b") == ["▁a", "1", "2", "3", "4", "▁-", "▁b"]
    assert parted("") == [""]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40))
def test_words_joined_are_the_text(value: str) -> None:
    whole = normal(value)
    words = [word.encode() for word in parted(value)]
    assert text.join(tf.constant([words])).numpy()[0].decode("utf-8") == whole


def test_pieces_cover_the_corpus_and_give_it_back() -> None:
    vocabulary = vocabulary_of(CORPUS, 60)
    assert tuple(vocabulary[:4]) == text.SPECIALS
    assert len(vocabulary) <= 60 and len(set(vocabulary)) == len(vocabulary)
    values = [*CORPUS, "die Hunde laufen und der Hund"]
    ids = ids_of(values, vocabulary)
    assert all(text.UNK not in row for row in ids)
    dense = tf.ragged.constant(ids, dtype=tf.int32).to_tensor(text.PAD)
    again = text.join(text.pieces_of(dense, tf.constant(vocabulary)))
    assert [one.decode("utf-8") for one in again.numpy()] == values


def test_an_unseen_character_is_unknown() -> None:
    vocabulary = vocabulary_of(CORPUS, 60)
    ids = ids_of(["der 犬", ""], vocabulary)
    assert ids[0][-1] == text.UNK and ids[0][0] != text.UNK
    assert ids[1] == []


def test_whole_words_by_frequency() -> None:
    vocabulary = vocabulary_of(CORPUS, 8, "words")
    # Hund and die are nine times there, of equals the first by name comes first.
    assert vocabulary == [*text.SPECIALS, "▁Hund", "▁die", "▁Katze", "▁der"]
    assert ids_of(["der Hund schläft", "derHund"], vocabulary) == [[7, 4, text.UNK], [text.UNK]]


def test_the_same_counts_give_the_same_pieces() -> None:
    words = text.words(text.normalise(tf.constant(CORPUS))).flat_values.numpy().tolist()
    one = text.learn(collections.Counter(words), 60, "pieces")
    assert one == text.learn(collections.Counter(reversed(words)), 60, "pieces")


def test_ids_beyond_the_vocabulary_are_nothing() -> None:
    found = text.pieces_of(tf.constant([[0, 1, 3, 4, 99]]), tf.constant([*text.SPECIALS, "▁a"]))
    assert found.numpy().tolist() == [[b"", b"<unk>", b"<eos>", "▁a".encode(), b""]]
    assert text.join(found).numpy().tolist() == [b"<unk> a"]


def test_counting_words() -> None:
    assert text.count_words(tf.constant(["a b  c", "", "x"])).numpy().tolist() == [3, 0, 1]
