"""TF Serving's protocol buffers, imported without importing TensorFlow.

The generated modules live in the packages `tensorflow_serving` and `tensorflow.core`, and importing anything below
`tensorflow` normally runs the whole of TensorFlow first, which takes seconds. They only need `protobuf`, so where
TensorFlow is not loaded yet a bare stand-in package is put in its place for as long as they are imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import types

_lock = threading.Lock()
_MODULES = {
    "classification_pb2": "tensorflow_serving.apis.classification_pb2",
    "get_model_metadata_pb2": "tensorflow_serving.apis.get_model_metadata_pb2",
    "get_model_status_pb2": "tensorflow_serving.apis.get_model_status_pb2",
    "inference_pb2": "tensorflow_serving.apis.inference_pb2",
    "input_pb2": "tensorflow_serving.apis.input_pb2",
    "model_management_pb2": "tensorflow_serving.apis.model_management_pb2",
    "model_pb2": "tensorflow_serving.apis.model_pb2",
    "predict_pb2": "tensorflow_serving.apis.predict_pb2",
    "prediction_log_pb2": "tensorflow_serving.apis.prediction_log_pb2",
    "regression_pb2": "tensorflow_serving.apis.regression_pb2",
    "model_server_config_pb2": "tensorflow_serving.config.model_server_config_pb2",
    "file_system_storage_path_source_pb2": "tensorflow_serving.config.file_system_storage_path_source_pb2",
    "example_pb2": "tensorflow.core.example.example_pb2",
    "feature_pb2": "tensorflow.core.example.feature_pb2",
    "saved_model_pb2": "tensorflow.core.protobuf.saved_model_pb2",
    "config_pb2": "tensorflow.core.protobuf.config_pb2",
    "meta_graph_pb2": "tensorflow.core.protobuf.meta_graph_pb2",
    "tensor_pb2": "tensorflow.core.framework.tensor_pb2",
    "types_pb2": "tensorflow.core.framework.types_pb2",
}


def tensorflow_folder() -> str:
    """Returns the folder of the installed TensorFlow package, found without importing it."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.origin:
        raise ModuleNotFoundError("TensorFlow is not installed: pip install tensorflow", name="tensorflow")
    return os.path.dirname(spec.origin)  # TensorFlow adds folders of other packages to its __path__


def _import_all() -> dict[str, types.ModuleType]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return {name: importlib.import_module(path) for name, path in _MODULES.items()}
    stand_in = types.ModuleType("tensorflow")
    stand_in.__path__ = [tensorflow_folder()]
    sys.modules["tensorflow"] = stand_in
    try:
        return {name: importlib.import_module(path) for name, path in _MODULES.items()}
    finally:
        # A later `import tensorflow` in this process must find the real package.
        del sys.modules["tensorflow"]


def __getattr__(name: str) -> types.ModuleType:
    """Imports the generated modules at the first use of one of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with _lock:
        if name not in globals():
            globals().update(_import_all())
    module: types.ModuleType = globals()[name]
    return module
