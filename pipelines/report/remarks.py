"""What a model says about its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def remarks(triple: Any, history: Mapping[str, Sequence[float]]) -> list[str]:
    """The lines of the model's own `remarks`, if its module has that.

    Args:
        triple: the `registry.Triple` whose model was fitted.
        history: metric -> its value after each epoch; empty where there were none.
    """
    own = getattr(triple.model, "remarks", None)
    return list(own(history)) if own is not None and history else []
