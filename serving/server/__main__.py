"""`python -m serving.server --root ann-runs`: serves the models of a folder over REST and gRPC."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr, flush=True)
    return 1


def _models(flags: argparse.Namespace, metrics: Any) -> Any:
    """Returns the manager of the models that the flags name."""
    from serving.server import config
    from serving.server.models import ModelManager, announce_to_stderr
    from serving.server.versions import Loader

    source_seconds: float | None = flags.model_config_file_poll_wait_seconds
    if flags.root:
        source, source_seconds = config.from_root(flags.root), None
    elif flags.model_config_file:
        source = lambda: config.read_config_file(flags.model_config_file)  # noqa: E731
    else:
        configs = {flags.model_name: config.ModelConfig(os.path.abspath(flags.model_base_path))}
        source = lambda: configs  # noqa: E731
    retry_seconds = flags.load_retry_interval_micros / 1e6
    return ModelManager(
        source,
        flags.file_system_poll_wait_seconds,
        announce_to_stderr,
        source_seconds,
        Loader(flags.enable_model_warmup, metrics, flags.max_num_load_retries, retry_seconds),
        flags.allow_version_labels_for_unavailable_models,
    )


def _metrics(flags: argparse.Namespace) -> Any:
    """Returns what is counted, and shown where the flags say so."""
    from serving.server import monitoring

    if not flags.monitoring_config_file:
        return monitoring.Metrics()
    from serving.server.config_protos import read_monitoring_config

    return monitoring.for_config(read_monitoring_config(flags.monitoring_config_file))


def _batching(flags: argparse.Namespace) -> Any:
    """Returns how requests are merged, None where they are not."""
    if not flags.enable_batching:
        return None
    from serving.server.batching import Parameters
    from serving.server.config_protos import read_batching_parameters

    path = flags.batching_parameters_file
    return Parameters.of(read_batching_parameters(path)) if path else Parameters()


def _use_threads(flags: argparse.Namespace, batching: Any) -> None:
    """Gives TensorFlow the threads that the flags say; with batching, the batches that run side by side share the cores
    and each runs in the thread that formed it: pools on top of those would only get in each other's way.
    """
    from serving.server import c_api

    share = max(1, (os.cpu_count() or 1) // batching.num_batch_threads) if batching else 0
    both = flags.tensorflow_session_parallelism
    c_api.use_threads(
        flags.tensorflow_intra_op_parallelism or both or share,
        flags.tensorflow_inter_op_parallelism or both or (-1 if batching else 0),
    )


def _credentials(flags: argparse.Namespace) -> Any:
    """Returns TLS for gRPC, None where it is in clear."""
    if not flags.ssl_config_file:
        return None
    from serving.server.config_protos import read_ssl_config
    from serving.server.credentials import server_credentials

    return server_credentials(read_ssl_config(flags.ssl_config_file), flags.ssl_config_file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the server until it is told to stop.

    Args:
        arguments: the command line; this process's where None.

    Returns:
        The exit code: 0 after SIGTERM or SIGINT, 1 where it cannot serve.
    """
    from serving.server.flags import parse

    flags = parse(arguments)

    from serving.errors import ServingError
    from serving.server import memory

    memory.tune()
    try:
        metrics, batching, credentials = _metrics(flags), _batching(flags), _credentials(flags)
        _use_threads(flags, batching)
        models = _models(flags, metrics)
        models.start()  # before the imports below: the models load meanwhile
    except ServingError as error:
        return _complain(error.message)

    import uvloop

    from serving.server import app

    try:
        uvloop.run(app.serve(flags, models, app.Settings(metrics, batching, credentials)))
    except app.PortError as error:
        return _complain(str(error))
    finally:
        models.stop()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # TensorFlow's threads have nothing left to do, and taking them down one by one takes long
