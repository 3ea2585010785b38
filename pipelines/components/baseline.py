"""Which earlier model a new one is measured against."""

from __future__ import annotations

import json
from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio

DESCRIPTION = "assets.extra/ann_keras.json"
"""As `serving.export` writes it."""
BLESSED, MODEL_ID = "blessed", "current_model_id"
"""Custom properties that the Evaluator gives a blessing."""


class LatestOtherBlessedModel(ResolverStrategy):
    """Resolves the latest blessed model that is not the candidate itself, and that answers the same question.

    TFX's own strategy also resolves the candidate, once an earlier run of the same configuration had it blessed. The
    Evaluator would then compare a model with itself, and would never find its earlier evaluation in the cache. It also
    resolves models of another dataset, with other classes, and models whose files were deleted.
    """

    def resolve_artifacts(self, store: Any, input_dict: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """From "model", "model_blessing" and "candidate" to the first two, empty where there is no such model."""
        candidates = {artifact.id for artifact in input_dict.get("candidate", [])}
        blessings = {
            blessing.get_int_custom_property(MODEL_ID): blessing
            for blessing in sorted(input_dict.get("model_blessing", []), key=lambda artifact: artifact.id)
            if blessing.get_int_custom_property(BLESSED) == 1
        }
        candidate = next(iter(input_dict.get("candidate", [])), None)
        wanted = _question(candidate) if candidate is not None else None
        earlier = [
            model for model in input_dict.get("model", []) if model.id in blessings and model.id not in candidates
        ]
        # Of two models the one blessed last counts, which need not be the one trained last.
        for model in sorted(earlier, key=lambda model: blessings[model.id].id, reverse=True):
            if wanted is None or _question(model) == wanted:
                return {"model": [model], "model_blessing": [blessings[model.id]]}
        return {"model": [], "model_blessing": []}


def _question(model: Any) -> list[Any] | None:
    """The dataset, the task and the classes of an exported model; None where its files are gone."""
    path = f"{model.uri}/Format-Serving/{DESCRIPTION}"
    if not fileio.exists(path):
        return None
    with fileio.open(path, "r") as file:
        described = json.load(file)
    return [described[name] for name in ("dataset", "task", "classes")]
