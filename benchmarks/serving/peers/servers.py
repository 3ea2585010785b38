"""The peers as running servers, each from a virtual environment that is made where it is missing."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.environments import environment as made_in
from benchmarks.environments import installed_version
from benchmarks.serving.models import LENET5, Models
from benchmarks.serving.requests import http_request, input_name

HERE = Path(__file__).resolve().parent
READY_SECONDS = 120.0
# MLServer 1.7 needs a newer protobuf than TensorFlow 2.16 allows; 1.6 needs pkg_resources, which setuptools 81 no
# longer has, and an event loop that uvloop 0.22 no longer makes by itself.
PACKAGES = {
    "fastapi": ["fastapi", "uvicorn[standard]"],
    "mlserver": ["mlserver<1.7", "setuptools<81", "uvloop<0.22"],
}


@dataclass(frozen=True)
class Peer:
    """A running server.

    Attributes:
        title: its name and version.
        address: "127.0.0.1:port".
    """

    title: str
    address: str


def environment(name: str, folder: Path) -> Path:
    """Returns the folder of a peer's executables, installed with this environment's TensorFlow if not there yet."""
    return made_in(folder / name, [*PACKAGES[name], f"tensorflow=={version('tensorflow')}"])


@contextlib.contextmanager
def fastapi(made: Models, binaries: Path, port: int) -> Iterator[Peer]:
    """Runs the FastAPI application under uvicorn, as its documentation starts it."""
    command = [str(binaries / "uvicorn"), "fastapi_app:app", "--app-dir", str(HERE), "--port", str(port)]
    variables = {name.upper(): str(path) for name, path in made.saved_models.items()}
    title = f"FastAPI {installed_version(binaries, 'fastapi')}"
    with running([*command, "--log-level", "warning"], variables, f"http://127.0.0.1:{port}/openapi.json"):
        yield Peer(title, f"127.0.0.1:{port}")


@contextlib.contextmanager
def mlserver(made: Models, binaries: Path, port: int) -> Iterator[Peer]:
    """Runs MLServer with both models."""
    with tempfile.TemporaryDirectory(prefix="mlserver-") as folder:
        settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        Path(folder, "settings.json").write_text(json.dumps({**settings, "debug": False}))
        for name, saved_model in made.saved_models.items():
            place = Path(folder, name)
            place.mkdir()
            model = {"name": name, "implementation": "mlserver_runtime.SavedModel"}
            document = {**model, "parameters": {"uri": str(saved_model), "version": "1"}}
            (place / "model-settings.json").write_text(json.dumps(document))
        title = f"MLServer {installed_version(binaries, 'mlserver')}"
        ready = f"http://127.0.0.1:{port}/v2/health/ready"
        with running([str(binaries / "mlserver"), "start", folder], {"PYTHONPATH": str(HERE)}, ready):
            yield Peer(title, f"127.0.0.1:{port}")


@contextlib.contextmanager
def running(command: Sequence[str], variables: Mapping[str, str], ready_url: str) -> Iterator[None]:
    """Runs a server until the context ends; begins once `ready_url` answers 200."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while not _answers(ready_url):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    sys.exit(f"{command[0]} does not serve:\n{log.read().decode(errors='replace')[-2000:]}")
                time.sleep(0.1)
            yield
        finally:
            # Some of its workers outlive a parent that is told to stop.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def fastapi_request(model: str, values: Sequence[Any]) -> bytes:
    """Returns a whole HTTP request to the FastAPI application."""
    instances = [base64.b64encode(one).decode() if isinstance(one, bytes) else one for one in values]
    return http_request(f"/{model}", {"instances": instances})


def mlserver_request(model: str, values: Sequence[Any]) -> bytes:
    """Returns a whole HTTP request of the Open Inference Protocol, which MLServer speaks."""
    tensor: dict[str, Any] = {"name": input_name(model), "shape": [len(values)]}
    if model == LENET5:
        data = [base64.b64encode(one).decode() for one in values]
        tensor |= {"datatype": "BYTES", "parameters": {"content_type": "base64"}, "data": data}
    else:
        tensor |= {"datatype": "FP32", "data": list(values)}
    return http_request(f"/v2/models/{model}/infer", {"inputs": [tensor]})
