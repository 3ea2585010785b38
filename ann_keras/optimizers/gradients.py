"""What the optimizers here ask of a gradient."""

from __future__ import annotations

from typing import Any

from keras import ops


def dense(gradient: Any, variable: Any) -> Any:
    """`gradient` with an entry for every weight of `variable`, in its dtype.

    TensorFlow's gradient of an embedding has rows of the tokens in the batch alone. An optimizer that remembers the
    gradient would keep the old rows of all others, where theirs is 0.
    """
    return ops.add(ops.zeros_like(variable), ops.cast(gradient, variable.dtype))
