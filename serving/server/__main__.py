"""`python -m serving.server --root ann-runs`: serves the models of a folder over REST and gRPC."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr, flush=True)
    return 1


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
    from serving.server.models import ModelManager, announce_to_stderr, from_root, read_config_file
    from serving.server.versions import ModelConfig

    if flags.root:
        source = from_root(flags.root)
    elif flags.model_config_file:
        try:
            configs = read_config_file(flags.model_config_file)
        except ServingError as error:
            return _complain(error.message)
        rereads = flags.model_config_file_poll_wait_seconds > 0
        source = (lambda: read_config_file(flags.model_config_file)) if rereads else (lambda: configs)
    else:
        configs = {flags.model_name: ModelConfig(flags.model_base_path)}
        source = lambda: configs  # noqa: E731
    models = ModelManager(source, flags.file_system_poll_wait_seconds, announce_to_stderr)
    models.start()  # before the imports below: the models load meanwhile

    from serving.server import app

    try:
        asyncio.run(app.serve(flags, models))
    except app.PortError as error:
        return _complain(str(error))
    models.stop()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # TensorFlow's threads have nothing left to do, and taking them down one by one takes long
