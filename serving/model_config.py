"""Where pushed models lie and what describes them; TF Serving's model config file for them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

DESCRIPTION = "assets.extra/ann_keras.json"
"""Beside a pushed model: the triple and the features that a client encodes."""


def model_config_text(models: Mapping[str, str | os.PathLike[str]]) -> str:
    """Returns a ModelServerConfig in text format for model names and their base paths."""
    entries = (
        f"  config {{ name: {json.dumps(name)} base_path: {json.dumps(os.path.abspath(path))} "
        'model_platform: "tensorflow" }\n'
        for name, path in models.items()
    )
    return "model_config_list {\n" + "".join(entries) + "}\n"


def models_of_root(root: str | os.PathLike[str]) -> dict[str, str]:
    """Returns the base path of every model of ROOT/serving that has a version directory, by name."""
    folder = Path(root) / "serving"
    return {
        entry.name: str(entry.absolute())
        for entry in (sorted(folder.iterdir()) if folder.is_dir() else [])
        if entry.is_dir() and any(child.name.isdigit() for child in entry.iterdir())
    }
