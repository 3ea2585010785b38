"""The server's command line, in TF Serving's spelling and with hyphens."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

_FLAGS: tuple[tuple[str, type, object, str], ...] = (
    ("port", int, 8500, "gRPC port; 0 picks a free one"),
    ("rest_api_port", int, 8501, "REST port; 0 picks a free one"),
    ("host", str, "127.0.0.1", "address to listen at"),
    ("model_name", str, "default", "name of the one model at --model_base_path"),
    ("model_base_path", str, "", "folder with a model's version directories"),
    ("model_config_file", str, "", "ModelServerConfig in text format, for several models"),
    ("model_config_file_poll_wait_seconds", float, 0.0, "time between two reads of that file; 0 reads it once"),
    ("root", str, "", "serve every model of ROOT/serving, those that appear later too"),
    ("file_system_poll_wait_seconds", float, 1.0, "time between two looks for new versions; 0 looks once"),
    ("parent_pid", int, 0, "stop when this process, which started the server, ends"),
    ("ready_file", str, "", "where to write the ports as JSON once the models present are loaded"),
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the flags; a wrong one ends the process with code 2 and a line that names it."""
    parser = argparse.ArgumentParser("python -m serving.server", description=__doc__, allow_abbrev=False)
    for name, kind, default, text in _FLAGS:
        spellings = {f"--{name}": None, f"--{name.replace('_', '-')}": None}
        parser.add_argument(*spellings, dest=name, type=kind, default=default, help=f"{text} (default: {default!r})")
    flags = parser.parse_args(arguments)
    for name in ("port", "rest_api_port"):
        if not 0 <= getattr(flags, name) <= 65535:
            parser.error(f"--{name} must be from 0 to 65535, not {getattr(flags, name)}")
    given = [name for name in ("root", "model_config_file", "model_base_path") if getattr(flags, name)]
    if len(given) != 1:
        parser.error("give exactly one of --root, --model_config_file and --model_base_path (with --model_name)")
    return flags
