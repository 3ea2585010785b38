"""Version directories on disk, and whether one is whole or still being copied.

Nothing in a SavedModel says where it ends, so a directory counts as whole once its files have rested for a moment. What
a copy that rests for longer leaves behind is found out later: a version is loaded again when its files have changed.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from typing import NamedTuple

from serving import protos
from serving.errors import Code, ServingError

SETTLE_SECONDS = 1.0
"""How long the files of a version must have rested."""
_VARIABLE_OPS = frozenset({"VarHandleOp", "VariableV2", "Variable"})


class Look(NamedTuple):
    """What one look at a version directory saw.

    Attributes:
        files: their paths, sizes and times of modification; equal for looks between which nothing was written.
        changed: when, in seconds since the epoch, the last of them was touched in any way.
    """

    files: frozenset[tuple[str, int, int]]
    changed: float


def version_folders(base_path: str) -> dict[int, str]:
    """Returns the version directories under a base path that have a graph.

    Raises:
        OSError: where the base path cannot be read.
    """
    found = {}
    for name in os.listdir(base_path):
        folder = os.path.join(base_path, name)
        graphs = ("saved_model.pb", "saved_model.pbtxt")
        is_version = re.fullmatch(r"[0-9]{1,19}", name) and int(name) < 1 << 63
        if is_version and any(os.path.isfile(os.path.join(folder, graph)) for graph in graphs):
            found[int(name)] = folder
    return found


def look(folder: str) -> Look:
    """Looks at every file of a version directory, without opening any."""
    files, changed = set(), 0.0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                entry = os.stat(path)
                files.add((path, entry.st_size, entry.st_mtime_ns))
                changed = max(changed, entry.st_ctime)  # unlike mtime, no copy sets it back
    return Look(frozenset(files), changed)


class Settling:
    """Tells the versions of a model that rest from those that are being written.

    Args:
        seconds: how long a version must have rested; 0 takes all as they are.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[int, tuple[frozenset[tuple[str, int, int]], float]] = {}

    def rests(self, version: int, seen: Look) -> bool:
        """Whether nothing has been written to a version for long enough, as far as this look can tell."""
        now = time.monotonic()
        files, since = self._seen.get(version, (None, now))
        if files != seen.files:
            self._seen[version], since = (seen.files, now), now
        # The second is for file systems whose clock is ahead of ours.
        has_rested = time.time() - seen.changed >= self._seconds or now - since >= self._seconds
        if has_rested:
            self._seen.pop(version, None)
        return has_rested


def check_variables(folder: str) -> None:
    """Raises where a graph has variables and its directory none.

    TensorFlow would load it, and every request would fail for variables without a value.
    """
    path = os.path.join(folder, "saved_model.pb")
    if os.path.isfile(os.path.join(folder, "variables", "variables.index")) or not os.path.isfile(path):
        return
    from google.protobuf.message import DecodeError

    with open(path, "rb") as file:
        try:
            saved_model = protos.saved_model_pb2.SavedModel.FromString(file.read())
        except DecodeError:
            return  # loading it says what is wrong
    for meta_graph in saved_model.meta_graphs:
        if any(node.op in _VARIABLE_OPS for node in meta_graph.graph_def.node):
            raise ServingError(
                Code.NOT_FOUND, f"the graph has variables, but {folder}/variables/variables.index is absent"
            )
