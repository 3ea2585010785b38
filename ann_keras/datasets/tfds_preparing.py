"""Downloads and prepares a TFDS builder, and says in one line why that fails."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ann_keras.datasets.base import DatasetError
from ann_keras.datasets.tfds_reading import one_line

CONNECT_SECONDS = 5.0


def data_dir() -> str | None:
    """TFDS_DATA_DIR, or None for TFDS's own default."""
    return os.environ.get("TFDS_DATA_DIR") or None


def place() -> str:
    """Where prepared data is looked for, in words."""
    chosen = data_dir()
    return f"TFDS_DATA_DIR={chosen}" if chosen else "~/tensorflow_datasets (TFDS_DATA_DIR is not set)"


def prepared(opened: Callable[..., Any], argument: str) -> Any:
    """The builder that `opened` gives for a `data_dir`, downloaded and prepared where it is not yet.

    Args:
        opened: a class of builders, or `tfds.builder` of a name.
        argument: that name, as the user spelt it.

    Raises:
        DatasetError: for a name that TFDS does not know, and as of `prepare`.
    """
    import tensorflow_datasets as tfds

    try:
        builder = opened(data_dir=data_dir())
    except tfds.core.registered.DatasetNotFoundError:
        raise DatasetError(f"TFDS knows no dataset {argument!r}, and none is prepared in {place()}") from None
    except Exception as error:  # a bad configuration or version raises whatever the builder thinks fit
        raise DatasetError(f"TFDS cannot open {argument!r}: {one_line(str(error))[:300]}") from None
    prepare(builder, argument)
    return builder


def prepare(builder: Any, name: str) -> None:
    """Downloads and prepares what is not yet prepared.

    Args:
        builder: a TFDS builder.
        name: as the user spelt it.

    Raises:
        DatasetError: for a folder that cannot be written, no network, and whatever else fails.
    """
    if builder.is_prepared():
        return
    advice = f"it is not prepared in {place()}; point TFDS_DATA_DIR at a folder where it is, or that can be written"
    if not _writable(Path(builder.data_path)):
        raise DatasetError(f"{place()} cannot be written, and {name!r} is not prepared there; choose another folder")
    check_connection({urlsplit(url).hostname or "" for url in builder.url_infos or {}}, name, advice)
    try:
        builder.download_and_prepare()
    except DatasetError:
        raise
    except Exception as error:  # network, disk, checksums, manual downloads: each has its own
        raise DatasetError(f"TFDS cannot prepare {name!r}: {one_line(str(error))[:300]}; {advice}") from None


def check_connection(hosts: Collection[str], name: str, advice: str) -> None:
    """Raises a DatasetError if none of `hosts` answers; TFDS itself tries for more than three minutes."""
    hosts = sorted(set(hosts) - {""})
    behind_proxy = any(variable.lower() == "https_proxy" for variable in os.environ)
    if hosts and not behind_proxy and not any(map(_answers, hosts)):
        raise DatasetError(f"TFDS cannot download {name!r}: no connection to {hosts[0]}; {advice}")


def _answers(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _writable(path: Path) -> bool:
    """Whether a folder can be made at `path`, as far as its nearest existing parent says."""
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
