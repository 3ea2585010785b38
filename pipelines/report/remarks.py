"""What a model says about its training."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any


def remarks(triple: Any, history: Mapping[str, Sequence[float]]) -> list[str]:
    """The lines of the model's own `remarks`, if its module has that.

    A model's `remarks` takes the history, and its config where it asks for one.

    Args:
        triple: the `registry.Triple` whose model was fitted.
        history: metric -> its value after each epoch; empty where there were none.
    """
    own = getattr(triple.model, "remarks", None)
    if own is None or not history:
        return []
    asks = "config" in inspect.signature(own).parameters
    return list(own(history, triple.config) if asks else own(history))
