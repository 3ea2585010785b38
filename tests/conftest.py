"""What every test stands on: the environment, and where the data sets are."""

from __future__ import annotations

import os
from pathlib import Path

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import hypothesis
import pytest

# A slow or busy machine is no fault of the code.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


def _folder_from(variable: str) -> Path:
    """The folder that an environment variable names; without it a test is skipped, in CI failed."""
    value = os.environ.get(variable)
    if value and Path(value).is_dir():
        return Path(value).resolve()
    reason = f"{variable}={value} is not a folder" if value else f"{variable} is not set"
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(f"{reason}; CI runs every test", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of plain data sets (ANN_DATA_DIR)."""
    return _folder_from("ANN_DATA_DIR")


@pytest.fixture(scope="session")
def tfds_dir() -> Path:
    """The folder of prepared TensorFlow Datasets (TFDS_DATA_DIR)."""
    return _folder_from("TFDS_DATA_DIR")
