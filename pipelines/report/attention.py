"""What the heads of a fitted decoder look at, which its exported model tells the mean of alone."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from ann_keras import decoding, text
from ann_keras.task import Tensors


def over(model: keras.Model, prepared: Tensors, tokens: Sequence[Sequence[str]]) -> np.ndarray:
    """The decoder's attention while it is told the tokens of some targets.

    Args:
        model: with a `StepDecoder` named "decoder".
        prepared: of their sources: "source", and "target_vocabulary", whose first row holds all pieces, one a line.
        tokens: of the targets, the end included.

    Returns:
        float32 [batch, heads, target, source].
    """
    pieces = prepared["target_vocabulary"][0].decode("utf-8", "replace").split("\n")
    ids = {piece: place for place, piece in enumerate(pieces)}
    told = np.zeros((len(tokens), max(map(len, tokens))), np.int32)
    for row, target in zip(told, tokens, strict=True):
        row[: len(target)] = [text.SOS, *(ids.get(token, text.UNK) for token in target[:-1])][: len(target)]
    source = np.asarray(prepared["source"], np.int32)
    source = source[:, : np.count_nonzero(source, axis=1).max()]
    memory = decoding.encoder_of(model)(source, training=False)
    found = model.get_layer("decoder").attend([told, *memory])
    return np.asarray(keras.ops.convert_to_numpy(found), np.float32)
