"""What datasets of pairs of texts share: their features, and which pairs cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ann_keras.task import Feature

_SEEN = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
"""A character that is neither a space nor one for control or format."""


def features(source: str = "", target: str = "") -> Mapping[str, Feature]:
    """The two features.

    Args:
        source, target: what the texts are, in words.
    """
    described = {"source": source, "target": target}
    return {role: Feature(role, "text", (), "string", description=text) for role, text in described.items()}


def problem(source: bytes, target: bytes, names: tuple[str, str] = ("the source", "the target")) -> str:
    """Why a pair cannot be used, in one line; "" where it can.

    Right-to-left text, emoji, control characters beside others and texts of any length can: the task says what it makes
    of them.

    Args:
        source, target: the texts.
        names: what they are called.
    """
    empty = []
    for text, name in zip((source, target), names, strict=True):
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            byte = f"byte {error.start + 1}, 0x{text[error.start]:02x}"
            return f"{name} is not valid UTF-8 at its {byte}"
        if not _SEEN.search(decoded):
            empty.append(name)
    return f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty" if empty else ""
