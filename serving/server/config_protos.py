"""The server's configuration files, read as the messages that TF Serving defines for them.

`tensorflow-serving-api` has the protocol buffers of requests and of the model config file, but not those of the other
files; their descriptors are made here, with TF Serving's package, names and numbers.
"""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from serving import protos
from serving.errors import Code, ServingError

_FILE = "serving/server/config_files.proto"
_WRAPPERS = wrappers_pb2.DESCRIPTOR.name
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "bool": _Field.TYPE_BOOL, "int64": _Field.TYPE_INT64}
_MESSAGES: dict[str, tuple[tuple[str, int, str], ...]] = {
    "SSLConfig": (
        ("server_key", 1, "string"),
        ("server_cert", 2, "string"),
        ("custom_ca", 3, "string"),
        ("client_verify", 4, "bool"),
    ),
    "PrometheusConfig": (("enable", 1, "bool"), ("path", 2, "string")),
    "MonitoringConfig": (("prometheus_config", 1, "tensorflow.serving.PrometheusConfig"),),
    "BatchingParameters": (
        ("max_batch_size", 1, "google.protobuf.Int64Value"),
        ("batch_timeout_micros", 2, "google.protobuf.Int64Value"),
        ("max_enqueued_batches", 3, "google.protobuf.Int64Value"),
        ("num_batch_threads", 4, "google.protobuf.Int64Value"),
        ("thread_pool_name", 5, "google.protobuf.StringValue"),
        ("allowed_batch_sizes", 6, "repeated int64"),
        ("pad_variable_length_inputs", 7, "bool"),
        ("enable_large_batch_splitting", 8, "google.protobuf.BoolValue"),
        ("max_execution_batch_size", 9, "google.protobuf.Int64Value"),
    ),
}


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    repeated, _, kind = kind.rpartition(" ")
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{kind}"


@functools.cache
def _classes() -> dict[str, Any]:
    """Returns the message classes by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name=_FILE, package="tensorflow.serving", syntax="proto3", dependency=[_WRAPPERS]
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    descriptors = {name: pool.FindMessageTypeByName(f"tensorflow.serving.{name}") for name in _MESSAGES}
    if hasattr(message_factory, "GetMessageClass"):
        return {name: message_factory.GetMessageClass(one) for name, one in descriptors.items()}
    factory: Any = message_factory.MessageFactory(pool)  # protobuf 3.20
    return {name: factory.GetPrototype(one) for name, one in descriptors.items()}


def read(path: str, message: Any, what: str) -> Any:
    """Returns `message`, filled from a file in protobuf's text format.

    Args:
        path: the file.
        message: an empty one of the type that the file holds.
        what: what the file is, for the error.

    Raises:
        ServingError: where it cannot be read, naming the file and what is wrong.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text_format.Parse(file.read(), message)
    except OSError as error:
        raise ServingError(Code.NOT_FOUND, f"{what} {path}: {error.strerror}") from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ServingError(Code.INVALID_ARGUMENT, f"{what}: Invalid protobuf file: '{path}': {reason}") from None
    return message


def read_batching_parameters(path: str) -> Any:
    """Returns the BatchingParameters message of a file; see `read` for the errors."""
    return read(path, _classes()["BatchingParameters"](), "batching parameters file")


def read_monitoring_config(path: str) -> Any:
    """Returns the MonitoringConfig message of a file; see `read` for the errors."""
    return read(path, _classes()["MonitoringConfig"](), "monitoring config file")


def read_ssl_config(path: str) -> Any:
    """Returns the SSLConfig message of a file; see `read` for the errors."""
    return read(path, _classes()["SSLConfig"](), "SSL config file")


def read_model_server_config(path: str) -> Any:
    """Returns the ModelServerConfig message of a file; see `read` for the errors."""
    return read(path, protos.model_server_config_pb2.ModelServerConfig(), "model config file")
