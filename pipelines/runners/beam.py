"""Where Beam pipelines run if nobody says otherwise. Nothing of Beam or TFX is imported for it."""

from __future__ import annotations

from collections.abc import Sequence

LOCAL_BEAM = ("--runner=FnApiRunner", "--sdk_container_image=none")
"""In this process. Without the second, TFX packs its own sources up for remote workers before each Beam pipeline."""


def beam_args(given: Sequence[str]) -> list[str]:
    """The arguments of every Beam component: the user's, and the local runner where they name none."""
    named = any(argument.startswith("--runner") for argument in given)
    return [*(() if named else LOCAL_BEAM), *given]
