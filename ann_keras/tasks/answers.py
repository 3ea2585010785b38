"""Named answers that several tasks give."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ann_keras.task import Tensors


def above_chance(count: int) -> float:
    """The accuracy a tenth of the way from that of guessing among `count` classes to 1."""
    return 1 / count + 0.1 * (1 - 1 / count)


def classes(probabilities: Any, names: tuple[str, ...]) -> Tensors:
    """Names a class for each example.

    Args:
        probabilities: float32 [batch, classes] in [0, 1].
        names: of the classes, in the same order.

    Returns:
        "label": string [batch], the most probable class; "classes": string [batch, classes], all names;
        "probabilities" as they came.
    """
    known = tf.constant(names)
    return {
        "label": tf.gather(known, tf.argmax(probabilities, axis=-1)),
        "classes": tf.tile(known[tf.newaxis], [tf.shape(probabilities)[0], 1]),
        "probabilities": probabilities,
    }
