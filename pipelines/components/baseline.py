"""Which earlier model a new one is measured against."""

from __future__ import annotations

from typing import Any

from tfx.dsl.components.common.resolver import ResolverStrategy

BLESSED, MODEL_ID = "blessed", "current_model_id"
"""Custom properties that the Evaluator gives a blessing."""


class LatestOtherBlessedModel(ResolverStrategy):
    """Resolves the latest blessed model that is not the candidate itself.

    TFX's own strategy also resolves the candidate, once an earlier run of the same configuration had it blessed. The Evaluator would
    then compare a model with itself, and would never find its earlier evaluation in the cache.
    """

    def resolve_artifacts(self, store: Any, input_dict: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """From "model", "model_blessing" and "candidate" to the same keys, empty where there is no earlier blessed model."""
        candidates = {artifact.id for artifact in input_dict.get("candidate", [])}
        blessings = {
            blessing.get_int_custom_property(MODEL_ID): blessing
            for blessing in sorted(input_dict.get("model_blessing", []), key=lambda artifact: artifact.id)
            if blessing.get_int_custom_property(BLESSED) == 1
        }
        earlier = [model for model in input_dict.get("model", []) if model.id in blessings and model.id not in candidates]
        # Of two models the one blessed last counts, which need not be the one trained last.
        latest = sorted(earlier, key=lambda model: blessings[model.id].id)[-1:]
        return {"model": latest, "model_blessing": [blessings[model.id] for model in latest]}
