"""Which earlier model a new one is measured against."""

from __future__ import annotations

import json
from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio

from pipelines import files
from serving.model_config import DESCRIPTION

BLESSED, MODEL_ID = "blessed", "current_model_id"
"""Custom properties that the Evaluator gives a blessing."""


class LatestOtherBlessedModel(ResolverStrategy):
    """Resolves the latest blessed model that is not the candidate itself, and that answers the same question.

    TFX's own strategy also resolves the candidate, once an earlier run of the same configuration had it blessed. The
    Evaluator would then compare a model with itself, and would never find its earlier evaluation in the cache. It also
    resolves models of another dataset, with other classes, and models whose files were deleted.
    """

    def resolve_artifacts(self, store: Any, input_dict: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """From all models and blessings, and the candidate, to the one of each, or none, and the candidate."""
        candidate = input_dict["candidate"][0]
        wanted = _question(candidate)
        blessings = {
            blessing.get_int_custom_property(MODEL_ID): blessing
            for blessing in sorted(input_dict.get("model_blessing", []), key=lambda artifact: artifact.id)
            if blessing.get_int_custom_property(BLESSED) == 1
        }
        earlier = [model for model in input_dict.get("model", []) if model.id in blessings and model.id != candidate.id]
        # Of two models the one blessed last counts, which need not be the one trained last.
        latest_first = sorted(earlier, key=lambda model: blessings[model.id].id, reverse=True)
        found = [model for model in latest_first if _question(model) == wanted][:1]
        # TFX fails, and only in its log, if a key of the input is missing in the answer.
        return {**input_dict, "model": found, "model_blessing": [blessings[model.id] for model in found]}


def _question(model: Any) -> list[Any] | None:
    """The dataset, the task and the classes of an exported model; None where its files are gone."""
    path = f"{model.uri}/{files.SAVED_MODEL}/{DESCRIPTION}"
    if not fileio.exists(path):
        return None
    with fileio.open(path, "r") as file:
        described = json.load(file)
    return [described[name] for name in ("dataset", "task", "classes")]
