"""The operations of TensorFlow Text, which TF Serving links in: here they are loaded for a model that uses one.

A SavedModel begins with the list of the operations it uses, so that nothing of a model without text is read twice, and
no library is opened for it. TensorFlow itself would load a graph whose functions it cannot run.
"""

from __future__ import annotations

import functools
import glob
import importlib.util
import os
from collections.abc import Iterator
from typing import IO

from serving import protos
from serving.errors import Code, ServingError
from serving.server import c_api

_META_GRAPHS, _META_INFO = 2, 1
"""Numbers of the fields SavedModel.meta_graphs and MetaGraphDef.meta_info_def."""
_VARINT, _SIZES = 0, {1: 8, 5: 4}
"""Types of fields on the wire: a number of varying length, and the bytes of the others that are not strings."""


def register(folder: str) -> None:
    """Makes the operations that a SavedModel uses known to TensorFlow.

    Args:
        folder: the version directory.

    Raises:
        ServingError: NOT_FOUND where neither TensorFlow nor TensorFlow Text has one.
    """
    missing = [name for name in used(folder) if not c_api.knows(name)]
    if not missing:
        return
    is_installed = importlib.util.find_spec("tensorflow_text") is not None
    if is_installed:
        _load_text_libraries()
    for name in missing:
        if not c_api.knows(name):
            text = "which may have it, is not installed: pip install tensorflow-text"
            known = "and TensorFlow Text has none either" if is_installed else f"and TensorFlow Text, {text}"
            message = f"the model's operation {name!r} is not one of TensorFlow's, {known}"
            raise ServingError(Code.NOT_FOUND, message)


@functools.cache
def _load_text_libraries() -> None:
    """Opens all of them: together they take about as long as the largest one."""
    spec = importlib.util.find_spec("tensorflow_text")  # which imports nothing
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(glob.glob(os.path.join(glob.escape(folder), "python", "ops", "*.so"))):
            c_api.load_library(path)


def used(folder: str) -> list[str]:
    """The names of the operations that a SavedModel says it uses; none where it says nothing, or cannot be read."""
    try:
        with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
            return sorted({name for listed in _lists(file) for name in listed})
    except OSError:
        return []  # loading it says what is wrong


def _lists(file: IO[bytes]) -> Iterator[list[str]]:
    """The names in the list of each meta graph, whose other fields are not read."""
    from google.protobuf.message import DecodeError

    end = os.fstat(file.fileno()).st_size
    for number, graph_end in _fields(file, end):
        if number != _META_GRAPHS:
            continue
        for inner, inner_end in _fields(file, graph_end):
            if inner == _META_INFO:
                try:
                    info = protos.meta_graph_pb2.MetaGraphDef.MetaInfoDef.FromString(file.read(inner_end - file.tell()))
                except DecodeError:
                    return
                yield [operation.name for operation in info.stripped_op_list.op]


def _fields(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """Yields number and end of each field of a message that holds bytes, with the file at its first one."""
    while 0 <= file.tell() < end:
        key = _varint(file)
        kind = key & 7
        if kind == _VARINT:
            _varint(file)
        elif kind in _SIZES:
            file.seek(_SIZES[kind], os.SEEK_CUR)
        elif kind == 2:
            after = _varint(file) + file.tell()
            if after > end:
                return
            yield key >> 3, after
            file.seek(after)
        else:
            return


def _varint(file: IO[bytes]) -> int:
    value = shift = 0
    while shift < 70:
        byte = file.read(1)
        value |= (byte[0] & 127) << shift if byte else 0
        if not byte or byte[0] < 128:
            break
        shift += 7
    return value
