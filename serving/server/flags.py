"""The server's command line: TF Serving's flags in its spelling and with hyphens, and a few of our own.

A flag that TF Serving does not know is an error; one that it knows and that changes nothing here is a warning.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from ann_keras import __version__

_FLAGS: tuple[tuple[str, type, object, str], ...] = (
    ("port", int, 8500, "gRPC port; 0 picks a free one, or none where --grpc_socket_path is given"),
    ("grpc_socket_path", str, "", "UNIX socket to listen at for gRPC too"),
    ("grpc_channel_arguments", str, "", "options of the gRPC server: grpc.max_connection_age_ms=2000,..."),
    ("rest_api_port", int, 0, "REST port; 0 serves no REST, or picks a free port where --ready_file can tell it"),
    ("rest_api_timeout_in_ms", int, 30000, "time for a REST request"),
    ("rest_api_num_threads", int, 4 * (os.cpu_count() or 1), "threads that parse and answer requests"),
    ("model_name", str, "default", "name of the one model at --model_base_path"),
    ("model_base_path", str, "", "folder with a model's version directories"),
    ("model_config_file", str, "", "ModelServerConfig in text format, for several models"),
    ("model_config_file_poll_wait_seconds", float, 0.0, "time between two reads of that file; 0 reads it once"),
    ("file_system_poll_wait_seconds", float, 1.0, "time between two looks for new versions; 0 looks once, -1 never"),
    ("allow_version_labels_for_unavailable_models", bool, False, "new labels may name versions that are not loaded"),
    ("enable_model_warmup", bool, True, "replay a version's assets.extra/tf_serving_warmup_requests before it serves"),
    ("max_num_load_retries", int, 5, "how often a version that failed to load is tried again"),
    ("load_retry_interval_micros", int, 60_000_000, "time between two attempts"),
    ("enable_batching", bool, False, "requests that arrive together share a run of the graph"),
    ("batching_parameters_file", str, "", "BatchingParameters in text format, with --enable_batching"),
    (
        "tensorflow_session_parallelism",
        int,
        0,
        "threads for both of the next two; 0: a share of the cores with batching",
    ),
    ("tensorflow_intra_op_parallelism", int, 0, "threads that work on one operation; 0 lets TensorFlow choose"),
    ("tensorflow_inter_op_parallelism", int, 0, "operations that run side by side; 0 lets TensorFlow choose"),
    ("monitoring_config_file", str, "", "MonitoringConfig in text format: metrics for Prometheus on the REST port"),
    ("ssl_config_file", str, "", "SSLConfig in text format: TLS for gRPC; REST stays in clear, as TF Serving's does"),
    ("enable_grpc_healthcheck_service", bool, False, "serve grpc.health.v1 too"),
    ("host", str, "127.0.0.1", "address to listen at; 0.0.0.0 for all, as TF Serving does"),
    ("root", str, "", "serve every model of ROOT/serving, those that appear later too"),
    ("parent_pid", int, 0, "stop when this process, which started the server, ends"),
    ("ready_file", str, "", "where to write the ports as JSON once the models present are loaded"),
    ("max_body_bytes", int, 1 << 30, "largest REST request"),
    ("version", bool, False, "show the versions and end"),
)

_WITHOUT_EFFECT: tuple[str, ...] = (
    "enable_per_model_batching_parameters",
    "enable_profiler",
    "enable_serialization_as_tensor_content",
    "enable_signature_method_name_check",
    "flush_filesystem_caches",
    "force_allow_any_version_labels_for_unavailable_models",
    "grpc_max_threads",
    "mixed_precision",
    "num_load_threads",
    "num_request_iterations_for_warmup",
    "num_tflite_interpreters_per_pool",
    "num_tflite_pools",
    "num_unload_threads",
    "per_process_gpu_memory_fraction",
    "platform_config_file",
    "prefer_tflite_model",
    "remove_unused_fields_from_bundle_metagraph",
    "rest_api_enable_cors_support",
    "saved_model_tags",
    "skip_initialize_tpu",
    "tensorflow_session_config_file",
    "thread_pool_factory_config_file",
    "use_alts_credentials",
    "use_tflite_model",
    "xla_cpu_compilation_enabled",
    "xla_gpu_compilation_enabled",
)
_NOT_NEGATIVE = ("rest_api_timeout_in_ms", "model_config_file_poll_wait_seconds", "max_num_load_retries")
_AT_LEAST_ONE = ("rest_api_num_threads", "max_body_bytes")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Ends the process with one line; the usage is long, and --help shows it."""
        self.exit(2, f"error: {message}\n")


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"it is true or false, not {text!r}")
    return values[text.lower()]


def _spellings(name: str) -> list[str]:
    return list(dict.fromkeys((f"--{name}", f"--{name.replace('_', '-')}")))


def _parser() -> _Parser:
    parser = _Parser("tensorflow_model_server", description=__doc__, allow_abbrev=False)
    for name, kind, default, text in _FLAGS:
        shown: dict[str, Any] = {"dest": name, "default": default, "help": f"{text} (default: {default!r})"}
        if kind is bool:
            parser.add_argument(*_spellings(name), type=_boolean, nargs="?", const=True, metavar="BOOL", **shown)
        else:
            parser.add_argument(*_spellings(name), type=kind, **shown)
    for name in _WITHOUT_EFFECT:
        parser.add_argument(*_spellings(name), nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the flags; a wrong one ends the process with code 2 and a line that names it, --version with code 0."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    if flags.version:
        print(version_text(), flush=True)
        parser.exit(0)
    _check(parser, flags)
    ignored = [f"--{name}" for name in _WITHOUT_EFFECT if getattr(flags, name) is not None]
    if ignored:
        print(f"warning: without effect in this server: {', '.join(ignored)}", file=sys.stderr, flush=True)
    return flags


def _check(parser: _Parser, flags: argparse.Namespace) -> None:
    """Ends the process where values cannot be, or cannot be together."""
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) <= 65535:
            parser.error(f"--{name} must be from 0 to 65535, not {getattr(flags, name)}")
    for name in _NOT_NEGATIVE:
        if getattr(flags, name) < 0:
            parser.error(f"--{name} must not be negative, but is {getattr(flags, name)}")
    for name in _AT_LEAST_ONE:
        if getattr(flags, name) < 1:
            parser.error(f"--{name} must be at least 1, not {getattr(flags, name)}")
    given = bool(flags.root) + bool(flags.model_config_file or flags.model_base_path)
    if given != 1:  # TF Serving ignores the base path where there is a config file
        parser.error("give exactly one of --root, --model_config_file and --model_base_path (with --model_name)")
    if flags.batching_parameters_file and not flags.enable_batching:
        parser.error("--batching_parameters_file is set without setting --enable_batching to true")
    if flags.port and flags.port == flags.rest_api_port:
        parser.error(f"--rest_api_port cannot be same as --port: {flags.port}")
    try:
        channel_options(flags.grpc_channel_arguments)
    except ValueError as error:
        parser.error(str(error))


def channel_options(text: str) -> list[tuple[str, int | str]]:
    """Returns gRPC options from "key=value,key=value"; numbers are numbers, the rest is text.

    Raises:
        ValueError: naming the part that is no "key=value".
    """
    options: list[tuple[str, int | str]] = []
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("=")
        if not key or not separator:
            raise ValueError(f"--grpc_channel_arguments: {part!r} is not of the form key=value")
        is_number = value.removeprefix("-").isdecimal() and -(1 << 31) <= int(value) < 1 << 31
        options.append((key, int(value) if is_number else value))
    return options


def version_text() -> str:
    """Returns what --version shows, in TF Serving's form: of the protocol with our own, and of TensorFlow."""
    ours = f"{metadata.version('tensorflow-serving-api')}+ann_keras.{__version__}"
    return f"TensorFlow ModelServer: {ours}\nTensorFlow Library: {metadata.version('tensorflow')}"
