"""Folders of artifacts, which lie on a disk here and in an object store on a cluster."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

SAVED_MODEL = "Format-Serving"
"""The folder of TFX's Model artifact that holds the SavedModel."""
NOT_BLESSED = "INFRA_NOT_BLESSED"
"""The file of an InfraBlessing that says what was wrong; TFX's InfraValidator names it so too."""


def is_remote(uri: str) -> bool:
    """Whether a URI names an object store, such as gs://bucket/folder."""
    return "://" in uri


@contextlib.contextmanager
def reading(uri: str) -> Iterator[Path]:
    """A local folder with what lies at `uri`: the folder itself, or a copy for as long as the context lasts."""
    if not is_remote(uri):
        yield Path(uri)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy(uri, folder)
        yield Path(folder)


@contextlib.contextmanager
def writing(uri: str) -> Iterator[Path]:
    """A local folder whose files end up at `uri`: the folder itself, or one that is copied there when the context
    ends well.
    """
    if not is_remote(uri):
        folder = Path(uri)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)
        copy(temporary, uri)


def copy(source: str, target: str) -> None:
    """Copies a folder of files, by whatever file systems TensorFlow knows."""
    for folder, _, files in tf.io.gfile.walk(source):
        relative = os.path.relpath(folder, source) if not is_remote(source) else folder[len(source) :].strip("/")
        into = target if relative in ("", ".") else f"{target.rstrip('/')}/{relative}"
        tf.io.gfile.makedirs(into)
        for name in files:
            tf.io.gfile.copy(f"{folder.rstrip('/')}/{name}", f"{into}/{name}", overwrite=True)
