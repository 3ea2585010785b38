"""SavedModels in a process that has TensorFlow, also those that use operations of TensorFlow Text."""

from __future__ import annotations

import re
from typing import Any

_UNKNOWN = re.compile(r"Op type not registered '([^']+)'")


def load(path: str) -> Any:
    """`tf.saved_model.load`, with TensorFlow Text's operations where one of them is missed.

    Args:
        path: the SavedModel's folder, on any file system of TensorFlow.

    Raises:
        ValueError: naming an operation that neither TensorFlow nor TensorFlow Text has.
    """
    import tensorflow as tf

    try:
        return tf.saved_model.load(path)
    except Exception as error:  # of another type in each version
        unknown = _UNKNOWN.search(str(error))
        if unknown is None:
            raise
    wanted = f"{path}: the model's operation {unknown[1]!r} is not one of TensorFlow's"
    try:
        import tensorflow_text  # noqa: F401  which registers its operations
    except ImportError as error:
        text = "and TensorFlow Text, which may have it, is not installed: pip install tensorflow-text"
        raise ValueError(f"{wanted}, {text}") from error
    try:
        return tf.saved_model.load(path)
    except Exception as error:
        if _UNKNOWN.search(str(error)) is None:
            raise
        raise ValueError(f"{wanted}, and TensorFlow Text has none either") from error
