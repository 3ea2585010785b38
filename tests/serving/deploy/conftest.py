"""A root with tiny pushed models, and what is generated for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from serving.deploy import Deployment, deploy


@pytest.fixture(scope="session")
def pushed_root(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """half_plus_two with versions 9, 10 (plus three) and 11 (half pushed), and text with version 1."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(saved_models / "half" / "1", root / "serving" / "half_plus_two" / "9")
    shutil.copytree(saved_models / "half" / "2", root / "serving" / "half_plus_two" / "10")
    (root / "serving" / "half_plus_two" / "11").mkdir()
    shutil.copytree(saved_models / "text" / "1", root / "serving" / "text" / "1")
    return root


@pytest.fixture(scope="session")
def deployment(pushed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Everything, for both models, under a registry's name."""
    out = tmp_path_factory.mktemp("out")
    return deploy(pushed_root, out, image="registry.example.com:5000/team/u_net", storage_uri="s3://bucket/serving/")
