"""Text to ids of pieces and back, in the graph: normalised, parted into words, and these into WordPieces or left whole.

A word keeps the space before it as a mark, so that pieces joined are the text again. Whole words are WordPieces of a
vocabulary that has no parts of words: one operation of TensorFlow Text serves both (Song et al. 2021, Fast WordPiece
tokenization, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

PAD, UNK, SOS, EOS = range(4)
SPECIALS = ("<pad>", "<unk>", "<sos>", "<eos>")
"""The names of the first ids: padding, a word that has no pieces, start and end of a sequence."""
SPACE = "\u2581"
"""Stands before a word that a space, or the beginning of the text, precedes."""
JOINER = "##"
"""Stands before a piece that continues a word."""
NORMAL_FORMS = ("none", "NFC", "NFKC")
TOKENS = ("pieces", "words")
LONGEST_WORD = 100
"""Bytes; a longer word has no pieces."""
LONGEST_TEXT = 20_000
"""Characters that are read; what comes after them is not."""
COUNTED_WORDS = 20_000
"""So many of the most frequent words the pieces are learned from."""

_WORD = r"\x{2581}?(?:[\p{L}\p{M}]+|\p{N}|[^\s\x{2581}])|\x{2581}"
"""Letters with their accents, one digit, or one other character; the mark of a space goes with what follows."""


def normalise(text: Any, form: str = "NFKC", lowercase: bool = False) -> Any:
    """What training and serving alike make of a text before they read it.

    Args:
        text: string [batch], of any bytes. What is not UTF-8 becomes U+FFFD; control and format characters, spaces of
            all kinds and line ends become one space each, several in a row one, none at either end. Marks and joiners
            that right-to-left scripts and emoji need (U+200C, U+200D, U+200E, U+200F) stay.
        form: one of NORMAL_FORMS, of Unicode Standard Annex 15.
        lowercase: whether capitals become small letters.

    Returns:
        string [batch], UTF-8.
    """
    import tensorflow_text

    valid = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    valid = tf.strings.substr(valid, 0, LONGEST_TEXT, unit="UTF8_CHAR")
    if form != "none":
        valid = tensorflow_text.normalize_utf8(valid, form)
    if lowercase:
        valid = tf.strings.lower(valid, encoding="utf-8")
    # The marks and joiners are of the category Cf too, which RE2 cannot subtract from.
    spaced = tf.strings.regex_replace(
        valid, r"[\p{Cc}\p{Z}\x{00AD}\x{2060}-\x{2064}\x{202A}-\x{202E}\x{2066}-\x{206F}\x{FEFF}\x{2581}]+", " "
    )
    return tf.strings.strip(tf.strings.regex_replace(spaced, " +", " "))


def words(text: Any) -> Any:
    """Parts normalised text: runs of letters, single digits and single other characters.

    Args:
        text: string [batch], as of `normalise`.

    Returns:
        string [batch, (words)], ragged; SPACE before each that a space or the beginning precedes.
    """
    marked = tf.strings.regex_replace(text, r"^(.)", SPACE + r"\1")
    marked = tf.strings.regex_replace(marked, " ", SPACE)
    # Words are parted by a character that no normalised text holds.
    parted = tf.strings.regex_replace(marked, f"({_WORD})", "\\1\n")
    parted = tf.strings.regex_replace(parted, "\n$", "")
    return tf.strings.split(parted, "\n")


def tokenise(text: Any, model: Any) -> Any:
    """The ids of a text's pieces, int32 [batch, (pieces)], ragged.

    Args:
        text: string [batch], as of `normalise`.
        model: string [], as of `wordpiece_model`.
    """
    import tensorflow_text

    buffer = tf.io.decode_raw(model, tf.uint8)
    tokeniser = tensorflow_text.FastWordpieceTokenizer(model_buffer=buffer, token_out_type=tf.int32)
    parted = words(text)
    # A text without a word has one empty word.
    return tokeniser.tokenize(tf.ragged.boolean_mask(parted, tf.not_equal(parted, ""))).merge_dims(1, 2)


def wordpiece_model(vocabulary: list[str]) -> bytes:
    """The automaton that finds pieces in linear time, as bytes that `tokenise` reads.

    Args:
        vocabulary: the pieces by id; the first are SPECIALS.
    """
    from tensorflow_text.core.pybinds import pywrap_fast_wordpiece_tokenizer_model_builder as builder

    # Without its own parting into words, and without its own way back.
    return bytes(builder.build_fast_wordpiece_model(vocabulary, LONGEST_WORD, JOINER, SPECIALS[UNK], True, False))


def pieces_of(ids: Any, vocabulary: Any) -> Any:
    """The pieces by their ids, string of the same shape; "" for PAD and for ids past the vocabulary.

    Args:
        ids: int32 [...].
        vocabulary: string [pieces].
    """
    known = tf.concat([[""], vocabulary[1:], [""]], 0)
    return tf.gather(known, tf.minimum(ids, tf.shape(known)[0] - 1))


def join(pieces: Any) -> Any:
    """The text of pieces, string [...] for string [..., pieces]; UNK keeps its name, SOS and EOS are left out."""
    bare = tf.strings.regex_replace(pieces, f"^(?:{SPECIALS[SOS]}|{SPECIALS[EOS]})$", "")
    bare = tf.strings.regex_replace(bare, f"^{JOINER}(.)", r"\1")
    bare = tf.strings.regex_replace(bare, f"^{SPECIALS[UNK]}$", f" {SPECIALS[UNK]}")
    joined = tf.strings.reduce_join(bare, axis=-1)
    return tf.strings.strip(tf.strings.regex_replace(tf.strings.regex_replace(joined, SPACE, " "), " +", " "))


def count_words(text: Any) -> Any:
    """How many words, parted by spaces, a normalised text has; int32 [batch]."""
    return tf.cast(tf.strings.split(text).row_lengths(), tf.int32)


def learn(counts: Mapping[bytes, int], size: int, tokens: str) -> list[str]:
    """The vocabulary of a training split, SPECIALS first.

    Args:
        counts: how often each word, as of `words`, stands in it.
        size: most entries.
        tokens: "pieces": characters and frequent parts of words (Schuster and Nakajima 2012, Japanese and Korean voice
            search, section 3, as TensorFlow Text learns them from the top down); "words": the most frequent words.

    Returns:
        At most `size` entries; the same for the same counts.
    """
    decoded = {word.decode("utf-8"): count for word, count in counts.items() if word}
    room = size - len(SPECIALS)
    ranked = sorted(decoded, key=lambda word: (-decoded[word], word))
    if tokens == "words":
        return [*SPECIALS, *ranked[:room]]
    from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner

    found = learner.learn(
        [(word, decoded[word]) for word in ranked],
        vocab_size=size,
        reserved_tokens=list(SPECIALS),
        include_joiner_token=True,
        joiner=JOINER,
        slack_ratio=0.02,
        num_iterations=2,
        max_unique_chars=size // 4,
        max_input_tokens=COUNTED_WORDS,
        lower_thresh=2,
    )
    pieces = [piece for piece in found if piece not in SPECIALS]
    return [*SPECIALS, *pieces[:room]]
