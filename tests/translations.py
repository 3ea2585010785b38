"""Served models that answer a text with a text: a small Transformer that saw a few dates, and one that spells."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from serving.model_config import DESCRIPTION

LENGTH = 20
TEXTS = (
    b"4 May 1999",
    b"",
    b"  \t\n ",
    "\U0001f600 \U0001f468‍\U0001f469 Mai".encode(),
    "١٢ مايو 2001".encode(),
    b"3 \xff\xfe \xc3( June\x00\x07 2004",
    b"June " * 2000,
)
"""Short and of 10,000 characters, empty, emoji, right to left, no UTF-8, with control characters."""


@functools.cache
def root() -> Path:
    """A root with version 1 of such a Transformer, made once a process."""
    import keras

    from ann_keras import data, registry, settings, training
    from ann_keras.datasets.dates import Dates
    from serving.export import export

    keras.utils.set_random_seed(0)
    tiny = settings.as_dict(registry.load("model", "transformer", registry.MODELS).TINY)
    triple = registry.resolve("transformer", overrides={**tiny, "vocabulary": 60, "max_length": LENGTH})
    loaded = data.load(dataclasses.replace(triple, dataset=Dates(400)))
    model = training.build(triple)
    model.compile(keras.optimizers.Adam(1e-2), **triple.task.compile_args())
    model.fit(loaded.train.training_batches(64, seed=0), steps_per_epoch=15, verbose=0)
    warmup = {"source": [b"4 May 1999", b"5.6.2003"]}
    export(triple, model, loaded.transform, _folder() / "serving" / "transformer" / "1", warmup=warmup)
    return _folder()


@functools.cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "serving" / "transformer").mkdir(parents=True)
    return folder


def spell(folder: Path) -> None:
    """Writes a model that says a text in capitals, second to the text itself, with operations of TensorFlow Text.

    Its pieces are those of "a man mans"; each token of the answer attends to the one of the source that it was.
    """
    import tensorflow as tf

    from ann_keras import text

    pieces = [*text.SPECIALS, text.SPACE + "a", text.SPACE + "man", text.JOINER + "s"]
    model = text.wordpiece_model(pieces)

    @functools.partial(tf.function, input_signature=[tf.TensorSpec([None], tf.string, name="source")], autograph=False)
    def answer(source: tf.Tensor) -> dict[str, Any]:
        said = text.normalise(source)
        ids = text.tokenise(said, tf.constant(model))
        source_tokens = text.pieces_of(ids.to_tensor(), tf.constant(pieces))
        loud = tf.strings.upper(said, encoding="utf-8")
        alignment = tf.linalg.diag(tf.cast(tf.not_equal(source_tokens, ""), tf.float32))
        return {
            "translation": loud,
            "candidates": tf.stack([loud, said], 1),
            "scores": tf.tile([[-0.25, -1.5]], [tf.shape(source)[0], 1]),
            "tokens": tf.strings.upper(source_tokens),
            "source_tokens": source_tokens,
            "alignment": alignment,
        }

    module = tf.Module()
    module.answer = answer
    tf.saved_model.save(module, str(folder), signatures=answer)
    feature = {"name": "source", "kind": "text", "shape": [], "dtype": "string", "optional": False, "description": ""}
    described = {"task": "sequence_to_sequence", "dataset": "words", "features": [feature], "classes": []}
    (folder / DESCRIPTION).parent.mkdir(exist_ok=True)
    (folder / DESCRIPTION).write_text(json.dumps(described))
