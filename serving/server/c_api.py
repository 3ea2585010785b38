"""SavedModels through TensorFlow's C API: TF Serving's own loader and session, without Python's TensorFlow.

Opening `libtensorflow_cc` takes a fraction of a second where `import tensorflow` takes several, a call costs tens of
microseconds, the interpreter's lock is free while it runs, and what loads here loads in TF Serving.
"""

from __future__ import annotations

import ctypes
import functools
import glob
import itertools
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_ubyte, c_void_p
from typing import Any

import numpy as np

from serving import protos, tensors
from serving.errors import Code, ServingError

_STRING_SIZE = 24  # sizeof(TF_TString)
_KNOWS_LAYOUT = sys.byteorder == "little"
"""Whether a short string lies in its TF_TString: four times its length in the first byte, then its bytes."""
_DEALLOCATOR = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)


class _Buffer(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p)]


class _Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


_Outputs, _Handles = POINTER(_Output), POINTER(c_void_p)
_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "TF_NewStatus": (c_void_p, []),
    "TF_DeleteStatus": (None, [c_void_p]),
    "TF_GetCode": (c_int, [c_void_p]),
    "TF_Message": (c_char_p, [c_void_p]),
    "TF_NewGraph": (c_void_p, []),
    "TF_DeleteGraph": (None, [c_void_p]),
    "TF_NewBuffer": (POINTER(_Buffer), []),
    "TF_DeleteBuffer": (None, [POINTER(_Buffer)]),
    "TF_NewSessionOptions": (c_void_p, []),
    "TF_SetConfig": (None, [c_void_p, c_char_p, c_size_t, c_void_p]),
    "TF_DeleteSessionOptions": (None, [c_void_p]),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        [c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, POINTER(_Buffer), c_void_p],
    ),
    "TF_CloseSession": (None, [c_void_p, c_void_p]),
    "TF_DeleteSession": (None, [c_void_p, c_void_p]),
    "TF_GraphOperationByName": (c_void_p, [c_void_p, c_char_p]),
    "TF_OperationNumOutputs": (c_int, [c_void_p]),
    "TF_SessionRun": (
        None,
        [c_void_p, c_void_p, _Outputs, _Handles, c_int, _Outputs, _Handles, c_int, c_void_p, c_int, c_void_p, c_void_p],
    ),
    "TF_NewTensor": (
        c_void_p,
        [c_int, POINTER(c_int64), c_int, c_void_p, c_size_t, _DEALLOCATOR, c_void_p],
    ),
    "TF_AllocateTensor": (c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]),
    "TF_DeleteTensor": (None, [c_void_p]),
    "TF_TensorType": (c_int, [c_void_p]),
    "TF_NumDims": (c_int, [c_void_p]),
    "TF_Dim": (c_int64, [c_void_p, c_int]),
    "TF_TensorByteSize": (c_size_t, [c_void_p]),
    "TF_TensorData": (c_void_p, [c_void_p]),
    "TF_StringCopy": (None, [c_void_p, c_char_p, c_size_t]),
    "TF_StringDealloc": (None, [c_void_p]),
    "TF_StringGetDataPointer": (c_void_p, [c_void_p]),
    "TF_StringGetSize": (c_size_t, [c_void_p]),
    "TF_LoadLibrary": (c_void_p, [c_char_p, c_void_p]),
    "TF_OpIsStateful": (c_ubyte, [c_char_p, c_void_p]),
    "TF_Version": (c_char_p, []),
}


@functools.cache
def library() -> Any:
    """Opens TensorFlow's C library and declares the functions used here.

    Raises:
        ServingError: UNAVAILABLE where the installed TensorFlow has no such library.
    """
    folder = protos.tensorflow_folder()
    found = sorted(glob.glob(os.path.join(glob.escape(folder), "libtensorflow_cc*")))
    if not found:
        raise ServingError(Code.UNAVAILABLE, f"TensorFlow's C library libtensorflow_cc is not in {folder}")
    opened = ctypes.CDLL(found[-1])
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(opened, name)
        function.restype, function.argtypes = result, arguments
    return opened


_config = b""
"""The ConfigProto of sessions; TensorFlow shares the pools of threads among all of them."""


def use_threads(intra_op: int, inter_op: int) -> None:
    """Sets the threads of sessions that are loaded from now on.

    Args:
        intra_op: threads that work on one operation; 0 for one a core.
        inter_op: operations that run side by side; 0 for one a core, -1 runs them in the thread that calls.
    """
    global _config
    _config = protos.config_pb2.ConfigProto(
        intra_op_parallelism_threads=intra_op, inter_op_parallelism_threads=inter_op
    ).SerializeToString()


class _Status:
    """A TF_Status that raises what it holds."""

    def __enter__(self) -> Any:
        self.handle = library().TF_NewStatus()
        return self.handle

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        lib = library()
        code, message = lib.TF_GetCode(self.handle), lib.TF_Message(self.handle).decode("utf-8", "replace")
        lib.TF_DeleteStatus(self.handle)
        if error is None and code:
            raise ServingError(Code(code) if code in Code._value2member_map_ else Code.UNKNOWN, message)


def knows(operation: str) -> bool:
    """Whether an operation of this name is registered."""
    try:
        with _Status() as status:
            library().TF_OpIsStateful(operation.encode(), status)
    except ServingError as error:
        if error.code is not Code.NOT_FOUND:
            raise
        return False
    return True


def load_library(path: str) -> None:
    """Registers the operations of a library, for every session that is loaded from now on.

    Raises:
        ServingError: with TensorFlow's code and message where it does not open.
    """
    with _Status() as status:
        library().TF_LoadLibrary(os.fsencode(path), status)


_alive: dict[int, Any] = {}  # buffers of string tensors that TensorFlow may still read
_numbers = itertools.count(1)


def _release(data: int, length: int, key: int) -> None:
    """Frees a string tensor's buffer, called by TensorFlow when nothing in it uses the tensor any more."""
    for offset in range(0, length, _STRING_SIZE):
        library().TF_StringDealloc(data + offset)
    _alive.pop(key, None)


_release_callback = _DEALLOCATOR(_release)


def _new_tensor(array: np.ndarray) -> int:
    """Returns a TF_Tensor with a copy of the array's values; TF_DeleteTensor frees it."""
    lib = library()
    data_type = tensors.data_type_of(array)
    dims = (c_int64 * array.ndim)(*array.shape)
    if data_type != tensors.STRING:
        handle: int = lib.TF_AllocateTensor(data_type, dims, array.ndim, array.nbytes)
        if array.nbytes:
            contiguous = np.ascontiguousarray(array)
            ctypes.memmove(lib.TF_TensorData(handle), contiguous.ctypes.data, array.nbytes)
        return handle
    values = [tensors.to_bytes(value) for value in array.reshape(-1).tolist()]
    length = len(values) * _STRING_SIZE
    buffer = ctypes.create_string_buffer(max(length, 1))  # zeros: empty strings
    address, key = ctypes.addressof(buffer), next(_numbers)
    for offset, value in zip(range(0, length, _STRING_SIZE), values, strict=True):
        lib.TF_StringCopy(address + offset, value, len(value))
    _alive[key] = buffer
    made: int = lib.TF_NewTensor(data_type, dims, array.ndim, address, length, _release_callback, key)
    return made


def _to_array(handle: int) -> np.ndarray:
    """Returns a copy of a TF_Tensor's values, strings as an object array of bytes."""
    lib = library()
    data_type = lib.TF_TensorType(handle)
    shape = tuple(lib.TF_Dim(handle, axis) for axis in range(lib.TF_NumDims(handle)))
    address, length = lib.TF_TensorData(handle), lib.TF_TensorByteSize(handle)
    if data_type != tensors.STRING:
        raw = ctypes.string_at(address, length) if length else b""
        return np.frombuffer(raw, tensors.numpy_type(data_type)).reshape(shape)
    strings = np.empty(int(np.prod(shape, dtype=np.int64)), object)
    strings[:] = list(_read_strings(address, len(strings)))
    return strings.reshape(shape)


def _read_strings(address: int, count: int) -> Iterator[bytes]:
    """Yields the strings of `count` TF_TStrings; short ones without a call into the library for each."""
    lib = library()
    raw = ctypes.string_at(address, count * _STRING_SIZE) if count else b""
    for offset in range(0, count * _STRING_SIZE, _STRING_SIZE):
        first = raw[offset]
        if _KNOWS_LAYOUT and not first & 3:
            yield raw[offset + 1 : offset + 1 + (first >> 2)]
        else:
            at = address + offset
            yield ctypes.string_at(lib.TF_StringGetDataPointer(at), lib.TF_StringGetSize(at))


def _run(session: int, feeds: Sequence[tuple[_Output, np.ndarray]], fetches: Sequence[_Output]) -> list[np.ndarray]:
    lib = library()
    inputs = (_Output * len(feeds))(*[tensor for tensor, _ in feeds])
    values, results = (c_void_p * len(feeds))(), (c_void_p * len(fetches))()
    outputs = (_Output * len(fetches))(*fetches)
    try:
        for position, (_, array) in enumerate(feeds):
            values[position] = _new_tensor(array)
        with _Status() as status:
            lib.TF_SessionRun(
                *(session, None, inputs, values, len(feeds), outputs, results, len(fetches)),
                *(None, 0, None, status),
            )
        return [_to_array(handle) for handle in results if handle is not None]
    finally:
        for handle in (*values, *results):
            if handle:
                lib.TF_DeleteTensor(handle)


class Session:
    """A SavedModel loaded into a session with its variables restored and its tables initialised.

    Args:
        folder: a version directory that holds `saved_model.pb` or `saved_model.pbtxt`.
        tags: the tags of the meta graph.

    Raises:
        ServingError: with TensorFlow's code and message where it does not load.
    """

    def __init__(self, folder: str, tags: Sequence[str] = ("serve",)) -> None:
        lib = library()
        self._running, self._changed = 0, threading.Condition()
        self._graph = lib.TF_NewGraph()
        options, meta_graph = lib.TF_NewSessionOptions(), lib.TF_NewBuffer()
        encoded = (c_char_p * len(tags))(*[tag.encode() for tag in tags])
        try:
            with _Status() as status:
                lib.TF_SetConfig(options, _config, len(_config), status)
            with _Status() as status:
                self._session = lib.TF_LoadSessionFromSavedModel(
                    options, None, os.fsencode(folder), encoded, len(tags), self._graph, meta_graph, status
                )
            self.meta_graph = ctypes.string_at(meta_graph.contents.data, meta_graph.contents.length)
        except BaseException:
            lib.TF_DeleteGraph(self._graph)
            raise
        finally:
            lib.TF_DeleteSessionOptions(options)
            lib.TF_DeleteBuffer(meta_graph)

    def tensor(self, name: str) -> _Output:
        """Returns the tensor of a name such as "dense/BiasAdd:0"; NOT_FOUND where the graph has none."""
        operation, _, index = name.partition(":")
        found = library().TF_GraphOperationByName(self._graph, operation.encode())
        number = int(index) if index.isdigit() else 0
        if not operation or not found or number >= library().TF_OperationNumOutputs(found):
            raise ServingError(Code.NOT_FOUND, f"Tensor {name}, specified in a signature, is not in the graph.")
        return _Output(found, number)

    def run(self, feeds: Sequence[tuple[_Output, np.ndarray]], fetches: Sequence[_Output]) -> list[np.ndarray]:
        """Returns the values of `fetches` given those of `feeds`. May be called from any thread.

        Raises:
            ServingError: with TensorFlow's code and message where the graph refuses, UNAVAILABLE once it is closed.
        """
        with self._changed:
            session = self._session
            if session is None:
                raise ServingError(Code.UNAVAILABLE, "the model has been unloaded")
            self._running += 1
        try:
            return _run(session, feeds, fetches)
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Frees the session and its memory once the calls under way have returned."""
        lib = library()
        with self._changed:
            session, self._session = self._session, None
        if session:
            with self._changed:
                self._changed.wait_for(lambda: not self._running)
            with _Status() as status:
                lib.TF_CloseSession(session, status)
            with _Status() as status:
                lib.TF_DeleteSession(session, status)
            lib.TF_DeleteGraph(self._graph)
